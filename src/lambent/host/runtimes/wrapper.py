"""Wrapper scripts: a program of the function's that starts the runtime in place of Lambda.

It gets the runtime's program and arguments, and executes them as it sees fit. Source: Lambda
Developer Guide, "Modifying the runtime environment" (AWS_LAMBDA_EXEC_WRAPPER); OS-only
runtimes have none.
"""

from __future__ import annotations

from lambent.host.runtimes.contract import Launch
from lambent.host.sandboxes.contract import Sandbox

VARIABLE = "AWS_LAMBDA_EXEC_WRAPPER"


def wrapper(launch: Launch, sandbox: Sandbox) -> list[str]:
    """The wrapper's path as the process finds it, before its command; [] without one."""
    path = launch.environment.get(VARIABLE)
    if not path:
        return []
    if not sandbox.isolating:
        for place, folders in (("/opt/", [*launch.layers][::-1]), ("/var/task/", [launch.code])):
            for folder in folders:
                if path.startswith(place) and (found := folder / path[len(place) :]).exists():
                    return [str(found)]
    return [path]
