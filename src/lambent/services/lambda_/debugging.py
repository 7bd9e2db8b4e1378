"""Lambent's own API for debuggers: `/_lambent/debug/FUNCTION`.

PUT `{"port": 5678, "wait": 600}` begins a session: from then on the function's invocations
run one at a time in an environment that waits for a debugger; the answer says where. DELETE
ends it. FUNCTION is what Lambda's API takes, percent-encoded.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import msgspec

from lambent.core.errors import AwsError
from lambent.core.web import PREFIX, Asked
from lambent.host.contract import FunctionHost, NotDebuggable
from lambent.services.lambda_ import names
from lambent.services.lambda_.invoking import Runner

PATH = "debug/"


class _Wanted(msgspec.Struct):
    """What a session is asked for: the port (0 takes a free one), and for how many seconds
    a fresh environment waits for a debugger."""

    port: int = 0
    wait: float = 600.0


class Debugging:
    """The route."""

    def __init__(self, runner: Runner, host: FunctionHost) -> None:
        self._runner = runner
        self._host = host

    async def answer(self, asked: Asked) -> tuple[int, Any]:
        """A `core.web.Route`."""
        name = unquote(asked.path.removeprefix(PREFIX + PATH))
        reference = names.parse(asked.context, name)
        spec = await self._runner.spec(reference, await self._runner.resolve(reference))
        if asked.method == "DELETE":
            return 200, {"function": spec.arn, "ended": await self._host.stop_debugging(spec.arn)}
        if asked.method != "PUT":
            raise AwsError("MethodNotAllowed", f"{asked.method} is neither PUT nor DELETE.", 405)
        wanted = _wanted(asked.body)
        try:
            session = await self._host.debug(spec, wanted.port, wanted.wait)
        except NotDebuggable as error:
            raise AwsError("NotDebuggable", str(error), 409) from error
        return 200, {
            "function": spec.arn,
            "runtime": spec.runtime,
            "debugger": session.debugger,
            "port": session.port,
            "folder": session.folder,
        }


def _wanted(body: bytes) -> _Wanted:
    try:
        wanted = msgspec.json.decode(body or b"{}", type=_Wanted)
    except msgspec.MsgspecError as error:
        raise AwsError("InvalidRequest", str(error), 400) from error
    if not 0 <= wanted.port <= 65535 or not wanted.wait > 0:
        raise AwsError("InvalidRequest", "A port is 0 to 65535, and wait is above 0.", 400)
    return wanted
