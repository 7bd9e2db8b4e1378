"""Analytics, inventory, metrics and tiering: configurations of which a bucket has several."""

from __future__ import annotations

from typing import Any, Final

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.s3.access import open_bucket
from lambent.services.s3.errors import malformed_xml
from lambent.services.s3.model import SETTINGS, Bucket, pack_document, unpack_document
from lambent.services.s3.settings_operations import SettingsOperations
from lambent.store.contract import Transaction

_ANALYTICS: Final = "AnalyticsConfiguration"
_INVENTORY: Final = "InventoryConfiguration"
_METRICS: Final = "MetricsConfiguration"
_TIERING: Final = "IntelligentTieringConfiguration"


def _sort(kind: str, name: str) -> bytes:
    return f"{kind}/{name}".encode()


class NamedSettingsOperations(SettingsOperations):
    """Stored and given back by id; nothing acts on them."""

    async def _put_named(self, context: RequestContext, params: Params, kind: str) -> None:
        document = params[kind]
        if document.get("Id") != params["Id"]:
            raise malformed_xml()

        async def change(tx: Transaction, bucket: Bucket) -> None:
            await tx.put(SETTINGS, bucket.key, _sort(kind, params["Id"]), pack_document(document))

        await self._change(context, params, f"s3:Put{kind}", change)

    async def _get_named(self, context: RequestContext, params: Params, kind: str) -> Result:
        _, found = await self._read_setting(
            context, params, f"s3:Get{kind}", f"{kind}/{params['Id']}"
        )
        if found is None:
            raise _no_configuration()
        return {kind: found}

    async def _delete_named(self, context: RequestContext, params: Params, kind: str) -> None:
        async def change(tx: Transaction, bucket: Bucket) -> None:
            if not await tx.delete(SETTINGS, bucket.key, _sort(kind, params["Id"])):
                raise _no_configuration()

        await self._change(context, params, f"s3:Put{kind}", change)

    async def _list_named(self, context: RequestContext, params: Params, kind: str) -> Result:
        async def read(tx: Transaction) -> list[Any]:
            bucket = await open_bucket(tx, context, params, f"s3:Get{kind}")
            records = await tx.scan(
                SETTINGS, bucket.key, start=_sort(kind, ""), end=f"{kind}0".encode()
            )
            return [unpack_document(record.value) for record in records]

        found = await self.store.transact(read)
        return {f"{kind}List": found, "IsTruncated": False}

    async def put_bucket_analytics_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        await self._put_named(context, params, _ANALYTICS)
        return None

    async def get_bucket_analytics_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        return await self._get_named(context, params, _ANALYTICS)

    async def delete_bucket_analytics_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        await self._delete_named(context, params, _ANALYTICS)
        return None

    async def list_bucket_analytics_configurations(
        self, context: RequestContext, params: Params
    ) -> Result:
        return await self._list_named(context, params, _ANALYTICS)

    async def put_bucket_inventory_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        await self._put_named(context, params, _INVENTORY)
        return None

    async def get_bucket_inventory_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        return await self._get_named(context, params, _INVENTORY)

    async def delete_bucket_inventory_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        await self._delete_named(context, params, _INVENTORY)
        return None

    async def list_bucket_inventory_configurations(
        self, context: RequestContext, params: Params
    ) -> Result:
        return await self._list_named(context, params, _INVENTORY)

    async def put_bucket_metrics_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        await self._put_named(context, params, _METRICS)
        return None

    async def get_bucket_metrics_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        return await self._get_named(context, params, _METRICS)

    async def delete_bucket_metrics_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        await self._delete_named(context, params, _METRICS)
        return None

    async def list_bucket_metrics_configurations(
        self, context: RequestContext, params: Params
    ) -> Result:
        return await self._list_named(context, params, _METRICS)

    async def put_bucket_intelligent_tiering_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        await self._put_named(context, params, _TIERING)
        return None

    async def get_bucket_intelligent_tiering_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        return await self._get_named(context, params, _TIERING)

    async def delete_bucket_intelligent_tiering_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        await self._delete_named(context, params, _TIERING)
        return None

    async def list_bucket_intelligent_tiering_configurations(
        self, context: RequestContext, params: Params
    ) -> Result:
        return await self._list_named(context, params, _TIERING)


def _no_configuration() -> AwsError:
    return AwsError("NoSuchConfiguration", "The specified configuration does not exist.", 404)
