"""What policies would say to an action: IAM's simulation. Pure.

Source: IAM API Reference, SimulateCustomPolicy and SimulatePrincipalPolicy; IAM User Guide,
"Policy evaluation logic" (permissions boundaries, cross-account requests).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from lambent.core.policies import Ask, applies, parsed, statements_of, written_keys
from lambent.services.iam.places import places

_WORDS: Final = {True: "allowed", False: "explicitDeny", None: "implicitDeny"}


class Source(NamedTuple):
    """A policy of a simulation: its id and type as results name it, and its text."""

    id: str
    type: str
    text: str


class Case(NamedTuple):
    """What is simulated: the policies of who asks, the boundary of its permissions (None: it has
    none), the resource's policy, and the account that owns the resource."""

    identity: Sequence[Source]
    boundary: Sequence[Source] | None
    resource: Source | None
    owner: str


def evaluate(case: Case, asks: Sequence[Ask], *, specific: bool) -> dict[str, Any]:
    """The EvaluationResult of one action for its resources; `specific`: these were named."""
    results = [_one(case, ask) for ask in asks]
    order = [_WORDS[False], _WORDS[None], _WORDS[True]]
    top: dict[str, Any] = {
        "EvalActionName": asks[0].action,
        "EvalResourceName": asks[0].resource if len(asks) == 1 else "*",
        "EvalDecision": min((one["EvalResourceDecision"] for one in results), key=order.index),
        "MatchedStatements": _distinct(one["MatchedStatements"] for one in results),
        "MissingContextValues": _distinct(one["MissingContextValues"] for one in results),
    }
    if case.boundary is not None:
        inside = [one["PermissionsBoundaryDecisionDetail"] for one in results]
        allowed = all(one["AllowedByPermissionsBoundary"] for one in inside)
        top["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    if specific:
        top["ResourceSpecificResults"] = results
        top["EvalDecisionDetails"] = results[0].get("EvalDecisionDetails", {})
    return top


def _one(case: Case, ask: Ask) -> dict[str, Any]:
    own = [(source, *one) for source in case.identity for one in _matched(source, ask, True)]
    theirs = []
    if case.resource is not None:
        theirs = [(case.resource, *one) for one in _matched(case.resource, ask, False)]
    bounds = [one for source in case.boundary or () for one in _matched(source, ask, True)]
    identity, resource = _outcome(own), _outcome(theirs)
    bounded = case.boundary is None or _outcome((None, *one) for one in bounds) is True
    foreign = case.owner != ask.account
    decided: bool | None
    if identity is False or resource is False or ("Deny" in (effect for _, effect in bounds)):
        decided = False
    else:
        granted = identity is True and bounded
        both = granted and resource is True
        decided = (both if foreign else granted or resource is True) or None
    effect = {True: "Allow", False: "Deny", None: ""}[decided]
    needed = [case.resource] if case.resource is not None else []
    needed = [*case.identity, *needed, *(case.boundary or ())]
    shown: dict[str, Any] = {
        "EvalResourceName": ask.resource,
        "EvalResourceDecision": _WORDS[decided],
        "MatchedStatements": [
            {"SourcePolicyId": source.id, "SourcePolicyType": source.type, **place}
            for source, place, found in (*own, *theirs)
            if found == effect
        ],
        "MissingContextValues": missing(needed, ask.keys),
    }
    if foreign:
        shown["EvalDecisionDetails"] = {
            "IAM Policy": _WORDS[identity],
            "Resource Policy": _WORDS[resource],
        }
    if case.boundary is not None:
        shown["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": bounded}
    return shown


def missing(sources: Iterable[Source], known: Mapping[str, object]) -> list[str]:
    """The condition keys that policies ask for and that are not known, each once."""
    found: dict[str, str] = {}
    for source in sources:
        for key in sorted(written_keys(parsed(source.text))):
            if key.lower() not in known:
                found.setdefault(key.lower(), key)
    return list(found.values())


def _matched(source: Source, ask: Ask, named: bool) -> list[tuple[dict[str, Any], str]]:
    """The statements that apply: where each stands, and its effect."""
    policy = parsed(source.text)
    return [
        (place, str(statement.get("Effect")))
        for statement, place in zip(statements_of(policy), places(source.text), strict=True)
        if applies(policy, statement, ask, named=named)
    ]


def _outcome(matched: Iterable[tuple[object, object, str]]) -> bool | None:
    effects = {effect for _, _, effect in matched}
    return False if "Deny" in effects else True if effects else None


def _distinct(lists: Iterable[list[Any]]) -> list[Any]:
    found: list[Any] = []
    for one in lists:
        found += [each for each in one if each not in found]
    return found
