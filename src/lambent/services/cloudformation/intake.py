"""A request becomes a definition: template, parameters and tags, checked whole.

Nothing is made before everything here has passed.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

from lambent.core.context import Params, RequestContext
from lambent.core.errors import AwsError
from lambent.services.cloudformation import (
    capabilities,
    dynamic,
    includes,
    loops,
    macros,
    parameters,
    rules,
    sam,
    source,
    template,
    validate,
)
from lambent.services.cloudformation.intrinsics import Scope, pseudo_parameters, resolve
from lambent.services.cloudformation.model import Definition, ParameterValue
from lambent.services.cloudformation.scope import scope_of
from lambent.services.cloudformation.template import invalid
from lambent.services.contract import Platform

_KNOWN = frozenset({sam.TRANSFORM, loops.TRANSFORM, includes.TRANSFORM})


def read(body: str, own: Collection[str] = ()) -> dict[str, Any]:
    """Parse a template and check its shape; its transforms must be known, `own` being the
    account's macros. Loops stay."""
    parsed = template.parse(body)
    asked = template.transforms(parsed)
    for name in asked:
        if name not in _KNOWN and name not in own:
            raise sam.unknown_transform(name)
    seen = sketch(parsed)
    macro = any(name in own or name == includes.TRANSFORM for name in asked)
    if not macro and not includes.asked(parsed):
        validate.check_shape(seen, sam=sam.TRANSFORM in asked)
    return parsed


def sketch(parsed: dict[str, Any]) -> dict[str, Any]:
    """The template as far as it can be seen without parameters' values."""
    parsed = includes.without(parsed)
    return loops.sketch(parsed) if loops.TRANSFORM in template.transforms(parsed) else parsed


async def template_body(
    platform: Platform, context: RequestContext, params: Params, previous: Definition | None
) -> str:
    """The text of the template that a request means."""
    body = await source.body_of(platform.registry, context, params)
    if params.get("UsePreviousTemplate"):
        if body is not None or previous is None:
            raise invalid(
                "You cannot specify both usePreviousTemplate and Template Body/Template URL"
                if body is not None
                else "No previous template exists."
            )
        return previous.body
    if body is None:
        raise invalid("Either Template URL or Template Body must be specified.")
    return body


async def define(
    platform: Platform,
    context: RequestContext,
    params: Params,
    stack_id: str,
    stack_name: str,
    previous: Definition | None = None,
    *,
    expands: bool = False,
) -> Definition:
    """The definition that a request asks for.

    `expands`: the caller may see what transforms make before it is executed (a change
    set), so they need no acknowledgement. AwsError names every problem that was found;
    sam.TransformFailed when a transform refuses the template.
    """
    body = await template_body(platform, context, params, previous)
    own = await macros.known(platform, context)
    parsed = read(body, own)
    asked = template.transforms(parsed)
    declared = parsed.get("Parameters") or {}
    before = previous.parameters if previous else {}
    texts = parameters.fill(declared, params.get("Parameters") or [], before)
    values = parameters.complete(
        declared, texts, await _from_ssm(platform, context, declared, texts)
    )
    kinds = {name: str(one["Type"]) for name, one in declared.items()}
    if failed := rules.broken(
        parsed.get("Rules") or {}, _given(context, stack_id, stack_name, parsed, values), kinds
    ):
        raise invalid(f"Rules validation failed: {' '.join(failed)}")
    if own and (includes.asked(parsed) or not own.keys().isdisjoint(asked)):
        given = params.get("Capabilities") or []
        capabilities.check([] if expands else [capabilities.AUTO_EXPAND], given)
        scope = _given(context, stack_id, stack_name, parsed, values)
        shown = {name: one.value for name, one in values.items()}
        parsed = await macros.Expansion(platform, context, own, scope, shown).whole(parsed)
        for name in template.transforms(parsed):
            if name not in _KNOWN:
                raise sam.unknown_transform(name)
    if includes.asked(parsed) or includes.TRANSFORM in template.transforms(parsed):
        asked = list(dict.fromkeys([*asked, includes.TRANSFORM]))

        async def fetch(location: str) -> str:
            return await source.download(platform.registry, context, location)

        parsed = await includes.expand(
            parsed, _given(context, stack_id, stack_name, parsed, values), fetch
        )
    validate.check_shape(sketch(parsed), sam=sam.TRANSFORM in asked)
    if loops.TRANSFORM in asked:
        parsed = _without_loops(_given(context, stack_id, stack_name, parsed, values), parsed)
        validate.check_shape(parsed, sam=sam.TRANSFORM in asked)
    given = params.get("Capabilities") or []
    capabilities.check(capabilities.required(parsed["Resources"], () if expands else asked), given)
    processed = parsed
    if sam.TRANSFORM in asked:
        processed = await sam.translate(
            copy.deepcopy(parsed),
            _translator_values(context, stack_id, stack_name, values),
            context.region,
        )
        processed.pop("Transform", None)
        validate.check_shape(processed)
        if not expands:
            capabilities.check(capabilities.required(processed["Resources"]), given)
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or []}
    if previous is not None and "Tags" not in params:
        tags = previous.tags
    arns = params.get("NotificationARNs")
    definition = Definition(
        body,
        processed,
        values,
        tags,
        list(given),
        list(arns) if arns is not None else (previous.notification_arns if previous else []),
        params.get("RoleARN") or (previous.role_arn if previous else None),
    )
    extended = loops.TRANSFORM in asked
    check(platform, context, definition, stack_id, stack_name, extended=extended)
    await dynamic.check(processed["Resources"], platform.registry, context)
    return definition


