"""Which parameters a DescribeParameters or GetParametersByPath filter keeps. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.core.errors import AwsError
from lambent.services.ssm.model import Parameter

_KEYS = ("Path", "Name", "Type", "KeyId", "Tier", "DataType", "Label")


def keeps(parameter: Parameter, filters: Sequence[Mapping[str, Any]]) -> bool:
    """Whether all filters hold."""
    return all(_keeps(parameter, item) for item in filters)


def _keeps(parameter: Parameter, item: Mapping[str, Any]) -> bool:
    key, values = item["Key"], item.get("Values") or []
    option = item.get("Option") or ("OneLevel" if key == "Path" else "Equals")
    if key == "Path":
        return any(under(parameter.name, path, option == "Recursive") for path in values)
    if key.startswith("tag:"):
        present = parameter.tags.get(key[4:])
        return present is not None and (not values or present in values)
    if key not in _KEYS:
        raise AwsError(
            "InvalidFilterKey",
            f"The specified filter key {key} is not valid. Valid keys are: {', '.join(_KEYS)}",
        )
    latest = parameter.latest
    candidates = {
        "Name": [parameter.name],
        "Type": [latest.type],
        "KeyId": [latest.key or ""],
        "Tier": [latest.tier],
        "DataType": [latest.data_type],
        "Label": [label for version in parameter.versions for label in version.labels],
    }[key]
    if option == "Equals":
        return any(candidate in values for candidate in candidates)
    if option == "BeginsWith":
        # Names are compared with and without their leading slash, as AWS does.
        return any(c.lstrip("/").startswith(v.lstrip("/")) for c in candidates for v in values)
    if option == "Contains":
        return any(value in candidate for candidate in candidates for value in values)
    raise AwsError(
        "InvalidFilterOption",
        f"The specified filter option is not valid: {option}. Valid options are: "
        "[Equals, BeginsWith, Contains].",
    )


def under(name: str, path: str, recursive: bool) -> bool:
    """Whether a parameter lies under a path: directly, or anywhere below it."""
    base = path.rstrip("/") + "/"
    if path == "/":
        name = "/" + name.lstrip("/")
    return name.startswith(base) and (recursive or "/" not in name[len(base) :])
