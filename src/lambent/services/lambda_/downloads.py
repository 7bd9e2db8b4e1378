"""Where code can be downloaded: the Location in GetFunction's and GetLayerVersion's answers.

The path holds a secret of the version itself, as a presigned URL does, so that it can be
fetched without credentials and by nobody who was not given it.
"""

from __future__ import annotations

import hmac

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.services.lambda_ import records
from lambent.services.lambda_.code import CodeStore
from lambent.services.lambda_.layer_lookup import LayerVersion
from lambent.services.lambda_.model import Layer, Version
from lambent.services.lambda_.names import Reference
from lambent.store.contract import Store, Transaction

PATH = "lambda/code/"


class Downloads:
    """Makes the URLs and answers them."""

    def __init__(self, store: Store, code: CodeStore) -> None:
        self._store = store
        self._code = code

    def function_url(self, context: RequestContext, reference: Reference, version: Version) -> str:
        """Where the version's archive is."""
        return (
            f"{context.endpoint}/_lambent/{PATH}function/{reference.account}/"
            f"{reference.region}/{reference.name}/{version.number}/{version.build}"
        )

    def layer_url(self, context: RequestContext, of: LayerVersion, layer: Layer) -> str:
        """Where the layer's archive is."""
        return (
            f"{context.endpoint}/_lambent/{PATH}layer/{of.account}/{of.region}/"
            f"{of.name}/{layer.number}/{layer.blob}"
        )

    async def fetch(self, path: str) -> bytes:
        """The archive at what follows `PATH`. AwsError, status 404, when there is none."""
        parts = path.split("/")
        if len(parts) != 6:
            raise _nothing()
        kind, account, region, name, number, secret = parts

        async def body(tx: Transaction) -> str | None:
            if kind == "layer":
                if not number.isdigit():
                    return None
                layer = await records.find_layer(tx, account, region, name, int(number))
                return None if layer is None or not _same(layer.blob, secret) else layer.blob
            reference = Reference(account, region, name, number)
            function = await records.get_function(tx, reference)
            version = await records.resolve(tx, reference, function)
            if not _same(version.build, secret):
                return None
            code = await records.find_code(tx, reference, version.sha256)
            return None if code is None else code.blob

        blob = await self._store.transact(body)
        if blob is None:
            raise _nothing()
        return await self._code.read(blob)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _nothing() -> AwsError:
    return AwsError("NotFound", "There is no such archive.", 404)
