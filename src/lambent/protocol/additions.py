"""What AWS serves but botocore does not model, in the models' own form.

Browsers send what SDKs never do: S3's form uploads and the CORS preflight. And statuses of S3
that no model tells: 204 of two operations, 202 of a restore that begins.
Source: Amazon S3 API Reference, "POST Object" and "OPTIONS object".
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lambent.protocol.model import OperationModel, ServiceModel, ShapeModel

_STRING: Final = {"shape": "AddedString"}


def _header(name: str) -> dict[str, Any]:
    return {**_STRING, "location": "header", "locationName": name}


def _label(name: str) -> dict[str, Any]:
    return {**_STRING, "location": "uri", "locationName": name}


_PREFLIGHT: Final = {
    "Origin": _header("Origin"),
    "AccessControlRequestMethod": _header("Access-Control-Request-Method"),
    "AccessControlRequestHeaders": _header("Access-Control-Request-Headers"),
}

_S3_SHAPES: Final[dict[str, Any]] = {
    "AddedString": {"type": "string"},
    "AddedStatus": {"type": "integer"},
    "AddedBody": {"type": "blob", "streaming": True},
    "PostObjectRequest": {
        "type": "structure",
        "required": ["Bucket"],
        "payload": "Body",
        "members": {
            "Bucket": _label("Bucket"),
            "ContentType": _header("Content-Type"),
            "Body": {"shape": "AddedBody", "streaming": True},
        },
    },
    "PostResponse": {
        "type": "structure",
        "members": {"Location": _STRING, "Bucket": _STRING, "Key": _STRING, "ETag": _STRING},
    },
    "PostObjectOutput": {
        "type": "structure",
        "payload": "PostResponse",
        "members": {
            "Status": {"shape": "AddedStatus", "location": "statusCode"},
            "Location": _header("Location"),
            "ETag": _header("ETag"),
            "VersionId": _header("x-amz-version-id"),
            "ServerSideEncryption": _header("x-amz-server-side-encryption"),
            "PostResponse": {"shape": "PostResponse"},
        },
    },
    "RestoreObjectOutput": {
        "type": "structure",
        "members": {
            "Status": {"shape": "AddedStatus", "location": "statusCode"},
            "RequestCharged": _header("x-amz-request-charged"),
            "RestoreOutputPath": _header("x-amz-restore-output-path"),
        },
    },
    "PreflightBucketRequest": {
        "type": "structure",
        "required": ["Bucket"],
        "members": {"Bucket": _label("Bucket"), **_PREFLIGHT},
    },
    "PreflightObjectRequest": {
        "type": "structure",
        "required": ["Bucket", "Key"],
        "members": {"Bucket": _label("Bucket"), "Key": _label("Key"), **_PREFLIGHT},
    },
    "PreflightOutput": {
        "type": "structure",
        "members": {
            "AllowOrigin": _header("Access-Control-Allow-Origin"),
            "AllowMethods": _header("Access-Control-Allow-Methods"),
            "AllowHeaders": _header("Access-Control-Allow-Headers"),
            "ExposeHeaders": _header("Access-Control-Expose-Headers"),
            "MaxAge": _header("Access-Control-Max-Age"),
            "AllowCredentials": _header("Access-Control-Allow-Credentials"),
            "Vary": _header("Vary"),
        },
    },
}


def _operation(name: str, method: str, uri: str, output: str) -> dict[str, Any]:
    return {
        "name": name,
        "http": {"method": method, "requestUri": uri},
        "input": {"shape": f"{name}Request"},
        "output": {"shape": output},
    }


_S3_OPERATIONS: Final = (
    _operation("PostObject", "POST", "/{Bucket}", "PostObjectOutput"),
    _operation("PreflightBucket", "OPTIONS", "/{Bucket}", "PreflightOutput"),
    _operation("PreflightObject", "OPTIONS", "/{Bucket}/{Key+}", "PreflightOutput"),
)


_S3_WITHOUT_CONTENT: Final = ("PutBucketPolicy", "PutBucketTagging")


def with_additions(service: str, model: ServiceModel) -> ServiceModel:
    """The model, with what it lacks."""
    if service != "s3":
        return model
    operations = {entry["name"]: msgspec.convert(entry, OperationModel) for entry in _S3_OPERATIONS}
    for name in _S3_WITHOUT_CONTENT:
        known = model.operations[name]
        http = msgspec.structs.replace(known.http, response_code=204)
        operations[name] = msgspec.structs.replace(known, http=http)
    shapes = msgspec.convert(_S3_SHAPES, dict[str, ShapeModel])
    return msgspec.structs.replace(
        model, operations=model.operations | operations, shapes=model.shapes | shapes
    )
