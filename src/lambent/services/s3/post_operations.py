"""PostObject: uploads from a browser's form.

A form carries its own credentials and policy. Where signatures are not verified (local
mode) the access key names the account, as it does in a header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode
from xml.sax.saxutils import unescape

import msgspec

from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.services.s3 import bodies, checksums
from lambent.services.s3.access import open_bucket
from lambent.services.s3.errors import access_denied, invalid_argument
from lambent.services.s3.forms import Form, form_boundary
from lambent.services.s3.names import key_bytes
from lambent.services.s3.notification_operations import NotificationOperations
from lambent.services.s3.object_operations import written
from lambent.services.s3.post_policy import check_policy
from lambent.services.s3.tagging import as_tag_set, tag_set
from lambent.store.contract import Transaction

_MEMBERS: Final = {
    "acl": "ACL",
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-type": "ContentType",
    "x-amz-storage-class": "StorageClass",
    "x-amz-website-redirect-location": "WebsiteRedirectLocation",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "x-amz-server-side-encryption-customer-algorithm": "SSECustomerAlgorithm",
    "x-amz-server-side-encryption-customer-key": "SSECustomerKey",
    "x-amz-server-side-encryption-customer-key-md5": "SSECustomerKeyMD5",
    **{header: checksums.MEMBERS[name] for name, header in checksums.HEADERS.items()},
}
_TAG = re.compile(r"<Tag>\s*<Key>(.*?)</Key>\s*<Value>(.*?)</Value>\s*</Tag>", re.DOTALL)


def form_params(form: Form, bucket: str) -> Params:
    """A form's fields as PutObject's members."""
    fields = form.fields
    if "key" not in fields:
        raise invalid_argument(
            "Bucket POST must contain a field named 'key'.  If it is specified, please check "
            "the order of the fields.",
            "key",
            "",
        )
    key = fields["key"].replace("${filename}", form.filename)
    if not key:
        raise invalid_argument("User key must have a length greater than 0.", "key", "")
    params: Params = {"Bucket": bucket, "Key": key}
    for field, member in _MEMBERS.items():
        if field in fields:
            params[member] = fields[field]
    metadata = {
        name.removeprefix("x-amz-meta-"): value
        for name, value in fields.items()
        if name.startswith("x-amz-meta-")
    }
    if metadata:
        params["Metadata"] = metadata
    if "tagging" in fields:
        entries = [
            {"Key": unescape(k), "Value": unescape(v)} for k, v in _TAG.findall(fields["tagging"])
        ]
        tags = as_tag_set(tag_set({"TagSet": entries}, 10))
        params["Tagging"] = urlencode([(tag["Key"], tag["Value"]) for tag in tags])
    return params


def _access_key(fields: Mapping[str, str]) -> str:
    credential = fields.get("x-amz-credential", "")
    return credential.partition("/")[0] or fields.get("awsaccesskeyid", "")


def _need_signature(fields: Mapping[str, str]) -> None:
    needed: tuple[str, ...]
    if "x-amz-algorithm" in fields or "x-amz-credential" in fields:
        needed = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature")
    else:
        needed = ("AWSAccessKeyId", "Signature")
    for name in needed:
        if name.lower() not in fields:
            raise invalid_argument(
                f"Bucket POST must contain a field named '{name}'.  If it is specified, please "
                "check the order of the fields.",
                name,
                "",
            )


class PostOperations(NotificationOperations):
    """The form's file becomes an object."""

    async def post_object(self, context: RequestContext, params: Params) -> Result:
        form = Form(params["Body"], form_boundary(params.get("ContentType", "")))
        await form.read_fields()
        fields = form.fields
        context = self._as_caller(context, fields)
        wanted = form_params(form, params["Bucket"])
        checked = {**fields, "key": wanted["Key"]}
        limit, least = bodies.PUT_LIMIT, 0
        if "policy" in fields:
            _need_signature(fields)
            size = check_policy(fields["policy"], checked, params["Bucket"], context.now)
            least, limit = size or (0, bodies.PUT_LIMIT)
        key_bytes(wanted["Key"])
        given = checksums.given(wanted)
        algorithm, value = given or (checksums.DEFAULT, None)

        async def precheck(tx: Transaction) -> None:
            bucket = await open_bucket(tx, context, wanted, "s3:PutObject")
            await self.admit_details(tx, context, bucket, wanted)

        await self.store.transact(precheck)
        received = await bodies.receive(
            self.store.blobs,
            form,
            algorithm=algorithm,
            checksum=value,
            md5=bodies.expected_md5(fields.get("content-md5")),
            limit=limit,
        )
        if received.size < least:
            raise AwsError(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                400,
                {"ProposedSize": received.size, "MinSizeAllowed": least},
            )

        async def store(tx: Transaction) -> dict[str, Any]:
            bucket = await open_bucket(tx, context, wanted, "s3:PutObject")
            about = await self.admit_details(tx, context, bucket, wanted)
            version = await self.link(tx, bucket, wanted["Key"], received, about)
            await self.emit(tx, context, bucket, "s3:ObjectCreated:Post", wanted["Key"], version)
            return written(bucket, version)

        done = await self.store.transact(store)
        return self._answer(context, fields, wanted, done)

    def _as_caller(self, context: RequestContext, fields: Mapping[str, str]) -> RequestContext:
        if self.platform.settings.auth:
            # The form's signature is not verified here, so it proves nothing.
            if _access_key(fields) and not context.access_key:
                raise access_denied()
            return context
        key = _access_key(fields)
        if re.fullmatch(r"\d{12}", key):
            return msgspec.structs.replace(context, account=key, access_key=key)
        return context

    def _answer(
        self,
        context: RequestContext,
        fields: Mapping[str, str],
        wanted: Params,
        done: dict[str, Any],
    ) -> dict[str, Any]:
        bucket, key, etag = wanted["Bucket"], wanted["Key"], done["ETag"]
        place = f"{context.endpoint}/{bucket}/{quote(key, errors='surrogatepass')}"
        result: dict[str, Any] = {"ETag": etag, "Location": place, "Status": 204}
        for member in ("VersionId", "ServerSideEncryption"):
            if member in done:
                result[member] = done[member]
        redirect = fields.get("success_action_redirect", fields.get("redirect", ""))
        if redirect.startswith(("http://", "https://")):
            joint = "&" if "?" in redirect else "?"
            query = urlencode({"bucket": bucket, "key": key, "etag": etag})
            return {**result, "Status": 303, "Location": f"{redirect}{joint}{query}"}
        status = fields.get("success_action_status", "")
        if status == "200":
            result["Status"] = 200
        elif status == "201":
            result["Status"] = 201
            result["PostResponse"] = {
                "Location": place,
                "Bucket": bucket,
                "Key": key,
                "ETag": etag,
            }
        return result
