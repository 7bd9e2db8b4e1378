"""The codecs of all services, made when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lambent.core.context import Params
from lambent.core.errors import AwsError
from lambent.protocol.additions import with_additions
from lambent.protocol.contract import OperationCodec, ServiceTraits, WireRequest, WireResponse
from lambent.protocol.conventions import Conventions, conventions
from lambent.protocol.json import JsonProtocol
from lambent.protocol.model import Metadata, ModelFiles, OperationModel, ServiceModel
from lambent.protocol.operation import CompiledOperation, Parse
from lambent.protocol.query import QueryProtocol
from lambent.protocol.rest_json import RestJsonProtocol
from lambent.protocol.rest_xml import RestXmlProtocol
from lambent.protocol.routes import Route, Router, Template
from lambent.protocol.rpc_cbor import CborProtocol, operation_in
from lambent.protocol.shapes import Shape
from lambent.protocol.sqs_query import with_query_names
from lambent.protocol.validate import compile_check, compile_presence


class WireProtocol(Protocol):
    """What one protocol does for a service."""

    def compile(self, operation: OperationModel) -> CompiledOperation: ...

    def error(self, error: AwsError, request_id: str) -> WireResponse: ...


CBOR = "smithy-rpc-v2-cbor"

PROTOCOLS: dict[str, Callable[[ServiceModel, Conventions], WireProtocol]] = {
    "json": JsonProtocol,
    "query": QueryProtocol,
    "rest-json": RestJsonProtocol,
    "rest-xml": RestXmlProtocol,
    CBOR: CborProtocol,
}

_REST = frozenset({"rest-json", "rest-xml"})


def traits(service: str, metadata: Metadata) -> ServiceTraits:
    """What identifies a service's requests, from the head of its model."""
    listed = metadata.protocols or [metadata.protocol]
    if conventions(service).query_xml_namespace and "query" not in listed:
        listed = [*listed, "query"]
    # CBOR is told by its path and header; what is left over is the preferred one.
    listed = sorted(listed, key=lambda name: name == CBOR)
    return ServiceTraits(
        name=service,
        signing_name=metadata.signing_name or metadata.endpoint_prefix,
        endpoint_prefix=metadata.endpoint_prefix,
        api_version=metadata.api_version,
        protocols=tuple(name for name in listed if name in PROTOCOLS),
        target_prefix=metadata.target_prefix,
        json_version=metadata.json_version,
        service_id=metadata.service_id,
    )


class Codec:
    """A `ServiceCodec`: one service in one protocol."""

    def __init__(self, service: ServiceTraits, protocol: str, model: ServiceModel) -> None:
        self._traits = service
        self._protocol = protocol
        self._model = model
        self._habits = conventions(service.name)
        self._wire = PROTOCOLS[protocol](model, self._habits)
        self._operations: dict[str, CompiledOperation] = {}
        self._router: Router | None = None

    @property
    def traits(self) -> ServiceTraits:
        return self._traits

    @property
    def protocol(self) -> str:
        return self._protocol

    def operation(self, name: str) -> OperationCodec | None:
        """The operation's codec, compiled at its first use."""
        found = self._operations.get(name)
        if found is None:
            model = self._model.operations.get(name)
            if model is None:
                return None
            found = self._operations[name] = self._compile(model)
        return found

    def _compile(self, operation: OperationModel) -> CompiledOperation:
        made = self._wire.compile(operation)
        habits, check = self._habits, None
        shape = Shape(self._model.shapes, operation.input)
        if habits.constraint_code is None:
            check = compile_presence(shape, habits.binding_code)
        else:
            check = compile_check(shape, habits.constraint_code, habits.own_checks)
        parse = _guarded(made.parse, check, habits)
        return CompiledOperation(made.name, made.streaming_input, parse, made.serialize)

    def route(self, request: WireRequest) -> OperationCodec | None:
        """The codec of the operation that a REST or RPC v2 request addresses."""
        if self._protocol == CBOR:
            named = operation_in(request.path)
            return None if named is None else self.operation(named)
        if self._router is None:
            self._router = Router(_routes(self._model) if self._protocol in _REST else ())
        name = self._router.find(request)
        return None if name is None else self.operation(name)

    def serialize_error(
        self, error: AwsError, request_id: str, operation: OperationCodec | None
    ) -> WireResponse:
        """An error in wire form."""
        return self._wire.error(error, request_id)


def _guarded(parse: Parse, check: Callable[[Params], None] | None, habits: Conventions) -> Parse:
    """Parses and checks; documents that nest beyond all measure are malformed."""

    def guarded(request: WireRequest) -> Params:
        try:
            params = parse(request)
            if check is not None:
                check(params)
        except RecursionError as error:
            message = habits.body_message or "The request nests too deep."
            raise AwsError(habits.body_code, message, 400) from error
        return params

    return guarded


def _routes(model: ServiceModel) -> list[Route]:
    templates: dict[str, Template] = {}
    routes = []
    for operation in model.operations.values():
        uri = operation.http.request_uri
        shape = Shape(model.shapes, operation.input)
        needed = [(name, shape.members[name]) for name in shape.model.required]
        routes.append(
            Route(
                operation.name,
                operation.http.method,
                templates.setdefault(uri, Template.parse(uri)),
                tuple(m.wire_name or n for n, m in needed if m.location == "querystring"),
                tuple((m.wire_name or n).lower() for n, m in needed if m.location == "header"),
                bool(operation.deprecated),
            )
        )
    return routes


class Catalog:
    """All services that botocore knows, by its names for them ("sqs", "lambda")."""

    def __init__(self, files: ModelFiles | None = None) -> None:
        self._files = files or ModelFiles()
        self._traits: dict[str, ServiceTraits] = {}
        self._models: dict[str, ServiceModel] = {}
        self._codecs: dict[tuple[str, str], Codec] = {}

    def traits(self, name: str) -> ServiceTraits:
        """What identifies a service's requests, cheaply; KeyError when it is unknown."""
        found = self._traits.get(name)
        if found is None:
            found = self._traits[name] = traits(name, self._files.metadata(name))
        return found

    def service(self, name: str, protocol: str | None = None) -> Codec:
        """A service's codec in one of its protocols, by default its preferred one.

        KeyError when the service is unknown or does not speak the protocol.
        """
        service = self.traits(name)
        chosen = protocol or next(iter(service.protocols), "")
        found = self._codecs.get((name, chosen))
        if found is None:
            if chosen not in service.protocols:
                raise KeyError(f"{name} is not spoken in {chosen or 'any protocol of ours'}")
            model = self._models.get(name)
            if model is None:
                model = with_additions(name, self._files.load(name))
                self._models[name] = model
            if chosen == "query" and name == "sqs":
                model = with_query_names(model)
            found = self._codecs[name, chosen] = Codec(service, chosen, model)
        return found
