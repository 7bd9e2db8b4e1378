"""Whether a mapping suppresses duplicates: its setting over Lambent's own API, and the counts.

| request | what it does |
| --- | --- |
| GET duplicates | every mapping of the account and region that has the setting |
| GET duplicates/UUID | one mapping's setting, and how many duplicates this node suppressed |
| PUT duplicates/UUID | replace the setting: `{"Key": "$.body.id", "Expires": 3600}` |
| DELETE duplicates/UUID | let duplicates through |

In a template the setting stands under `Metadata: Lambent: Idempotency:`.
"""

from __future__ import annotations

import json
from typing import Any

from lambent.core.errors import AwsError
from lambent.core.web import PREFIX, Asked
from lambent.services.contract import Platform
from lambent.services.lambda_ import records, suppression
from lambent.services.lambda_.lanes import Lanes
from lambent.services.lambda_.model import Mapping
from lambent.store.contract import Store, Transaction


class DuplicateRoutes:
    """Answers the requests."""

    def __init__(self, platform: Platform, lanes: Lanes) -> None:
        self._store: Store = platform.store
        self._lanes = lanes

    async def listed(self, asked: Asked) -> tuple[int, Any]:
        """GET duplicates."""
        if asked.method != "GET":
            raise _no_such_method(asked)
        context = asked.context
        found = await self._store.transact(
            lambda tx: records.mappings(tx, context.account, context.region)
        )
        return 200, {"mappings": [self._shown(one) for one in found if one.idempotency]}

    async def one(self, asked: Asked) -> tuple[int, Any]:
        """Everything below duplicates/."""
        uuid = asked.path.removeprefix(PREFIX + "duplicates/")
        match asked.method:
            case "GET":
                mapping = await self._store.transact(lambda tx: _find(tx, asked, uuid))
            case "PUT":
                mapping = await self._put(asked, uuid, _document(asked))
            case "DELETE":
                mapping = await self._put(asked, uuid, {})
            case _:
                raise _no_such_method(asked)
        return 200, self._shown(mapping)

    async def _put(self, asked: Asked, uuid: str, document: dict[str, Any]) -> Mapping:
        suppression.check(document)

        async def body(tx: Transaction) -> Mapping:
            mapping = await _find(tx, asked, uuid)
            mapping.idempotency = document
            await records.put_mapping(tx, asked.context.account, asked.context.region, mapping)
            return mapping

        mapping = await self._store.transact(body)
        self._lanes.poll(mapping)
        return mapping

    def _shown(self, mapping: Mapping) -> dict[str, Any]:
        return {
            "mapping": mapping.uuid,
            "function": mapping.function,
            "source": mapping.source,
            "settings": mapping.idempotency,
            "suppressed": self._lanes.suppressed(mapping.uuid),
        }


async def _find(tx: Transaction, asked: Asked, uuid: str) -> Mapping:
    context = asked.context
    mapping = await records.find_mapping(tx, context.account, context.region, uuid)
    if mapping is None:
        raise AwsError("NotFound", f"There is no event source mapping {uuid} here.", 404)
    return mapping


def _document(asked: Asked) -> dict[str, Any]:
    try:
        document = json.loads(asked.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise AwsError("ValidationException", "The body must be a JSON object.", 400)
    return document


def _no_such_method(asked: Asked) -> AwsError:
    return AwsError("MethodNotAllowed", f"{asked.path} has no {asked.method}.", 405)
