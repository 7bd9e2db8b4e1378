"""`python -m docs` (`./dev docs`): write the generated parts of the documentation anew."""

from __future__ import annotations

from docs.generated import ROOT, pages


def main() -> None:
    """Write what changed and say so."""
    for path, text in pages().items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
