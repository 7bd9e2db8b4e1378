"""Custom resources: what a function of the template's author makes, and answers for.

Source: AWS CloudFormation User Guide, "Custom resource request and response reference".
A request is an asynchronous invocation; the answer is a letter (see `mail`). Both outlast the
node: a step that is taken up again finds its box, and asks again only if it is not on record
that the function has been told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambent.core.arns import Arn
from lambent.core.errors import AwsError
from lambent.core.resources import Created, LeftBehind, Properties, ResourceRequest
from lambent.services.cloudformation.intrinsics import ORIGIN, text
from lambent.services.cloudformation.mail import Box, Mail, url
from lambent.services.contract import Platform

_HOUR = 3600
_ANSWER_BYTES = 4096
_ID_BYTES = 1024
_URL_SECONDS = 2 * _HOUR
_INVALID_SERVICE = "Invalid service token."
_MASK = "*****"
NO_ECHO = "\0NoEcho"
"""The attribute by which a resource remembers that its data are secret."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said, as far as it holds. `problem` is the reason of a failure."""

    problem: str | None
    physical_id: str
    data: Mapping[str, Any]
    no_echo: bool


def plain(value: Any) -> Any:
    """Properties as providers get them: every scalar is text."""
    if isinstance(value, Mapping):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return text(value)


