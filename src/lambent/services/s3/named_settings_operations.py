"""Analytics, inventory, metrics and tiering: configurations of which a bucket has several."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.s3.access import open_bucket
from lambent.services.s3.errors import malformed_xml
from lambent.services.s3.model import SETTINGS, Bucket, pack_document, unpack_document
from lambent.services.s3.settings import check_tiering
from lambent.services.s3.settings_operations import SettingsOperations
from lambent.store.contract import Transaction

_Named = Callable[[SettingsOperations, RequestContext, Params], Awaitable[Result]]
_ANALYTICS: Final = "AnalyticsConfiguration"
_INVENTORY: Final = "InventoryConfiguration"
_METRICS: Final = "MetricsConfiguration"
_TIERING: Final = "IntelligentTieringConfiguration"


def _sort(kind: str, name: str) -> bytes:
    return f"{kind}/{name}".encode()


def _put(kind: str) -> _Named:
    async def put(self: SettingsOperations, context: RequestContext, params: Params) -> None:
        document = params[kind]
        if document.get("Id") != params["Id"]:
            raise malformed_xml()
        if kind == _TIERING:
            check_tiering(document)

        async def change(tx: Transaction, bucket: Bucket) -> None:
            await tx.put(SETTINGS, bucket.key, _sort(kind, params["Id"]), pack_document(document))

        await self._change(context, params, f"s3:Put{kind}", change)

    return put


def _get(kind: str) -> _Named:
    async def get(self: SettingsOperations, context: RequestContext, params: Params) -> Result:
        setting = f"{kind}/{params['Id']}"
        _, found = await self._read_setting(context, params, f"s3:Get{kind}", setting)
        if found is None:
            raise _no_configuration()
        return {kind: found}

    return get


def _delete(kind: str) -> _Named:
    async def delete(self: SettingsOperations, context: RequestContext, params: Params) -> None:
        async def change(tx: Transaction, bucket: Bucket) -> None:
            if not await tx.delete(SETTINGS, bucket.key, _sort(kind, params["Id"])):
                raise _no_configuration()

        await self._change(context, params, f"s3:Put{kind}", change)

    return delete


def _list(kind: str) -> _Named:
    async def listed(self: SettingsOperations, context: RequestContext, params: Params) -> Result:
        async def read(tx: Transaction) -> list[Any]:
            bucket = await open_bucket(tx, context, params, f"s3:Get{kind}")
            records = await tx.scan(
                SETTINGS, bucket.key, start=_sort(kind, ""), end=f"{kind}0".encode()
            )
            return [unpack_document(record.value) for record in records]

        found = await self.store.transact(read)
        return {f"{kind}List": found, "IsTruncated": False}

    return listed


class NamedSettingsOperations(SettingsOperations):
    """Stored and given back by id; nothing acts on them."""

    put_bucket_analytics_configuration = _put(_ANALYTICS)
    get_bucket_analytics_configuration = _get(_ANALYTICS)
    delete_bucket_analytics_configuration = _delete(_ANALYTICS)
    list_bucket_analytics_configurations = _list(_ANALYTICS)

    put_bucket_inventory_configuration = _put(_INVENTORY)
    get_bucket_inventory_configuration = _get(_INVENTORY)
    delete_bucket_inventory_configuration = _delete(_INVENTORY)
    list_bucket_inventory_configurations = _list(_INVENTORY)

    put_bucket_metrics_configuration = _put(_METRICS)
    get_bucket_metrics_configuration = _get(_METRICS)
    delete_bucket_metrics_configuration = _delete(_METRICS)
    list_bucket_metrics_configurations = _list(_METRICS)

    put_bucket_intelligent_tiering_configuration = _put(_TIERING)
    get_bucket_intelligent_tiering_configuration = _get(_TIERING)
    delete_bucket_intelligent_tiering_configuration = _delete(_TIERING)
    list_bucket_intelligent_tiering_configurations = _list(_TIERING)


def _no_configuration() -> AwsError:
    return AwsError("NoSuchConfiguration", "The specified configuration does not exist.", 404)
