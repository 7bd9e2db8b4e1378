"""Parses projection expressions: paths with commas between them."""

from __future__ import annotations

from lambent.services.dynamodb.expressions.parser import Parser
from lambent.services.dynamodb.expressions.tree import Path, Projection


class ProjectionParser(Parser):
    """Parses one projection."""

    def parse(self) -> Projection:
        """The whole text as a list of paths."""
        paths: list[Path] = [self.path()]
        while self.take(","):
            paths.append(self.path())
        self.expect_end()
        self.raise_faults()
        return tuple(paths)
