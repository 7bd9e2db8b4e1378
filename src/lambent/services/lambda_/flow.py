"""Flow control over Lambent's own API, below `/_lambent/flow`.

A mapping is named by its UUID, a function's asynchronous invocations by the function's ARN.

| request | what it does |
| --- | --- |
| GET flow | every mapping of the account and region: limit, state, last decision |
| GET flow/UUID | one mapping: settings, state, and its decisions (`?after=N`: later ones) |
| PUT flow/UUID | replace the settings by the document in the body |
| DELETE flow/UUID | switch everything off |
| POST flow/UUID/park | claim no more, until it is resumed; `{"reason": "…"}` |
| POST flow/UUID/resume | claim again, and put back what is parked; `{"ids": […]}`: only those |
| GET flow/UUID/parked | what is parked, oldest first (`?limit=N`) |
"""

from __future__ import annotations

import json
from typing import Any

from lambent.core.arns import Arn
from lambent.core.errors import AwsError
from lambent.core.web import PREFIX, Asked
from lambent.events.flow import parking, settings
from lambent.events.flow.decisions import Decision
from lambent.services.contract import Platform
from lambent.services.lambda_ import flow_subjects
from lambent.services.lambda_.lanes import Lanes
from lambent.services.lambda_.model import Mapping
from lambent.store.contract import Transaction

_SHOWN = 100
_MOST_SHOWN = 10_000
_REASON = 500


class FlowRoutes:
    """Answers the requests."""

    def __init__(self, platform: Platform, lanes: Lanes) -> None:
        self._store = platform.store
        self._targets = platform.targets
        self._lanes = lanes

    async def listed(self, asked: Asked) -> tuple[int, Any]:
        """GET flow."""
        if asked.method != "GET":
            raise _no_such_method(asked)
        context = asked.context

        async def body(tx: Transaction) -> list[tuple[Mapping, int]]:
            mappings = await flow_subjects.listed(tx, context.account, context.region)
            return [(one, await parking.count(tx, one.uuid)) for one in mappings]

        found = await self._store.transact(body)
        return 200, {"mappings": [self._shown(one, parked) for one, parked in found]}

    async def one(self, asked: Asked) -> tuple[int, Any]:
        """Everything below flow/."""
        uuid, _, action = asked.path.removeprefix(PREFIX + "flow/").partition("/")
        match asked.method, action:
            case "GET", "":
                return await self._get(asked, uuid)
            case "PUT", "":
                return await self._put(asked, uuid, _document(asked))
            case "DELETE", "":
                return await self._put(asked, uuid, {})
            case "POST", "park":
                return await self._park(asked, uuid)
            case "POST", "resume":
                return await self._resume(asked, uuid)
            case "GET", "parked":
                return await self._parked(asked, uuid)
            case _, "" | "park" | "resume" | "parked":
                raise _no_such_method(asked)
        raise AwsError("NotFound", f"There is nothing at {asked.path}.", 404)

    async def _get(self, asked: Asked, uuid: str) -> tuple[int, Any]:
        async def body(tx: Transaction) -> tuple[Mapping, int]:
            return await _find(tx, asked, uuid), await parking.count(tx, uuid)

        mapping, parked = await self._store.transact(body)
        regulator = self._lanes.regulators.of(uuid)
        after = _number(asked, "after", 0)
        decisions = [] if regulator is None else regulator.decisions.after(after)
        return 200, {
            **self._shown(mapping, parked),
            "decisions": [_decision(one) for one in decisions],
        }

    async def _put(self, asked: Asked, uuid: str, document: dict[str, Any]) -> tuple[int, Any]:
        context = asked.context
        mapping = await self._store.transact(
            lambda tx: set_flow(tx, context.account, context.region, uuid, document)
        )
        self._lanes.follow(mapping)
        return await self._get(asked, uuid)

    async def _park(self, asked: Asked, uuid: str) -> tuple[int, Any]:
        reason = str(_document(asked).get("reason") or "it was asked for")[:_REASON]
        mapping = await self._store.transact(lambda tx: _set_parked(tx, asked, uuid, reason))
        self._lanes.follow(mapping)
        return await self._get(asked, uuid)

    async def _resume(self, asked: Asked, uuid: str) -> tuple[int, Any]:
        ids = _document(asked).get("ids")
        if ids is not None and not (
            isinstance(ids, list) and all(isinstance(one, str) for one in ids)
        ):
            raise AwsError("ValidationException", "ids must be a list of identifiers.", 400)

        async def body(tx: Transaction) -> tuple[Mapping, int]:
            mapping = await _find(tx, asked, uuid)
            arn = Arn.parse(mapping.source)
            source = self._targets.source(arn)
            count = 0
            if source is not None:
                count = await parking.resume(tx, source, arn, uuid, ids)
            if ids is None:
                mapping = await _set_parked(tx, asked, uuid, None)
            return mapping, count

        mapping, count = await self._store.transact(body)
        self._lanes.follow(mapping)
        _, shown = await self._get(asked, uuid)
        return 200, {**shown, "resumed": count}

    async def _parked(self, asked: Asked, uuid: str) -> tuple[int, Any]:
        limit = min(max(_number(asked, "limit", _SHOWN), 1), _MOST_SHOWN)

        async def body(tx: Transaction) -> tuple[list[parking.Parked], int]:
            await _find(tx, asked, uuid)
            return await parking.listed(tx, uuid, limit), await parking.count(tx, uuid)

        items, count = await self._store.transact(body)
        shown = [
            {
                "id": one.id,
                "at": one.at,
                "rule": one.rule,
                "reason": one.reason,
                "preview": one.preview,
            }
            for one in items
        ]
        return 200, {"count": count, "parked": shown}

    def _shown(self, mapping: Mapping, parked: int) -> dict[str, Any]:
        lane = self._lanes.mapping(mapping.uuid)
        regulator = self._lanes.regulators.of(mapping.uuid)
        scale, running = (lane.places, lane.in_flight) if lane is not None else (0, 0)
        shown: dict[str, Any] = {
            "uuid": mapping.uuid,
            "function": mapping.function,
            "source": mapping.source,
            "enabled": mapping.enabled,
            "settings": settings.shown(flow_subjects.rules(mapping)),
            "limit": scale,
            "running": running,
            "state": "running",
            "held_by": "",
            "parked": None,
            "parked_items": parked,
            "last": None,
        }
        if regulator is not None:
            last = regulator.decisions.latest()
            shown.update(regulator.shown(scale, running))
            shown["last"] = None if last is None else _decision(last)
        if mapping.parked is not None:  # the regulator may be about to hear of it
            shown["state"], shown["parked"] = "parked", mapping.parked
        if lane is None:
            shown["state"] = "disabled"
        return shown


