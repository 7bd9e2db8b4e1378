"""Which version of a language serves for which identifier: the rule, by table."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambent.host.runtimes.toolchains import Toolchain, Version, choose


@pytest.mark.parametrize(
    ("wanted", "available", "chosen"),
    [
        ((20,), [(18,), (20,), (22,)], (20,)),
        ((20,), [(24,), (22,), (18,)], (22,)),
        ((24,), [(18,), (20,)], (20,)),
        ((3, 9), [(3, 11), (3, 10), (3, 8)], (3, 10)),
        ((20,), [], None),
    ],
)
def test_same_then_nearest_newer_then_newest(
    wanted: Version, available: list[Version], chosen: Version | None
) -> None:
    assert choose(wanted, available) == chosen


async def test_programs_are_asked_for_their_version(tmp_path: Path) -> None:
    for name, text in {
        "one": "echo 'tool version \"21.0.4\" 2024'",
        "two": "echo v18.1.0",
        "broken": "echo 3; exit 1",
        "mute": "true",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    found = await Toolchain((), [f"{tmp_path}/*"], ("--version",), parts=1).found()
    assert found == {(21,): tmp_path / "one", (18,): tmp_path / "two"}
