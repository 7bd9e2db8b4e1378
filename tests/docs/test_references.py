"""What the documents name is there: files, functions, tests, links, generated tables."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from docs.generated import pages, replaced

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "guides").glob("*.md")),
]
_PACKAGES = "core|store|host|events|protocol|services|gateway|cli"
_REFERENCE = re.compile(
    rf"`((?:(?:{_PACKAGES})/[\w/.]+?|app|(?:tests|docs|benchmarks|examples)/[\w/.]+?)\.\w+)"
    r"(?:::([\w.]+))?`"
)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")


def names(path: Path) -> set[str]:
    """The functions, classes and methods (`Class.method`) that a module defines."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}.{member.name}"
                for member in node.body
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_files_and_functions_that_a_document_names_exist(document: Path) -> None:
    missing: list[str] = []
    for file, name in _REFERENCE.findall(document.read_text("utf-8")):
        path = next(
            (place / file for place in (ROOT, ROOT / "src/lambent") if (place / file).exists()),
            None,
        )
        if path is None or (name and name not in names(path)):
            missing.append(f"{file}::{name}" if name else file)
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_links_lead_somewhere(document: Path) -> None:
    targets = _LINK.findall(document.read_text("utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_generated_parts_are_as_the_code_is() -> None:
    stale = [
        str(path.relative_to(ROOT))
        for path, text in pages().items()
        if path.read_text("utf-8") != text
    ]
    assert stale == [], "run ./dev docs"


def test_a_section_is_replaced_between_its_markers_and_must_be_there_once() -> None:
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
    assert replaced(text, "x", "new") == "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"
    with pytest.raises(ValueError, match="0 times"):
        replaced(text, "y", "new")
