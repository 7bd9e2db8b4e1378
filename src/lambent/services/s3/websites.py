"""Buckets as websites: plain HTTP at `BUCKET.s3-website.…` and `/_lambent/website/BUCKET/`.

Source: "Website endpoints": GET and HEAD of what anyone may read, index and error documents,
redirects, errors as HTML.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError
from lambent.core.streams import StreamingResult
from lambent.core.web import Site, WebAnswer, WebRequest
from lambent.services.s3 import website_rules
from lambent.services.s3.access import find_bucket
from lambent.services.s3.errors import method_not_allowed, no_such_bucket
from lambent.services.s3.model import SETTINGS, unpack_document
from lambent.services.s3.object_operations import ObjectOperations
from lambent.services.s3.settings import missing
from lambent.store.contract import Transaction

LABEL: Final = "s3-website"
_BODY_LIMIT: Final = 64 * 1024
_TO_GET: Final = {
    "range": "Range",
    "if-match": "IfMatch",
    "if-none-match": "IfNoneMatch",
}
_DATES: Final = {
    "if-modified-since": "IfModifiedSince",
    "if-unmodified-since": "IfUnmodifiedSince",
}
_SHOWN: Final = {
    "ContentType": "Content-Type",
    "CacheControl": "Cache-Control",
    "ContentDisposition": "Content-Disposition",
    "ContentEncoding": "Content-Encoding",
    "ContentLanguage": "Content-Language",
    "Expires": "Expires",
    "ETag": "ETag",
    "ContentRange": "Content-Range",
}


class Websites:
    """Answers for the buckets that have a website configuration."""

    def __init__(self, operations: ObjectOperations) -> None:
        self._operations = operations
        self._store = operations.platform.store
        settings = operations.platform.settings
        # Where no signature is verified, nobody is the node's own account, as everywhere.
        self._nobody = "" if settings.auth else settings.account
        self.site = Site(LABEL, "website", _BODY_LIMIT, self._answer, self._too_large)

    def _too_large(self) -> WebAnswer:
        return _error(method_not_allowed("POST", "OBJECT"), True)

    async def _answer(self, request: WebRequest) -> WebAnswer:
        with_body = request.method != "HEAD"
        try:
            if request.method not in ("GET", "HEAD"):
                raise method_not_allowed(request.method, "OBJECT")
            website = await self._website(request.id)
        except AwsError as error:
            return _error(error, with_body)
        everything = website_rules.redirect_all(website, request.path)
        if everything is not None:
            return _moved(301, everything)
        key = unquote(request.path).removeprefix("/")
        rule = website_rules.routed(website, key, None)
        if rule is not None:
            return _moved(*website_rules.redirect(rule, key, request.host))
        try:
            return await self._object(request, website_rules.index_key(key, website))
        except AwsError as error:
            return await self._failed(request, website, key, error)

    async def _website(self, name: str) -> dict[str, Any]:
        async def read(tx: Transaction) -> dict[str, Any]:
            bucket = await find_bucket(tx, name)
            if bucket is None:
                raise no_such_bucket(name)
            record = await tx.get(SETTINGS, bucket.key, b"website")
            if record is None:
                raise missing(
                    "NoSuchWebsiteConfiguration",
                    "The specified bucket does not have a website configuration",
                    bucket,
                )
            found: dict[str, Any] = unpack_document(record.value)
            return found

        return await self._store.transact(read)

    async def _get(self, request: WebRequest, key: str, conditional: bool) -> dict[str, Any]:
        params: dict[str, Any] = {"Bucket": request.id, "Key": key}
        if conditional:
            params |= _conditions(request.headers)
        region = self._operations.platform.settings.region
        context = RequestContext(self._nobody, region, request.request_id, request.now, "")
        if request.method == "HEAD":
            return await self._operations.head_object(context, params) or {}
        return await self._operations.get_object(context, params) or {}

    async def _object(
        self, request: WebRequest, key: str, status: int = 200, extra: tuple[str, str] | None = None
    ) -> WebAnswer:
        found = await self._get(request, key, conditional=status == 200)
        if "WebsiteRedirectLocation" in found and status == 200:
            return _moved(301, found["WebsiteRedirectLocation"])
        headers = [(shown, str(found[m])) for m, shown in _SHOWN.items() if m in found]
        headers.append(("Last-Modified", formatdate(found["LastModified"], usegmt=True)))
        headers += [(f"x-amz-meta-{n}", value) for n, value in found["Metadata"].items()]
        if extra is not None:
            headers.append(extra)
        body = found.get("Body", b"")
        if "Body" not in found:
            headers.append(("Content-Length", str(found["ContentLength"])))
        assert isinstance(body, bytes | StreamingResult)
        return WebAnswer(206 if "ContentRange" in found else status, headers, body)

    async def _failed(
        self, request: WebRequest, website: dict[str, Any], key: str, error: AwsError
    ) -> WebAnswer:
        status = error.status or 400
        if status == 304:
            return WebAnswer(304, list(error.headers.items()))
        if status == 404 and key and not key.endswith("/"):
            # A folder that was named without its slash.
            folder = website_rules.index_key(f"{key}/", website)
            try:
                await self._get(request, folder, conditional=False)
                return _moved(302, f"{request.path}/")
            except AwsError:
                pass
        rule = website_rules.routed(website, key, status)
        if rule is not None:
            return _moved(*website_rules.redirect(rule, key, request.host))
        page = website.get("ErrorDocument", {}).get("Key")
        if page is not None and status in (403, 404):
            try:
                told = ("x-amz-error-code", error.code)
                return await self._object(request, page, status, told)
            except AwsError:
                pass
        return _error(error, request.method != "HEAD")


def _conditions(headers: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {m: headers[h] for h, m in _TO_GET.items() if h in headers}
    for header, member in _DATES.items():
        # A date that is none counts for nothing (RFC 9110, 13.1.3).
        with suppress(ValueError):
            if header in headers:
                found[member] = parsedate_to_datetime(headers[header]).timestamp()
    return found


def _moved(status: int, location: str) -> WebAnswer:
    return WebAnswer(status, [("Location", location)])


def _error(error: AwsError, with_body: bool) -> WebAnswer:
    status = error.status or 400
    members = {"Code": error.code, "Message": error.message}
    members |= {name: str(value) for name, value in error.members.items()}
    title = f"{status} {HTTPStatus(status).phrase}"
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("x-amz-error-code", error.code),
        ("x-amz-error-message", error.message),
        *error.headers.items(),
    ]
    page = website_rules.error_page(title, members) if with_body else b""
    return WebAnswer(status, headers, page)
