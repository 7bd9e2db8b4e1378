"""The sink that puts lines into CloudWatch Logs, against a log service of a few lines."""

from __future__ import annotations

from typing import Any

import pytest

from lambent.core.clock import SystemClock, VirtualClock
from lambent.core.context import Params, RequestContext
from lambent.core.errors import AwsError
from lambent.core.ids import SystemIds
from lambent.core.registry import Registry
from lambent.host import logs as module
from lambent.host.logs import CloudWatchLogs, LogStream

STREAM = LogStream("123456789012", "eu-west-1", "/aws/lambda/f", "2023/11/14/[$LATEST]ab")


class Service:
    """Groups, streams and their messages; errors as CloudWatch Logs gives them."""

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, list[str]]] = {}
        self.puts: list[Params] = []
        self.contexts: list[RequestContext] = []

    async def create_log_group(self, context: RequestContext, params: Params) -> None:
        if params["logGroupName"] in self.groups:
            raise AwsError("ResourceAlreadyExistsException", "The specified log group exists")
        self.groups[params["logGroupName"]] = {}

    async def create_log_stream(self, context: RequestContext, params: Params) -> None:
        group = self.groups[params["logGroupName"]]
        if params["logStreamName"] in group:
            raise AwsError("ResourceAlreadyExistsException", "The specified log stream exists")
        group[params["logStreamName"]] = []

    async def put_log_events(self, context: RequestContext, params: Params) -> None:
        self.contexts.append(context)
        self.puts.append(params)
        try:
            stream = self.groups[params["logGroupName"]][params["logStreamName"]]
        except KeyError:
            raise AwsError("ResourceNotFoundException", "It does not exist.") from None
        stream += [event["message"] for event in params["logEvents"]]


def sink(service: Any, clock: Any = None) -> CloudWatchLogs:
    registry = Registry()
    registry.add("logs", service)
    return CloudWatchLogs(registry, clock or SystemClock(), SystemIds(), lambda: "http://x")


async def test_lines_arrive_in_group_and_stream() -> None:
    service = Service()
    logs = sink(service)
    logs.write(STREAM, [(1.0005, "a\n"), (2.0, "")])
    logs.write(STREAM, [(3.0, "b\n")])
    await logs.close()
    assert service.groups == {STREAM.group: {STREAM.name: ["a\n", "b\n"]}}
    assert service.puts[0]["logEvents"][0]["timestamp"] == 1000
    context = service.contexts[0]
    assert (context.account, context.region) == (STREAM.account, STREAM.region)


async def test_deleted_group_is_made_again() -> None:
    service = Service()
    logs = sink(service)
    logs.write(STREAM, [(1.0, "a")])
    await logs.flush()
    service.groups.clear()
    logs.write(STREAM, [(2.0, "b")])
    await logs.flush()
    assert service.groups == {STREAM.group: {STREAM.name: ["b"]}}


async def test_lines_written_together_are_put_together() -> None:
    service, clock = Service(), VirtualClock()
    logs = sink(service, clock)
    for number in range(5):
        logs.write(STREAM, [(float(number), "x")])
    await clock.advance(1)
    assert len(service.puts) == 1
    await logs.close()


async def test_flood_is_cut_visibly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BUFFERED", 1000)
    service = Service()
    logs = sink(service)
    for _ in range(50):
        logs.write(STREAM, [(1.0, "x" * 99 + "\n")])
    await logs.flush()
    kept = service.groups[STREAM.group][STREAM.name]
    assert len(kept) == 12 and kept[-1].startswith("[Lines lost here")
    logs.write(STREAM, [(2.0, "again")])
    await logs.close()
    assert service.groups[STREAM.group][STREAM.name][-1] == "again"


async def test_broken_log_service_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Service):
        async def put_log_events(self, context: RequestContext, params: Params) -> None:
            raise AwsError("ServiceUnavailableException", "no")

    logs = sink(Broken())
    logs.write(STREAM, [(1.0, "a")])
    await logs.close()
    assert "Log lines of /aws/lambda/f were lost" in caplog.text


@pytest.mark.parametrize("text", ["a" * 3_000_000, "\u00e9" * 600_000])
def test_a_line_longer_than_an_event_may_be_is_cut_and_costs_no_other(text: str) -> None:
    [first], [second], [third] = module.batches([(1.0, "a"), (2.0, text), (3.0, "b")])
    assert (first, third) == ((1.0, "a"), (3.0, "b"))
    assert second[0] == 2.0 and text.startswith(second[1])
    assert 1_048_576 - 30 < len(second[1].encode()) + 26 <= 1_048_576
