"""Which metrics there are."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from lambent.services.cloudwatch import errors
from lambent.services.cloudwatch.model import METRICS, Listed, decode_listed, path, scope
from lambent.store.contract import Transaction

PAGE: Final = 500
_SHOWN_SECONDS: Final = 14 * 86_400
_ACTIVE_SECONDS: Final = 3 * 3600
_SCAN: Final = 1000


async def all_of(tx: Transaction, account: str, region: str) -> list[Listed]:
    """Every metric of an account in a region, in order."""
    return [decode_listed(one.value) for one in await tx.scan(METRICS, scope(account, region))]


async def page(
    tx: Transaction, account: str, region: str, params: Mapping[str, Any]
) -> tuple[list[Listed], str | None]:
    """The metrics that ListMetrics asks for, a page, and where the next begins."""
    namespace = params.get("Namespace")
    start = token_read(params.get("NextToken")) or (namespace.encode() if namespace else b"")
    age = _ACTIVE_SECONDS + 3600 if params.get("RecentlyActive") else _SHOWN_SECONDS
    found: list[Listed] = []
    while True:
        records = await tx.scan(METRICS, scope(account, region), start=start, limit=_SCAN)
        for record in records:
            metric = decode_listed(record.value)
            if namespace and metric.namespace > namespace:
                return found, None
            if tx.now - metric.seen <= age and _wanted(metric, params):
                if len(found) == PAGE:
                    return found, token_made(path(metric.namespace, metric.name, metric.dimensions))
                found.append(metric)
        if len(records) < _SCAN:
            return found, None
        start = records[-1].sort + b"\0"


def _wanted(metric: Listed, params: Mapping[str, Any]) -> bool:
    if params.get("Namespace") not in (None, metric.namespace):
        return False
    if params.get("MetricName") not in (None, metric.name):
        return False
    own = dict(metric.dimensions)
    for wanted in params.get("Dimensions") or ():
        held = own.get(wanted.get("Name") or "")
        if held is None or wanted.get("Value") not in (None, held):
            return False
    return True


def token_made(place: bytes) -> str:
    """A NextToken."""
    return base64.urlsafe_b64encode(place).decode()


def token_read(token: str | None) -> bytes | None:
    """What a NextToken holds; AwsError when it was not given out."""
    if token is None:
        return None
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise errors.bad_token() from None
