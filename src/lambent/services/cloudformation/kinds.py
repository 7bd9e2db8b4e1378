"""The resource types that a template may name: all services', and `Custom::` anything. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lambent.core.resources import ResourceType

CUSTOM = "AWS::CloudFormation::CustomResource"
_CUSTOM_NAME = re.compile(r"Custom::[A-Za-z0-9_@-]{1,52}")


def is_custom(name: str) -> bool:
    """Whether a type is one that a template's own provider makes."""
    return name == CUSTOM or _CUSTOM_NAME.fullmatch(name) is not None


class Kinds(Mapping[str, ResourceType]):
    """The declared types, with every custom name standing for the custom resource."""

    def __init__(self, declared: Mapping[str, ResourceType]) -> None:
        self.declared = declared

    def __getitem__(self, name: str) -> ResourceType:
        return self.declared[CUSTOM if is_custom(name) else name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.declared)

    def __len__(self) -> int:
        return len(self.declared)
