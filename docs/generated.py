"""Which files have generated parts, and what they should hold now."""

from __future__ import annotations

import re
from pathlib import Path

from docs import commands, services

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
SERVICES = ROOT / "docs" / "services.md"
COMMAND = ROOT / "docs" / "guides" / "command.md"


def pages() -> dict[Path, str]:
    """Each generated or partly generated file with the text that it should have."""
    built = services.built()
    return {
        README: replaced(README.read_text("utf-8"), "services", services.table(built)),
        SERVICES: services.page(built),
        COMMAND: replaced(COMMAND.read_text("utf-8"), "commands", commands.reference()),
    }


def replaced(text: str, section: str, content: str) -> str:
    """`text` with what stands between `<!-- section -->` and `<!-- /section -->` replaced.

    ValueError when the markers are not there exactly once.
    """
    pattern = rf"(<!-- {section} -->\n).*?(<!-- /{section} -->)"
    new, count = re.subn(
        pattern, lambda match: f"{match[1]}{content}\n{match[2]}", text, flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(f"the markers of {section} are there {count} times")
    return new
