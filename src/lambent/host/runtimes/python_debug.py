"""In a debugged Python environment, before the function is loaded: let a debugger in.

Loaded by file into the forked child (see `python_zygote`): it imports nothing but the
standard library and debugpy, which is among the runtime's distributions then.
"""

from __future__ import annotations

import os
import socket
import sys

_QUIET = "PYDEVD_DISABLE_FILE_VALIDATION"


def wait(address: str) -> None:
    """Open debugpy's port, tell it to `address` (HOST:PORT), wait until a client attached."""
    os.environ[_QUIET] = "1"  # about the standard library's frozen modules
    import debugpy

    debugpy.configure(subProcess=False, python=sys.executable)
    _, port = debugpy.listen(("127.0.0.1", 0))
    host, _, number = address.rpartition(":")
    with socket.create_connection((host, int(number))) as node:
        node.sendall(b"%d\n" % port)
    debugpy.wait_for_client()
    del os.environ[_QUIET]
