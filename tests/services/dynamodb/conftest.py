"""Tables for tests, and a short form of "this call is refused with that"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Refused = Callable[..., str]


@pytest.fixture
def ddb(client: Callable[..., Any]) -> Any:
    """A boto3 client that leaves validation to the node."""
    return client("dynamodb", parameter_validation=False)


@pytest.fixture
def make(ddb: Any) -> Callable[..., str]:
    """`make("tbl", "pk:S", "sk:N", gsi={"by_g": ("g:S", "sk:N", "ALL")}, lsi=…, **more)`."""

    def create(
        name: str,
        *key: str,
        gsi: dict[str, tuple[Any, ...]] | None = None,
        lsi: dict[str, tuple[Any, ...]] | None = None,
        **more: Any,
    ) -> str:
        types: dict[str, str] = {}

        def schema(parts: tuple[str, ...]) -> list[dict[str, str]]:
            elements = []
            for part, kind in zip(parts, ("HASH", "RANGE"), strict=False):
                attribute, _, attribute_type = part.partition(":")
                types[attribute] = attribute_type
                elements.append({"AttributeName": attribute, "KeyType": kind})
            return elements

        def index(index_name: str, parts: tuple[Any, ...]) -> dict[str, Any]:
            *index_key, projection = parts
            given = (
                {"ProjectionType": projection}
                if isinstance(projection, str)
                else {"ProjectionType": "INCLUDE", "NonKeyAttributes": projection}
            )
            return {
                "IndexName": index_name,
                "KeySchema": schema(tuple(index_key)),
                "Projection": given,
            }

        params: dict[str, Any] = {"TableName": name, "KeySchema": schema(key)}
        if gsi:
            params["GlobalSecondaryIndexes"] = [index(*each) for each in gsi.items()]
        if lsi:
            params["LocalSecondaryIndexes"] = [index(*each) for each in lsi.items()]
        params["AttributeDefinitions"] = [
            {"AttributeName": attribute, "AttributeType": kind} for attribute, kind in types.items()
        ]
        ddb.create_table(**{"BillingMode": "PAY_PER_REQUEST", **params, **more})
        return name

    return create


@pytest.fixture
def refused() -> Refused:
    """`refused(call, code="ValidationException", **params)`: the error's message."""

    def check(call: Callable[..., Any], code: str = "ValidationException", **params: Any) -> str:
        with pytest.raises(ClientError) as caught:
            call(**params)
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        return str(caught.value.response["Error"]["Message"])

    return check
