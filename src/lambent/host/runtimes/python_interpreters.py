"""Which Python runs a function: for now the one that runs Lambent, and that is said.

Every `python3.x` identifier is accepted. A function whose version is not the node's own runs
all the same, with a line in its log.
"""

from __future__ import annotations

import sys

from lambent.host.runtimes.toolchains import notice


def mismatch(identifier: str) -> bytes | None:
    """The log line for a function whose Python is not this one; None when it is."""
    own = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return None if identifier in ("", own) else notice(identifier, own)