def masked(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """A resource's attributes as histories may show them."""
    if not attributes.get(NO_ECHO):
        return attributes
    return dict.fromkeys(attributes, _MASK)


def read_answer(letter: str, box: Box, request_type: str, logical_id: str) -> Answer:
    """Judge a provider's letter."""

    def failed(reason: str) -> Answer:
        return Answer(reason, "", {}, False)

    if len(letter.encode()) > _ANSWER_BYTES:
        return failed("Response object is too long.")
    try:
        said = json.loads(letter)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return failed("Invalid Json in response object.")
    status = said.get("Status")
    if status not in ("SUCCESS", "FAILED"):
        return failed("Invalid response status. Valid values: SUCCESS, FAILED")
    expected = {
        "StackId": box.stack_id,
        "RequestId": box.request_id,
        "LogicalResourceId": logical_id,
    }
    for name, value in expected.items():
        if said.get(name) != value:
            return failed(f"Invalid {name} in response object.")
    physical = said.get("PhysicalResourceId")
    physical = physical if isinstance(physical, str) else ""
    if request_type != "Delete" and (not physical or len(physical.encode()) > _ID_BYTES):
        return failed("Invalid PhysicalResourceId")
    if status == "FAILED":
        reason = said.get("Reason")
        if not isinstance(reason, str) or not reason:
            return failed("Vendor response doesn't contain a Reason for its failure.")
        return Answer(
            f"Received response status [FAILED] from custom resource. Message returned: {reason} "
            f"(RequestId: {box.request_id})",
            physical,
            {},
            False,
        )
    data = said.get("Data") or {}
    if not isinstance(data, dict):
        return failed("Invalid Data in response object.")
    no_echo = text(said.get("NoEcho", False)).lower() == "true"
    return Answer(None, physical, data, no_echo)


def timeout_of(properties: Properties) -> int:
    """Seconds that a provider has; AwsError when ServiceTimeout is no number from 1 to 3600."""
    given = properties.get("ServiceTimeout", _HOUR)
    try:
        seconds = int(text(given))
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= _HOUR:
        raise LeftBehind("ServiceTimeout property value must be between 1 and 3600 seconds.")
    return seconds


class CustomResource:
    """AWS::CloudFormation::CustomResource and Custom::*. Its attributes are the answer's Data."""

    awaited = True
    properties = frozenset({"ServiceToken", "ServiceTimeout"})
    required = frozenset({"ServiceToken"})
    replaces: frozenset[str] = frozenset()

    def __init__(self, platform: Platform, mail: Mail) -> None:
        self._platform = platform
        self._mail = mail

    def refuses(self, old: Properties, new: Properties) -> str | None:
        """A resource stays with its provider."""
        same = text(old.get("ServiceToken")) == text(new.get("ServiceToken"))
        return None if same else "Modifying service token is not allowed."

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        try:
            box, answer = await self._ask(request, "Create", "", properties, {})
        except AwsError as error:
            # Nobody was asked, so there is nothing to delete.
            raise LeftBehind(error.message) from None
        if answer.problem is not None:
            # What the provider may have begun is deleted by its id, or by the name it was given.
            await self._mail.close(box)
            raise LeftBehind(answer.problem, answer.physical_id or request.default_name)
        return _created(request, box, answer)

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        more = {"OldResourceProperties": plain(old)}
        box, answer = await self._ask(request, "Update", physical_id, new, more)
        if answer.problem is not None:
            await self._mail.close(box)
            raise LeftBehind(answer.problem)
        return _created(request, box, answer)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        box, answer = await self._ask(request, "Delete", physical_id, properties, {})
        await self._mail.close(box)
        if answer.problem is not None:
            raise LeftBehind(answer.problem)

    async def _ask(
        self,
        request: ResourceRequest,
        request_type: str,
        physical_id: str,
        properties: Properties,
        more: dict[str, Any],
    ) -> tuple[Box, Answer]:
        seconds = timeout_of(properties)
        token = _function(text(properties.get("ServiceToken")), request.context.region)
        purpose = f"answer\0{request.step}\0{request_type}\0{request.logical_id}\0{physical_id}"
        box = await self._mail.open(request.stack_id, purpose, _URL_SECONDS)
        if not box.told:
            event: dict[str, Any] = {
                "RequestType": request_type,
                "ServiceToken": token,
                "ResponseURL": url(request.context, box, request.logical_id),
                "StackId": request.stack_id,
                "RequestId": box.request_id,
                "LogicalResourceId": request.logical_id,
                **({"PhysicalResourceId": physical_id} if physical_id else {}),
                "ResourceType": request.kind,
                "ResourceProperties": plain(properties),
                **more,
            }
            await self._invoke(request, token, event)
            await self._mail.told(box)
        until = box.made + seconds
        heard = await self._mail.wait(box.token, until, lambda found: bool(found.letters))
        if heard is not None and heard.letters:
            letter = heard.letters[0]
            return box, read_answer(letter, box, request_type, request.logical_id)
        return box, Answer(
            "CloudFormation did not receive a response from your Custom Resource. Please check "
            f"your logs for requestId [{box.request_id}]. If you are using the Python "
            "cfn-response module, you may need to update your Lambda function code so that "
            "CloudFormation can attach the updated version.",
            "",
            {},
            False,
        )

    async def _invoke(self, request: ResourceRequest, token: str, event: dict[str, Any]) -> None:
        try:
            await self._platform.registry.call(
                request.context,
                "lambda",
                "Invoke",
                {
                    "FunctionName": token,
                    "InvocationType": "Event",
                    "Payload": json.dumps(event).encode(),
                },
            )
        except AwsError as error:
            raise LeftBehind(
                f"{error.message} (Service: AWSLambdaInternal; Status Code: "
                f"{error.status or 404}; Error Code: {error.code}; "
                f"Request ID: {request.context.request_id}; Proxy: null)"
            ) from None


def _function(token: str, region: str) -> str:
    """The ARN of the function that a service token names."""
    parts = token.split(":")
    if len(parts) < 6 or parts[0] != "arn":
        raise LeftBehind(_INVALID_SERVICE)
    arn = Arn.parse(token)
    if arn.service == "sns":
        raise LeftBehind(f"{_INVALID_SERVICE} This node has no topics, only functions: {token}")
    if arn.service != "lambda" or arn.region != region:
        raise LeftBehind(_INVALID_SERVICE)
    return token


def _created(request: ResourceRequest, box: Box, answer: Answer) -> Created:
    attributes = dict(answer.data)
    attributes[ORIGIN] = (
        f"{box.stack_id}|{request.logical_id}|{box.request_id} in S3 bucket "
        f"cloudformation-custom-resource-storage-{request.context.region.replace('-', '')}"
    )
    if answer.no_echo:
        attributes[NO_ECHO] = True
    return Created(answer.physical_id, attributes)
