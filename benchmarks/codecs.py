"""What a codec costs: microseconds per parse and per serialise of four operations.

    python benchmarks/codecs.py

Each figure is the best of five runs, on one core.
"""

from __future__ import annotations

import resource
import time
import timeit
from typing import Any

from lambent.protocol.catalog import Catalog
from lambent.protocol.contract import OperationCodec, WireRequest

_ITEM = {"pk": {"S": "user#1"}, "sk": {"S": "order#2"}, "n": {"N": "12"}, "tags": {"SS": ["a"]}}
_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"

CASES: dict[str, tuple[str, str, WireRequest, dict[str, Any]]] = {
    "SendMessage (json)": (
        "sqs",
        "json",
        WireRequest(
            "POST",
            "/",
            "",
            {},
            b'{"QueueUrl":"http://localhost:4566/000000000000/orders","MessageBody":"hello"}',
        ),
        {"MessageId": _ID, "MD5OfMessageBody": "5d41402abc4b2a76b9719d911017c592"},
    ),
    "SendMessage (query)": (
        "sqs",
        "query",
        WireRequest(
            "POST",
            "/",
            "",
            {},
            b"Action=SendMessage&Version=2012-11-05&MessageBody=hello"
            b"&QueueUrl=http%3A%2F%2Flocalhost%3A4566%2F000000000000%2Forders",
        ),
        {"MessageId": _ID, "MD5OfMessageBody": "5d41402abc4b2a76b9719d911017c592"},
    ),
    "GetItem": (
        "dynamodb",
        "json",
        WireRequest(
            "POST",
            "/",
            "",
            {},
            b'{"TableName":"orders","Key":{"pk":{"S":"user#1"},"sk":{"S":"order#2"}}}',
        ),
        {"Item": _ITEM},
    ),
    "PutObject": (
        "s3",
        "rest-xml",
        WireRequest(
            "PUT",
            "/photos/2024/05/a%20cat.jpg",
            "",
            {
                "content-type": "image/jpeg",
                "content-length": "4096",
                "x-amz-meta-owner": "me",
                "host": "localhost:4566",
                "user-agent": "Boto3/1.44",
            },
            b"",
        ),
        {"ETag": '"5d41402abc4b2a76b9719d911017c592"', "ServerSideEncryption": "AES256"},
    ),
    "Invoke": (
        "lambda",
        "rest-json",
        WireRequest(
            "POST",
            "/2015-03-31/functions/thumbnails/invocations",
            "",
            {"x-amz-log-type": "Tail", "host": "localhost:4566"},
            b'{"key":"value"}',
        ),
        {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": b'{"ok":true}'},
    ),
}


def _microseconds(call: Any) -> float:
    timer = timeit.Timer(call)
    count, _ = timer.autorange()
    return min(timer.repeat(5, count)) / count * 1e6


def main() -> None:
    """Print a row per operation."""
    catalog = Catalog()
    print(
        f"{'operation':<22}{'first use ms':>14}{'route µs':>10}{'parse µs':>10}{'serialise µs':>14}"
    )
    for title, (service, protocol, request, result) in CASES.items():
        begun = time.perf_counter()
        codec = catalog.service(service, protocol)
        found = codec.route(request)
        operation: OperationCodec | None = found or codec.operation(title.split()[0])
        assert operation is not None
        operation.parse(request)
        operation.serialize(result, _ID)
        first = (time.perf_counter() - begun) * 1e3
        route = f"{_microseconds(lambda c=codec, r=request: c.route(r)):.1f}" if found else "-"
        parse = _microseconds(lambda o=operation, r=request: o.parse(r))
        serialise = _microseconds(lambda o=operation, r=result: o.serialize(r, _ID))
        print(f"{title:<22}{first:>14.1f}{route:>10}{parse:>10.1f}{serialise:>14.1f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
