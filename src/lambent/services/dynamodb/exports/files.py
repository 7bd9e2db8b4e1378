"""The files of an export: data in DynamoDB's JSON, and the manifests that name them.

Source: Amazon DynamoDB Developer Guide, "DynamoDB table export output format".
"""

from __future__ import annotations

import gzip
import json
from base64 import b32encode, b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import md5, sha256
from typing import Any

from lambent.services.dynamodb.exports.model import Export
from lambent.services.dynamodb.values import AttributeValue, Item


def data_file(items: Iterable[Item]) -> bytes:
    """Items as lines of JSON, compressed."""
    lines = [json.dumps({"Item": _map(item)}, separators=(",", ":")) + "\n" for item in items]
    return gzip.compress("".join(lines).encode(), mtime=0)


def _map(members: Mapping[str, AttributeValue]) -> dict[str, Any]:
    return {name: _value(value) for name, value in members.items()}


def _value(value: AttributeValue) -> dict[str, Any]:
    for kind, content in value.items():
        if kind == "B":
            return {kind: b64encode(content).decode()}
        if kind == "BS":
            return {kind: [b64encode(member).decode() for member in content]}
        if kind == "M":
            return {kind: _map(content)}
        if kind == "L":
            return {kind: [_value(element) for element in content]}
    return value


def data_key(export: Export, number: int) -> str:
    """The key of the export's `number`th data file: always the same, for all its looks."""
    digest = sha256(f"{export.arn}/{number}".encode()).digest()
    return f"{export.folder}/data/{b32encode(digest)[:26].decode().lower()}.json.gz"


def checksum(content: bytes) -> str:
    """The MD5 of a file as manifests show it."""
    return b64encode(md5(content, usedforsecurity=False).digest()).decode()


def files_manifest(files: Iterable[tuple[str, bytes, int]]) -> bytes:
    """manifest-files.json: a line for each data file, given its key, MD5 digest and items."""
    return b"".join(
        json.dumps(
            {
                "itemCount": count,
                "md5Checksum": b64encode(digest).decode(),
                "etag": digest.hex(),
                "dataFileS3Key": key,
            },
            separators=(",", ":"),
        ).encode()
        + b"\n"
        for key, digest, count in files
    )


def summary(export: Export, ended: float, count: int, size: int) -> bytes:
    """manifest-summary.json."""
    request = export.request
    return json.dumps(
        {
            "version": "2020-06-30",
            "exportArn": export.arn,
            "startTime": _moment(export.started),
            "endTime": _moment(ended),
            "tableArn": export.table.arn,
            "tableId": export.table.id,
            "exportTime": _moment(export.time),
            "s3Bucket": request["S3Bucket"],
            "s3Prefix": request.get("S3Prefix"),
            "s3SseAlgorithm": request.get("S3SseAlgorithm") or "AES256",
            "s3SseKmsKeyId": request.get("S3SseKmsKeyId"),
            "manifestFilesS3Key": f"{export.folder}/manifest-files.json",
            "billedSizeBytes": size,
            "itemCount": count,
            "outputFormat": "DYNAMODB_JSON",
            "exportType": "FULL_EXPORT",
        },
        separators=(",", ":"),
    ).encode()


def _moment(time: float) -> str:
    shown = datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")
    return shown.replace("+00:00", "Z")
