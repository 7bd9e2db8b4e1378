"""What a definition's values may refer to before any resource is there. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from lambent.services.cloudformation.conditions import evaluate
from lambent.services.cloudformation.intrinsics import Scope, pseudo_parameters
from lambent.services.cloudformation.model import Definition


def scope_of(
    account: str,
    region: str,
    stack_id: str,
    stack_name: str,
    definition: Definition,
    exports: Mapping[str, str] | None,
) -> Scope:
    """Parameters, mappings, conditions and exports; AwsError when a condition is wrong."""
    template = definition.processed
    values = {
        **pseudo_parameters(account, region, stack_id, stack_name, definition.notification_arns),
        **{name: parameter.value for name, parameter in definition.parameters.items()},
    }
    scope = Scope(values, template.get("Mappings") or {}, exports=exports)
    return dataclasses.replace(scope, conditions=evaluate(template.get("Conditions") or {}, scope))
