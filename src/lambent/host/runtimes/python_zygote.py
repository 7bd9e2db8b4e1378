"""The Python zygote: a warm interpreter that forks one process per environment.

Runs as its own single-threaded process under `python -I -S`, outside Lambent: it imports
nothing but the standard library and the runtime's own distributions (boto3 and the official
runtime client), so function code never sees Lambent's dependencies. How it forks, and what
an environment is allowed, is the sandbox's (`sandboxes.inside.forking`).

Usage: python_zygote.py CONTROL_FD OPTIONS RUNTIME_FOLDER
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import socket
import sys
import time
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))


def give_way(search: list[str], preloaded: set[str], needed: frozenset[str]) -> None:
    """Forget preloaded modules that the function brings itself.

    When it brings any part of boto3's family, the whole family is loaded anew, so that old
    and new parts never meet.
    """
    brought: set[str] = set()
    for folder in search:
        with contextlib.suppress(OSError):
            brought.update(name.partition(".")[0] for name in os.listdir(folder))
    family = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"}
    if brought & family:
        brought |= family
    gone = brought & preloaded
    if not gone:
        return
    for name in list(sys.modules):
        if name.partition(".")[0] in gone and name not in needed:
            del sys.modules[name]


def load(name: str, path: str) -> Any:
    """A module or package of Lambent's, loaded by its file: Lambent itself is not importable
    here."""
    folders = [os.path.dirname(path)] if path.endswith("__init__.py") else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=folders)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if folders:
        sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def set_search_path(task: str, layers: list[str]) -> list[str]:
    """Let the function's own folders come first in sys.path; returns them."""
    search = [task]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for layer in layers:
        search += [f"{layer}/python/lib/{version}/site-packages", f"{layer}/python"]
    search += filter(None, os.environ.get("PYTHONPATH", "").split(":"))
    sys.path[:0] = search
    return search


def main() -> None:
    """Load, freeze, serve; in a child: hand over to the official runtime client."""
    options = json.loads(sys.argv[2])
    control = socket.socket(fileno=int(sys.argv[1]))
    sys.dont_write_bytecode = True
    load("_lambent_sandbox", os.path.join(_HERE, "../sandboxes/inside/__init__.py"))
    forking = importlib.import_module("_lambent_sandbox.forking")
    preloading = load("python_preload", os.path.join(_HERE, "python_preload.py"))
    remembering = load("python_botocore", os.path.join(_HERE, "python_botocore.py"))
    transport = load("python_transport", os.path.join(_HERE, "python_transport.py")).Transport
    python_forks = load("python_forks", os.path.join(_HERE, "python_forks.py"))
    own = set(sys.modules)
    forking.enter(control, options)
    sys.path.append(sys.argv[3])
    needed = preloading.preload(remembering) | own
    preloaded = {name.partition(".")[0] for name in sys.modules.keys() - needed}
    zygote = forking.Zygote(control, options, large=True)
    # What is shared stays shared: the collector of a child never touches it.
    gc.collect()
    gc.freeze()
    launch = zygote.serve()
    os.environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(forking.TELEMETRY_FD)
    give_way(set_search_path(os.getcwd(), zygote.layers(launch)), preloaded, needed)
    time.tzset()
    sys.argv = ["bootstrap", launch["handler"]]
    if launch["debug"]:
        load("python_debug", os.path.join(_HERE, "python_debug.py")).wait(launch["debug"])
    preloading.configure_client()
    if launch["zygote"]:
        forks = sys.modules["_lambent_sandbox.forks"]
        function_zygote = forks.FunctionZygote(options["kind"] != "off", launch["scratch"])
        python_forks.run(
            *(launch["handler"], launch["environment"]),
            *(function_zygote, forks.unfit),
            lambda: preloading.connect_client(transport),
        )
    else:
        preloading.connect_client(transport)
        importlib.import_module("awslambdaric.__main__").main(sys.argv)


if __name__ == "__main__":
    main()