def check(
    platform: Platform,
    context: RequestContext,
    definition: Definition,
    stack_id: str,
    stack_name: str,
    *,
    extended: bool,
) -> None:
    """Refuse a definition that cannot be deployed, naming every problem."""
    validate.check_deployable(
        definition.processed,
        platform.resources,
        lambda: scope_of(context.account, context.region, stack_id, stack_name, definition, None),
        extended=extended,
    )


def _given(
    context: RequestContext,
    stack_id: str,
    stack_name: str,
    parsed: dict[str, Any],
    values: dict[str, ParameterValue],
) -> Scope:
    """What is known before there is anything but parameters and mappings."""
    pseudo = pseudo_parameters(context.account, context.region, stack_id, stack_name, [])
    known = {name: one.value for name, one in values.items()}
    return Scope({**pseudo, **known}, parsed.get("Mappings") or {})


def _without_loops(scope: Scope, parsed: dict[str, Any]) -> dict[str, Any]:
    """The template with its loops carried out, by the parameters and mappings there are."""

    def members(identifier: str, collection: Any) -> list[Any]:
        found = resolve(collection, scope)
        if not isinstance(found, list):
            raise invalid(
                f"Transform {loops.TRANSFORM} failed with: The collection of {identifier} must "
                "be a list"
            )
        parts = [one if isinstance(one, list) else [one] for one in found]
        return [one for part in parts for one in part]

    return loops.expand(parsed, members)


def _translator_values(
    context: RequestContext, stack_id: str, stack_name: str, values: dict[str, ParameterValue]
) -> dict[str, Any]:
    return {
        **{name: one.value for name, one in values.items()},
        "AWS::Region": context.region,
        "AWS::StackName": stack_name,
        "AWS::StackId": stack_id,
        "AWS::AccountId": context.account,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
    }


async def _from_ssm(
    platform: Platform,
    context: RequestContext,
    declared: dict[str, Any],
    texts: dict[str, str],
) -> dict[str, str]:
    fetched: dict[str, str] = {}
    missing: list[str] = []
    for key, name in parameters.ssm_names(declared, texts).items():
        try:
            answer: dict[str, Any] = await platform.registry.call(
                context, "ssm", "GetParameter", {"Name": name}
            )
        except AwsError as error:
            if error.code != "ParameterNotFound":
                raise
            missing.append(name)
        else:
            fetched[key] = str(answer["Parameter"]["Value"])
    if missing:
        raise parameters.missing_ssm(missing)
    return fetched
