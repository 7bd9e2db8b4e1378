"""The zygote of runtimes that are programs: each child executes its environment's command.

Usage: commands.py CONTROL_FD OPTIONS
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
from typing import Any


def load_package() -> Any:
    """This folder as a package, whatever it is part of."""
    folder = os.path.dirname(os.path.abspath(__file__))
    spec = importlib.util.spec_from_file_location(
        "_lambent_sandbox", f"{folder}/__init__.py", submodule_search_locations=[folder]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["_lambent_sandbox"] = package
    spec.loader.exec_module(package)
    return importlib.import_module("_lambent_sandbox.forking")


def main() -> None:
    """Fork on demand; in a child: become the command."""
    forking = load_package()
    control = socket.socket(fileno=int(sys.argv[1]))
    options = json.loads(sys.argv[2])
    forking.enter(control, options)
    launch = forking.Zygote(control, options).serve()
    command = launch["command"]
    if not command:  # whether it got here is all that was asked
        os._exit(0)
    os.environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(forking.TELEMETRY_FD)
    os.set_inheritable(forking.TELEMETRY_FD, True)
    try:
        os.execv(command[0], command)  # noqa: S606
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


if __name__ == "__main__":
    main()
