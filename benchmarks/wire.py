"""Raw requests with the headers of an SDK. The signature is not one: no system checks it."""

from __future__ import annotations

import json
import time
from hashlib import sha256
from typing import Any

from benchmarks.systems import ACCOUNT, REGION


def json_call(service: str, target: str, version: str, body: dict[str, Any]) -> bytes:
    """An AWS JSON request."""
    headers = {"Content-Type": f"application/x-amz-json-{version}", "X-Amz-Target": target}
    return _request("POST", "/", service, headers, json.dumps(body).encode())


def sqs(operation: str, **body: Any) -> bytes:
    return json_call("sqs", f"AmazonSQS.{operation}", "1.0", body)


def dynamodb(operation: str, **body: Any) -> bytes:
    return json_call("dynamodb", f"DynamoDB_20120810.{operation}", "1.0", body)


def s3(method: str, path: str, body: bytes = b"") -> bytes:
    return _request(method, path, "s3", {"X-Amz-Content-SHA256": sha256(body).hexdigest()}, body)


def invoke(function: str, payload: bytes) -> bytes:
    return _request("POST", f"/2015-03-31/functions/{function}/invocations", "lambda", {}, payload)


def _request(method: str, path: str, service: str, headers: dict[str, str], body: bytes) -> bytes:
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    signed = ";".join(sorted(["host", "x-amz-date", *(name.lower() for name in headers)]))
    everything = {
        "Host": "127.0.0.1",
        "User-Agent": "Boto3/1.44 md/Botocore#1.44 ua/2.1 os/linux lang/python",
        **headers,
        "X-Amz-Date": now,
        "Authorization": (
            f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/{now[:8]}/{REGION}/{service}/aws4_request, "
            f"SignedHeaders={signed}, Signature={sha256(body).hexdigest()}"
        ),
        "amz-sdk-invocation-id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "amz-sdk-request": "attempt=1",
        "Content-Length": str(len(body)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in everything.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body
