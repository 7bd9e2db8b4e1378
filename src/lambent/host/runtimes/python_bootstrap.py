"""A Python runtime started as a program of its own, as wrapper scripts need it.

Runs outside Lambent, in the function's environment, and imports nothing but the standard
library and the runtime's own distributions.

Usage: python_bootstrap.py RUNTIME_FOLDER LAYER...
"""

from __future__ import annotations

import importlib
import os
import sys


def main() -> None:
    """Find code, layers and runtime, in Lambda's order; hand over to the official client."""
    runtime, *layers = sys.argv[1:]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    search = [os.environ["LAMBDA_TASK_ROOT"]]
    for layer in layers:
        search += [f"{layer}/python/lib/{version}/site-packages", f"{layer}/python"]
    sys.path[:1] = search
    sys.path.append(runtime)
    handler = os.environ["_HANDLER"]
    importlib.import_module("awslambdaric.__main__").main(["bootstrap", handler])


if __name__ == "__main__":
    main()
