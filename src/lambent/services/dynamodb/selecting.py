"""What Query and Scan give back of each item: Select, projections, and indexes' limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lambent.services.dynamodb.changes import projected
from lambent.services.dynamodb.errors import invalid, invalid_parameter
from lambent.services.dynamodb.expressions.compiled import CompiledCondition, CompiledProjection
from lambent.services.dynamodb.expressions.paths import Projector
from lambent.services.dynamodb.model import Index, Table


class Shape(NamedTuple):
    """How to answer: `count_only`, what cuts items down, and whether an index's entries lack
    something so that the items themselves must be fetched."""

    count_only: bool
    project: Projector | None
    fetch: bool


def check_names(names: Sequence[str] | None) -> None:
    """Raise when AttributesToGet names an attribute twice."""
    seen: set[str] = set()
    for name in names or ():
        if name in seen:
            raise invalid_parameter(f"Duplicate value in attribute name: {name}")
        seen.add(name)


def check_select(params: Mapping[str, Any]) -> None:
    """Raise when Select contradicts the other parameters."""
    check_names(params.get("AttributesToGet"))
    select = params.get("Select")
    if params.get("ProjectionExpression") is not None:
        given: str | None = "ProjectionExpression"
    else:
        given = "AttributesToGet" if params.get("AttributesToGet") is not None else None
    if select is None:
        return
    if given is not None and select != "SPECIFIC_ATTRIBUTES":
        shown = "only the Count" if select == "COUNT" else select
        raise invalid(f"Cannot specify the {given} when choosing to get {shown}")
    if given is None and select == "SPECIFIC_ATTRIBUTES":
        raise invalid(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get "
            "SPECIFIC_ATTRIBUTES"
        )
    if select == "ALL_PROJECTED_ATTRIBUTES" and params.get("IndexName") is None:
        raise invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")


def shape(
    params: Mapping[str, Any],
    table: Table,
    index: Index | None,
    projection: CompiledProjection | None,
    condition: CompiledCondition | None,
) -> Shape:
    """The shape of the answer; ValidationException when the index cannot give it."""
    select = params.get("Select")
    names = params.get("AttributesToGet")
    project: Projector | None = None
    wanted: set[str] = set()
    if projection is not None:
        project, wanted = projection.project, set(projection.attributes)
    elif names:
        project, wanted = Projector((name,) for name in names), set(names)
    everything = select == "ALL_ATTRIBUTES"
    fetch = False
    if index is not None and index.projection != "ALL":
        if everything and index.is_global:
            raise invalid_parameter(
                f"Select type ALL_ATTRIBUTES is not supported for global secondary index "
                f"{index.name} because its projection type is not ALL"
            )
        held = projected(table, index)
        if condition is not None and (unheld := condition.attributes - held):
            raise invalid_parameter(
                f"Secondary index {index.name} does not project one or more filter attributes: "
                f"[{', '.join(sorted(unheld))}]"
            )
        missing = wanted - held
        if missing and index.is_global:
            raise invalid_parameter(
                f"Global secondary index {index.name} does not project "
                f"[{', '.join(sorted(missing))}]"
            )
        fetch = everything or bool(missing)
    return Shape(select == "COUNT", project, fetch)
