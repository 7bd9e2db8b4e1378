"""A bucket of a node of our own, for what keeps its bytes in S3-compatible stores."""

from __future__ import annotations

import functools
import itertools
import os
from urllib.parse import quote

import botocore.session
from tests.support.nodes import ThreadNode

from lambent.core.settings import Settings

ACCOUNT = "123456789012"
_numbers = itertools.count(1)


@functools.cache
def _node() -> ThreadNode:
    return ThreadNode(Settings(None, port=0, sandbox="off")).start()


def client() -> object:
    """A boto3 client of the node's S3."""
    return botocore.session.Session().create_client(
        "s3",
        endpoint_url=_node().endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="secret",
    )


def url() -> str:
    """A new bucket, with credentials that the node takes."""
    name = f"blobs-{os.getpid()}-{next(_numbers)}"
    client().create_bucket(Bucket=name)  # type: ignore[attr-defined]
    keys = f"access_key_id={ACCOUNT}&secret_access_key=secret"
    return f"s3://{name}/some/prefix?endpoint={quote(_node().endpoint)}&{keys}"
