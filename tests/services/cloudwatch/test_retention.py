"""Old measurements: summed up step by step, and dropped at last."""

from __future__ import annotations

from lambent.core.clock import VirtualClock
from lambent.core.context import RequestContext
from lambent.core.ids import SeededIds
from lambent.core.metrics import Metrics
from lambent.services.cloudwatch.metric_operations import MetricOperations
from lambent.services.cloudwatch.recorder import Recorder
from lambent.store.backends.sqlite import open_sqlite

DAY = 86_400


async def test_old_data_is_summed_up_and_at_last_dropped() -> None:
    clock = VirtualClock(1_700_000_100.0)
    store = await open_sqlite(None, clock, SeededIds(1))
    recorder = Recorder(store, clock, Metrics())
    operations = MetricOperations(store, recorder)

    def context() -> RequestContext:
        return RequestContext("1" * 12, "r", "id", clock.now(), "")

    async def periods(days: float, period: int) -> list[float]:
        stat = {"Metric": {"Namespace": "App", "MetricName": "m"}, "Period": period, "Stat": "Sum"}
        answer = await operations.get_metric_data(
            context(),
            {
                "MetricDataQueries": [{"Id": "m", "MetricStat": stat}],
                "StartTime": clock.now() - days * DAY,
                "EndTime": clock.now() + 60,
            },
        )
        assert answer is not None
        return [value for one in answer["MetricDataResults"] for value in one["Values"]]

    async def pass_days(days: int) -> None:
        await clock.advance(days * DAY)
        await recorder.tidy()

    data = [
        {"MetricName": "m", "Value": 1.0, "Timestamp": clock.now() - 60 * minute}
        for minute in range(10)
    ]
    await operations.put_metric_data(context(), {"Namespace": "App", "MetricData": data})
    assert await periods(1, 60) == [1.0] * 10
    await pass_days(16)
    assert len(await periods(17, 60)) <= 3  # five minutes are the finest that is left
    assert sum(await periods(17, 300)) == 10
    await pass_days(50)
    assert len(await periods(70, 60)) <= 2
    assert sum(await periods(70, 3600)) == 10
    await pass_days(400)
    assert await periods(500, 3600) == []
    listed = await operations.list_metrics(context(), {})
    assert listed is not None and listed["Metrics"] == []
    await store.close()
