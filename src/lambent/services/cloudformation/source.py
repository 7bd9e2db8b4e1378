"""Where a template's text comes from: the request, or an object in S3."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from lambent.core.context import Params, RequestContext
from lambent.core.errors import AwsError
from lambent.core.registry import Registry
from lambent.services.cloudformation.template import BODY_LIMIT, URL_LIMIT, invalid


async def body_of(
    registry: Registry, context: RequestContext, params: Params, member: str = "Template"
) -> str | None:
    """The text under `TemplateBody` or `TemplateURL`; None when neither is given."""
    body, url = params.get(f"{member}Body"), params.get(f"{member}URL")
    if body is not None and url is not None:
        raise invalid(f"You cannot specify both {member}Body and {member}URL")
    if body is not None:
        if len(body.encode()) > BODY_LIMIT and member == "Template":
            raise invalid(
                f"1 validation error detected: Value '{body[:100]}' at 'templateBody' failed to "
                f"satisfy constraint: Member must have length less than or equal to {BODY_LIMIT}"
            )
        return str(body)
    return None if url is None else await download(registry, context, url)


async def policy_of(
    registry: Registry, context: RequestContext, params: Params, member: str = "StackPolicy"
) -> str | None:
    """The stack policy that a request gives, if any; it must be a JSON object."""
    policy = await body_of(registry, context, params, member)
    if policy is not None:
        try:
            held = isinstance(json.loads(policy), dict)
        except ValueError:
            held = False
        if not held:
            raise invalid("Error validating stack policy: Invalid stack policy")
    return policy


def s3_location(url: str) -> tuple[str, str, str | None]:
    """(bucket, key, version) of an S3 URL, in path style or virtual-host style."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", unquote(parts.path).lstrip("/")
    if parts.scheme == "s3":
        return host, path, None
    if parts.scheme not in ("http", "https") or not host:
        raise invalid("TemplateURL must be a supported URL.")
    version = parse_qs(parts.query).get("versionId", [None])[0]
    labels = host.split(".")
    service = next((i for i, label in enumerate(labels) if label.startswith("s3")), None)
    if host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        if service is None:
            raise invalid("TemplateURL must reference a valid S3 object to which you have access.")
        bucket = ".".join(labels[:service])
    elif service is not None:
        bucket = ".".join(labels[:service])
    else:
        bucket = host.removesuffix(".localhost") if host.endswith(".localhost") else ""
    if bucket:
        key = path
    else:
        bucket, _, key = path.partition("/")
    if not bucket or not key:
        raise invalid("TemplateURL must reference a valid S3 object to which you have access.")
    return bucket, key, version


async def download(registry: Registry, context: RequestContext, url: str) -> str:
    """The text of the object at an S3 URL; AwsError ValidationError when there is none."""
    bucket, key, version = s3_location(url)
    params: dict[str, Any] = {"Bucket": bucket, "Key": key}
    if version:
        params["VersionId"] = version
    try:
        answer: dict[str, Any] = await registry.call(context, "s3", "GetObject", params)
    except AwsError as error:
        raise invalid(
            f"S3 error: {error.message}\nFor more information check "
            "http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"
        ) from None
    chunks: AsyncIterator[bytes] | bytes = getattr(answer["Body"], "chunks", answer["Body"])
    if isinstance(chunks, bytes):
        data = chunks
    else:
        data = b""
        async for chunk in chunks:
            data += chunk
            if len(data) > URL_LIMIT:
                break
    if len(data) > URL_LIMIT:
        raise invalid(f"Template may not exceed {URL_LIMIT} bytes in size.")
    return data.decode("utf-8", errors="replace")
