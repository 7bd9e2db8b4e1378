"""The CORS preflight, and the headers that answers to other origins carry."""

from __future__ import annotations

from typing import Any

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.s3 import cors
from lambent.services.s3.access import find_bucket
from lambent.services.s3.base import Base
from lambent.services.s3.model import SETTINGS, unpack_document
from lambent.store.contract import Transaction


class CorsOperations(Base):
    """Rules are asked by anyone, before any credentials are sent."""

    async def preflight_bucket(self, context: RequestContext, params: Params) -> Result:
        return await self._preflight(params, "BUCKET")

    async def preflight_object(self, context: RequestContext, params: Params) -> Result:
        return await self._preflight(params, "OBJECT")

    async def _rules(self, bucket: str) -> list[dict[str, Any]]:
        async def read(tx: Transaction) -> list[dict[str, Any]]:
            found = await find_bucket(tx, bucket)
            record = None if found is None else await tx.get(SETTINGS, found.key, b"cors")
            return [] if record is None else unpack_document(record.value)["CORSRules"]

        return await self.store.transact(read)

    async def _preflight(self, params: Params, resource: str) -> dict[str, Any]:
        origin, method = params.get("Origin"), params.get("AccessControlRequestMethod")
        if not origin:
            raise AwsError(
                "BadRequest", "Insufficient information. Origin request header needed.", 400
            )
        if method not in ("GET", "PUT", "HEAD", "POST", "DELETE"):
            raise AwsError(
                "BadRequest", f"Invalid Access-Control-Request-Method: {method or 'null'}", 400
            )
        rules = await self._rules(params["Bucket"])
        if not rules:
            raise _forbidden("CORSResponse: CORS is not enabled for this bucket.", resource)
        headers = cors.asked_headers(params.get("AccessControlRequestHeaders"))
        found = cors.find_rule(rules, origin, method, headers)
        if found is None:
            raise _forbidden(
                "CORSResponse: This CORS request is not allowed. This is usually because the "
                "evalution of Origin, request method / Access-Control-Request-Method or "
                "Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
                resource,
            )
        return cors.allowing(*found, origin, headers)

    async def cors_headers(self, context: RequestContext, params: Params) -> Result:
        """What an answer to `Origin` and `Method` carries beside itself; for the gateway."""
        rules = await self._rules(params["Bucket"])
        found = cors.find_rule(rules, params["Origin"], params["Method"], ())
        return {} if found is None else cors.allowing(*found, params["Origin"], ())


def _forbidden(message: str, resource: str) -> AwsError:
    return AwsError(
        "AccessForbidden", message, 403, {"Method": "OPTIONS", "ResourceType": resource}
    )
