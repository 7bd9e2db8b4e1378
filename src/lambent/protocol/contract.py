"""What the gateway and the codecs say to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from lambent.core.context import Params, Result
from lambent.core.errors import AwsError
from lambent.core.streams import Body, StreamingResult


class WireRequest(msgspec.Struct, frozen=True):
    """A request as it came, made ready by the gateway.

    `path` is still percent-encoded, without the query; S3's virtual-host form has been
    turned into path style already. `query` is the raw query string. Header names are in
    lower case. `body` is bytes, or a stream for operations with a streaming input.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes | Body


class WireResponse(msgspec.Struct, frozen=True):
    """A response, complete but for what the server adds (Date, Content-Length of bytes)."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes | StreamingResult = b""


@dataclass(frozen=True, slots=True)
class ServiceTraits:
    """What identifies a service's requests.

    `name` is botocore's name of the service. `protocols` are those it speaks, the preferred
    one first: "json", "query", "rest-json", "rest-xml", "smithy-rpc-v2-cbor".
    `target_prefix` stands before the dot in X-Amz-Target. `signing_name` is the service in
    a signature's credential scope. `service_id` is the path segment of RPC v2 CBOR.
    """

    name: str
    signing_name: str
    endpoint_prefix: str
    api_version: str
    protocols: tuple[str, ...]
    target_prefix: str | None
    json_version: str | None
    service_id: str


class OperationCodec(Protocol):
    """One operation's wire form."""

    @property
    def name(self) -> str:
        """The operation's name in the model: "SendMessage"."""
        ...

    @property
    def streaming_input(self) -> bool:
        """Whether `parse` takes the body as a stream."""
        ...

    def parse(self, request: WireRequest) -> Params:
        """The validated parameters. AwsError when the request is malformed or breaks the
        model's constraints, with the code and message that the service gives."""
        ...

    def serialize(self, result: Result, request_id: str) -> WireResponse:
        """The success response."""
        ...


class ServiceCodec(Protocol):
    """One service's wire form in one protocol."""

    @property
    def traits(self) -> ServiceTraits:
        """What identifies the service's requests."""
        ...

    @property
    def protocol(self) -> str:
        """The protocol that this codec speaks, named as in `ServiceTraits.protocols`."""
        ...

    def operation(self, name: str) -> OperationCodec | None:
        """The codec of the operation of that name, for target-header and query protocols."""
        ...

    def route(self, request: WireRequest) -> OperationCodec | None:
        """The codec of the operation that method, path and query address (REST protocols)."""
        ...

    def serialize_error(
        self, error: AwsError, request_id: str, operation: OperationCodec | None
    ) -> WireResponse:
        """An error in the service's wire form. The status is the error's own, else the
        model's for its shape, else 400."""
        ...
