"""Every example in the README and the guides does what is written there."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.walkthrough import Block, NothingToInstall, Walkthrough, blocks, shows, steps

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
RUN = [
    guide
    for guide in GUIDES
    if any(block.language == "console" for block in blocks(guide.read_text("utf-8")))
]


@pytest.mark.parametrize("guide", RUN, ids=lambda path: path.stem)
def test_a_guide_does_what_it_says(guide: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    reader = Walkthrough(folder)
    try:
        reader.follow(guide.read_text("utf-8"), guide.name)
    except NothingToInstall as error:
        pytest.skip(f"{error}")
    finally:
        reader.close()


def test_a_guide_that_shows_other_output_is_wrong() -> None:
    assert shows(["one", "…", "four"], "one\ntwo\n\nthree\nfour\n")
    assert shows(["{", '"id": "…"'], '{\n   "id": "1234"\n')
    assert not shows(["one", "four"], "one\ntwo\nfour\n")
    assert not shows(["one"], "one more\n")


def test_commands_and_their_output_are_told_apart() -> None:
    found = steps(Block("console", "", "$ first\nout\nmore\n$ second \\\n> goes on\n", 1))
    assert [(step.command, step.expected) for step in found] == [
        ("first", ["out", "more"]),
        ("second \\\ngoes on", []),
    ]