async def set_flow(
    tx: Transaction, account: str, region: str, uuid: str, document: dict[str, Any]
) -> Mapping:
    """Replace a mapping's settings. AwsError when there is no such mapping, or the document
    cannot be."""
    mapping = await flow_subjects.find(tx, account, region, uuid)
    try:
        settings.parse(document)
    except settings.InvalidFlow as error:
        raise AwsError("ValidationException", str(error), 400) from None
    mapping.flow = document
    await flow_subjects.save(tx, account, region, mapping)
    return mapping


async def _find(tx: Transaction, asked: Asked, uuid: str) -> Mapping:
    return await flow_subjects.find(tx, asked.context.account, asked.context.region, uuid)


async def _set_parked(tx: Transaction, asked: Asked, uuid: str, reason: str | None) -> Mapping:
    mapping = await _find(tx, asked, uuid)
    mapping.parked = reason
    await flow_subjects.save(tx, asked.context.account, asked.context.region, mapping)
    return mapping


def _decision(one: Decision) -> dict[str, Any]:
    shown = {name: getattr(one, name) for name in Decision.__slots__}
    return {**shown, "inputs": dict(one.inputs)}


def _document(asked: Asked) -> dict[str, Any]:
    if not asked.body.strip():
        return {}
    try:
        document = json.loads(asked.body)
    except (ValueError, RecursionError):
        raise AwsError("ValidationException", "The body is not JSON.", 400) from None
    if not isinstance(document, dict):
        raise AwsError("ValidationException", "The body must be a JSON object.", 400)
    return document


def _number(asked: Asked, name: str, default: int) -> int:
    text = asked.query.get(name, str(default))
    if not text.isdecimal():
        raise AwsError("ValidationException", f"{name} must be a number, not {text}.", 400)
    return int(text)


def _no_such_method(asked: Asked) -> AwsError:
    return AwsError("MethodNotAllowed", f"{asked.method} is not for {asked.path}.", 405)
