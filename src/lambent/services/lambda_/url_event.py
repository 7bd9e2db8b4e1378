"""Between HTTP and a function behind a URL: the event it gets, the response it means, CORS.

Plain functions. Source: Lambda Developer Guide, "Invoking Lambda function URLs" (payload
format version 2.0) and "Cross-origin resource sharing (CORS)".
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from lambent.core.web import Caller, WebRequest

_TEXT = ("text/", "application/json", "application/xml", "application/javascript")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NOT_PASSED = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date"})
_decode = msgspec.json.Decoder().decode


def event(request: WebRequest, caller: Caller | None) -> dict[str, Any]:
    """The event of payload format 2.0. `caller` is None behind a URL without authorisation."""
    headers = {name: value for name, value in request.headers.items() if name != "cookie"}
    host = request.host.rpartition(":")[0] or request.host
    headers.setdefault("x-forwarded-for", request.client)
    headers.setdefault("x-forwarded-proto", "http")
    headers.setdefault("x-forwarded-port", request.host.rpartition(":")[2] or "80")
    moment = datetime.fromtimestamp(request.now, UTC)
    context: dict[str, Any] = {
        "accountId": caller.account if caller else "anonymous",
        "apiId": request.id,
        "domainName": host,
        "domainPrefix": request.id,
        "http": {
            "method": request.method,
            "path": unquote(request.path),
            "protocol": "HTTP/1.1",
            "sourceIp": request.client,
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": request.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": f"{moment:%d}/{_MONTHS[moment.month - 1]}/{moment:%Y:%H:%M:%S} +0000",
        "timeEpoch": int(request.now * 1000),
    }
    if caller is not None:
        context["authorizer"] = {
            "iam": {
                "accessKey": caller.access_key,
                "accountId": caller.account,
                "callerId": caller.access_key,
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": caller.principal,
                "userId": caller.access_key,
            }
        }
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if cookies := request.headers.get("cookie"):
        made["cookies"] = [part.strip() for part in cookies.replace(",", ";").split(";")]
    if request.query:
        made["queryStringParameters"] = _joined(request.query)
    if request.body:
        text = _text(request)
        made["body"] = base64.b64encode(request.body).decode() if text is None else text
        made["isBase64Encoded"] = text is None
    return made


def _joined(query: str) -> dict[str, str]:
    """Repeated parameters joined by commas."""
    values: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


def _text(request: WebRequest) -> str | None:
    """The body as text; None when it is binary."""
    kind = request.headers.get("content-type", "text/plain").partition(";")[0].strip().lower()
    textual = kind.startswith(_TEXT) or kind.endswith(("+json", "+xml"))
    if not textual or "content-encoding" in request.headers:
        return None
    try:
        return request.body.decode()
    except UnicodeDecodeError:
        return None


class Malformed(Exception):
    """What the function returned is no response."""


class Reply(msgspec.Struct, frozen=True):
    """The response that a function means."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


def reply(payload: bytes) -> Reply:
    """The response in a function's result: `statusCode` and the rest, or any JSON as it is.

    Malformed when members have types that they cannot have.
    """
    try:
        value = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Malformed from None
    if not isinstance(value, dict) or "statusCode" not in value:
        return Reply(200, [("Content-Type", "application/json")], payload)
    return Reply(*head(value), _body(value))


def head(value: Mapping[str, Any]) -> tuple[int, list[tuple[str, str]]]:
    """The status and headers in `statusCode`, `headers` and `cookies`."""
    status = value.get("statusCode", 200)
    if isinstance(status, str) and status.isdigit():
        status = int(status)
    if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 599:
        raise Malformed
    given = value.get("headers") or {}
    cookies = value.get("cookies") or []
    if not isinstance(given, dict) or not isinstance(cookies, list):
        raise Malformed
    headers: list[tuple[str, str]] = []
    for name, content in given.items():
        if isinstance(content, dict | list):
            raise Malformed
        if name.lower() not in _NOT_PASSED:
            headers.append((name, content if isinstance(content, str) else json.dumps(content)))
    headers += [("Set-Cookie", str(cookie)) for cookie in cookies]
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    return status, headers


def _body(value: Mapping[str, Any]) -> bytes:
    body = value.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        # An object is sent as its JSON.
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    if not value.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except (ValueError, binascii.Error):
        raise Malformed from None


# Other origins ---------------------------------------------------------------------------


def is_preflight(request: WebRequest) -> bool:
    """Whether a browser asks what another origin's page may do."""
    return (
        request.method == "OPTIONS"
        and "origin" in request.headers
        and "access-control-request-method" in request.headers
    )


def allowance(cors: Mapping[str, Any], request: WebRequest) -> list[tuple[str, str]]:
    """The headers that a URL's CORS settings put on its answer to this request."""
    origin = request.headers.get("origin")
    origins = cors.get("AllowOrigins") or []
    if origin is None or not any(one in ("*", origin) for one in origins):
        return []
    credentials = bool(cors.get("AllowCredentials"))
    headers = [
        ("Access-Control-Allow-Origin", "*" if "*" in origins and not credentials else origin)
    ]
    if "*" not in origins or credentials:
        headers.append(("Vary", "Origin"))
    if credentials:
        headers.append(("Access-Control-Allow-Credentials", "true"))
    if exposed := cors.get("ExposeHeaders"):
        headers.append(("Access-Control-Expose-Headers", ",".join(exposed)))
    if is_preflight(request):
        if methods := cors.get("AllowMethods"):
            headers.append(("Access-Control-Allow-Methods", ",".join(methods)))
        if names := cors.get("AllowHeaders"):
            headers.append(("Access-Control-Allow-Headers", ",".join(names)))
        if (age := cors.get("MaxAge")) is not None:
            headers.append(("Access-Control-Max-Age", str(age)))
    return headers


def with_cors(
    headers: Sequence[tuple[str, str]], allowed: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The URL's CORS headers in place of those that the function gave itself."""
    if not allowed:
        return list(headers)
    names = {name.lower() for name, _ in allowed}
    return [*allowed, *((name, value) for name, value in headers if name.lower() not in names)]
