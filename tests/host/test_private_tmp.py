"""The private /tmp keeps what a function needs of the old one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from lambent.host.sandboxes.inside import private_tmp

_SCRIPT = """
import os, sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("private_tmp", sys.argv[1])
module = module_from_spec(spec)
spec.loader.exec_module(module)
if module.enter(sys.argv[2], sys.argv[3:]):
    print(open(sys.argv[3]).read(), os.listdir(sys.argv[4]), len(os.listdir("/tmp")))
else:
    print("refused")
"""


def test_kept_files_and_folders_stay_where_they_are_and_nothing_else_does() -> None:
    # A checkout in /tmp has the launcher's own files there.
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as kept,
        tempfile.TemporaryDirectory() as scratch,
    ):
        file = Path(kept, "code", "module.py")
        file.parent.mkdir()
        file.write_text("there")
        folder = Path(kept, "layer")
        folder.mkdir()
        (folder / "x").touch()
        said = subprocess.run(
            [sys.executable, "-c", _SCRIPT, private_tmp.__file__, scratch, file, folder],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    assert said in ("there ['x'] 1", "refused")
