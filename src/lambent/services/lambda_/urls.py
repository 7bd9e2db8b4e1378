"""Function URLs: their configurations.

Source: Lambda API Reference, CreateFunctionUrlConfig and its like. A URL belongs to a
function's $LATEST or to an alias; its id is found again in `lambda.urls`.
"""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import urlsplit

from lambent.core.context import Params, RequestContext, Result
from lambent.services.lambda_ import errors, paging, records
from lambent.services.lambda_.base import Base
from lambent.services.lambda_.describe import timestamp
from lambent.services.lambda_.model import Function, Url
from lambent.services.lambda_.names import LATEST, Reference
from lambent.store.contract import Transaction

LABEL = "lambda-url"
PATH = "url"
_ID = string.ascii_lowercase + string.digits
_ID_LENGTH = 32
_METHODS = ("GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*")
_CORS_ITEMS = {
    "AllowHeaders": 100,
    "AllowMethods": 6,
    "AllowOrigins": 100,
    "ExposeHeaders": 100,
}
_MAX_AGE = 86_400


class UrlOperations(Base):
    """Function URL configurations."""

    async def create_function_url_config(self, context: RequestContext, params: Params) -> Result:
        """CreateFunctionUrlConfig."""
        reference = self._url_reference(context, params, "CreateFunctionUrlConfig")
        key = reference.qualifier or LATEST
        cors = _cors(params.get("Cors"))
        id = self._ids.token(_ID_LENGTH, _ID)

        async def body(tx: Transaction) -> Url:
            function = await _function(tx, reference)
            if key in function.urls:
                raise errors.conflict(
                    "Failed to create function url config for [functionArn = "
                    f"{reference.qualified}]. Error message:  FunctionUrlConfig exists for this "
                    "Lambda function"
                )
            url = Url(
                id=id,
                auth=params["AuthType"],
                mode=params.get("InvokeMode") or "BUFFERED",
                cors=cors,
                created=tx.now,
                modified=tx.now,
            )
            function.urls[key] = url
            await records.put_function(tx, reference, function)
            await records.put_url(tx, id, reference)
            return url

        url = await self._store.transact(body)
        return {**_shown(context, reference, url), "LastModifiedTime": None}

    async def update_function_url_config(self, context: RequestContext, params: Params) -> Result:
        """UpdateFunctionUrlConfig."""
        reference = self._url_reference(context, params, "UpdateFunctionUrlConfig")

        async def body(tx: Transaction) -> Url:
            function = await _function(tx, reference)
            url = _url(function, reference)
            url.auth = params.get("AuthType", url.auth)
            url.mode = params.get("InvokeMode", url.mode)
            if "Cors" in params:
                url.cors = _cors(params["Cors"])
            url.modified = tx.now
            await records.put_function(tx, reference, function)
            return url

        return _shown(context, reference, await self._store.transact(body))

    async def get_function_url_config(self, context: RequestContext, params: Params) -> Result:
        """GetFunctionUrlConfig."""
        reference = self._url_reference(context, params, "GetFunctionUrlConfig")
        function = await self._store.transact(lambda tx: records.find_function(tx, reference))
        return _shown(context, reference, _url(function, reference))

    async def list_function_url_configs(self, context: RequestContext, params: Params) -> Result:
        """ListFunctionUrlConfigs."""
        reference = self._reference(context, params, "ListFunctionUrlConfigs")
        function = await self._store.transact(lambda tx: _function(tx, reference))
        keys, marker = paging.page(
            sorted(function.urls), str, params.get("Marker"), params.get("MaxItems")
        )
        shown = [_shown(context, _of(reference, key), function.urls[key]) for key in keys]
        return {"FunctionUrlConfigs": shown, "NextMarker": marker}

    async def delete_function_url_config(self, context: RequestContext, params: Params) -> Result:
        """DeleteFunctionUrlConfig."""
        reference = self._url_reference(context, params, "DeleteFunctionUrlConfig")

        async def body(tx: Transaction) -> None:
            function = await records.find_function(tx, reference)
            if function is None:
                raise errors.not_found()
            url = _url(function, reference)
            del function.urls[reference.qualifier or LATEST]
            await records.delete_url(tx, url.id)
            await records.put_function(tx, reference, function)

        await self._store.transact(body)
        return None

    def _url_reference(self, context: RequestContext, params: Params, action: str) -> Reference:
        reference = self._reference(context, params, action)
        qualifier = reference.qualifier
        if qualifier is not None and (qualifier == LATEST or qualifier.isdigit()):
            raise errors.validation(
                qualifier,
                "qualifier",
                "Member must satisfy regular expression pattern: "
                r"((?!^\d+$)^[0-9a-zA-Z-_]+$)",
            )
        return reference


def address(context: RequestContext, region: str, id: str) -> str:
    """The URL, below the name or port by which the caller reached the node."""
    place = urlsplit(context.endpoint)
    host = place.hostname or "localhost"
    if host.replace(".", "").isdigit() or ":" in host:
        host = "localhost"  # an address has no names below it
    port = f":{place.port}" if place.port else ""
    return f"http://{id}.{LABEL}.{region}.{host}{port}/"


def _of(reference: Reference, key: str) -> Reference:
    qualifier = None if key == LATEST else key
    return Reference(reference.account, reference.region, reference.name, qualifier)


async def _function(tx: Transaction, reference: Reference) -> Function:
    """The function, if it and the alias that is meant are there."""
    function = await records.find_function(tx, reference)
    alias = reference.qualifier
    if function is None or alias not in (None, *function.aliases):
        raise errors.not_found("Function does not exist")
    return function


def _url(function: Function | None, reference: Reference) -> Url:
    url = None if function is None else function.urls.get(reference.qualifier or LATEST)
    if url is None:
        raise errors.not_found()
    return url


def _shown(context: RequestContext, reference: Reference, url: Url) -> dict[str, Any]:
    return {
        "FunctionUrl": address(context, reference.region, url.id),
        "FunctionArn": reference.qualified,
        "AuthType": url.auth,
        "Cors": url.cors,
        "CreationTime": timestamp(url.created),
        "LastModifiedTime": timestamp(url.modified),
        "InvokeMode": url.mode,
    }


def _cors(wanted: dict[str, Any] | None) -> dict[str, Any] | None:
    if not wanted:
        return None
    for member, most in _CORS_ITEMS.items():
        if len(wanted.get(member) or ()) > most:
            raise errors.validation(
                wanted[member],
                f"cors.{member[0].lower()}{member[1:]}",
                f"Member must have length less than or equal to {most}",
            )
    for method in wanted.get("AllowMethods") or ():
        if method not in _METHODS:
            raise errors.validation(
                method,
                "cors.allowMethods",
                "Member must satisfy enum value set: [GET, PUT, HEAD, POST, PATCH, DELETE, *]",
            )
    if wanted.get("MaxAge", 0) > _MAX_AGE:
        raise errors.validation(
            wanted["MaxAge"],
            "cors.maxAge",
            f"Member must have value less than or equal to {_MAX_AGE}",
        )
    return dict(wanted)
