"""Functions as what event source mappings, and later workflows, run."""

from __future__ import annotations

from lambent.core.arns import Arn
from lambent.core.errors import AwsError
from lambent.core.ids import Ids
from lambent.events.contract import Outcome
from lambent.host.contract import Invocation
from lambent.services.lambda_ import errors, records
from lambent.services.lambda_.durable.invoking import Executor
from lambent.services.lambda_.invoking import Runner
from lambent.services.lambda_.names import from_arn
from lambent.store.contract import Transaction


class FunctionInvocable:
    """See `events.contract.Invocable`."""

    def __init__(self, runner: Runner, executor: Executor, ids: Ids) -> None:
        self._runner = runner
        self._executor = executor
        self._ids = ids

    async def invoke(self, arn: Arn, payload: bytes, *, trace: str | None = None) -> Outcome:
        request_id, reference = self._ids.uuid(), from_arn(arn)
        try:
            resolved = await self._runner.resolve(reference)
            executed = await self._executor.execute(
                reference, resolved, payload, request_id=request_id, trace=trace
            )
            if executed is not None:
                result = executed.result
                return Outcome(
                    result.payload, result.error, version=executed.version, request_id=request_id
                )
            invoked = await self._runner.invoke(
                reference, Invocation(request_id, payload, trace), resolved
            )
        except AwsError as error:
            kind = "Throttled" if error.code == "TooManyRequestsException" else "Failed"
            return Outcome(
                b"",
                kind,
                retryable=error.code not in errors.FINAL,
                request_id=request_id,
                message=error.message,
                code=error.code,
            )
        return Outcome(
            invoked.result.payload,
            invoked.result.error,
            version=invoked.version,
            request_id=request_id,
            log=invoked.log_group,
            seconds=invoked.result.duration,
        )

    async def timeout(self, tx: Transaction, arn: Arn) -> float:
        reference = from_arn(arn)
        function = await records.get_function(tx, reference)
        version = await records.resolve(tx, reference, function)
        return float(version.settings["Timeout"])
