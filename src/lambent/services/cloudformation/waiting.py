"""Wait conditions: a deployment goes on once it was told so often that all is well.

Source: CloudFormation template reference, AWS::CloudFormation::WaitCondition,
AWS::CloudFormation::WaitConditionHandle and CreationPolicy. A handle is a box whose URL is its
physical id; SignalResource writes into the box of the condition itself.
"""

from __future__ import annotations

import json
import re
from typing import Any

from lambent.core.resources import Created, LeftBehind, Properties, ResourceRequest
from lambent.services.cloudformation.intrinsics import text
from lambent.services.cloudformation.mail import Box, Mail, token_of, url

_LONGEST = 43_200
_HANDLE_SECONDS = 2 * _LONGEST
_DURATION = re.compile(r"P(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def signals(box: Box) -> dict[str, dict[str, Any]]:
    """The valid signals by their unique id; of several with one id the first counts."""
    found: dict[str, dict[str, Any]] = {}
    for letter in box.letters:
        try:
            said = json.loads(letter)
        except ValueError:
            continue
        if isinstance(said, dict) and said.get("Status") in ("SUCCESS", "FAILURE"):
            found.setdefault(text(said.get("UniqueId", "")), said)
    return found


def signalled(logical_id: str) -> str:
    """The purpose of the box for a resource's own signals."""
    return f"signals\0{logical_id}"


def seconds_of(duration: str) -> int:
    """The seconds of an ISO 8601 duration such as `PT5M`; LeftBehind when it is none."""
    found = _DURATION.fullmatch(duration)
    if found is None or not any(found.groups()):
        raise LeftBehind(f"Invalid timeout {duration} in CreationPolicy: use the format PT#H#M#S")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds


class WaitConditionHandle:
    """AWS::CloudFormation::WaitConditionHandle. `Ref` is the URL that takes signals."""

    properties: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    replaces: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()

    def __init__(self, mail: Mail) -> None:
        self._mail = mail

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        purpose = f"handle\0{request.logical_id}\0{request.default_name}"
        box = await self._mail.open(request.stack_id, purpose, _HANDLE_SECONDS)
        return Created(url(request.context, box, request.logical_id))

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        return Created(physical_id)

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        return None


class WaitCondition:
    """AWS::CloudFormation::WaitCondition. Its `Data` are the signals' data by unique id."""

    awaited = True
    properties = frozenset({"Count", "Handle", "Timeout"})
    required: frozenset[str] = frozenset()
    replaces: frozenset[str] = frozenset()
    attributes = frozenset({"Data"})

    def __init__(self, mail: Mail) -> None:
        self._mail = mail

    def refuses(self, old: Properties, new: Properties) -> str | None:
        """No property can be updated."""
        kind = "AWS::CloudFormation::WaitCondition"
        return None if old == new else f"Update to resource type {kind} is not supported."

    async def create(self, request: ResourceRequest, properties: Properties) -> Created:
        policy = request.creation_policy.get("ResourceSignal") or {}
        if policy:
            box = await self._mail.open(
                request.stack_id, signalled(request.logical_id), _HANDLE_SECONDS
            )
            token, wanted = box.token, int(text(policy.get("Count", 1)))
            seconds = seconds_of(text(policy.get("Timeout", "PT5M")))
        else:
            for name in ("Handle", "Timeout"):
                if name not in properties:
                    raise LeftBehind(f"Property {name} cannot be empty.")
            token = token_of(text(properties["Handle"]))
            wanted = int(text(properties.get("Count", 1)))
            seconds = min(int(text(properties["Timeout"])), _LONGEST)
        # A condition that is taken up again after a crash has been waiting since it began.
        began = await self._mail.open(
            request.stack_id, f"answer\0{request.step}\0began\0{request.logical_id}", _LONGEST
        )
        heard = await self._mail.wait(token, began.made + seconds, lambda box: _over(box, wanted))
        if heard is None:
            raise LeftBehind("WaitCondition received an invalid WaitConditionHandle")
        return Created(request.default_name, {"Data": _data(heard, wanted, resource=bool(policy))})

    async def update(
        self, request: ResourceRequest, physical_id: str, old: Properties, new: Properties
    ) -> Created:
        # Its properties are fixed, so this is about its Metadata, or a way back to what it was.
        token = token_of(text(new.get("Handle", "")))
        if not token:
            return Created(physical_id, {"Data": "{}"})
        box = await self._mail.wait(token, 0, lambda box: True)
        return Created(
            physical_id, {"Data": "{}" if box is None else _data(box, 0, resource=False)}
        )

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None:
        return None


def _over(box: Box, wanted: int) -> bool:
    found = signals(box).values()
    good = sum(1 for one in found if one["Status"] == "SUCCESS")
    return good >= wanted or good < len(found)


def _data(box: Box, wanted: int, *, resource: bool) -> str:
    """The data of enough signals as JSON; LeftBehind when they are too few, or one is bad."""
    found = signals(box)
    bad = [(name, one) for name, one in found.items() if one["Status"] != "SUCCESS"]
    if bad and resource:
        raise LeftBehind(f"Received FAILURE signal with UniqueId {bad[0][0]}")
    if bad:
        name, one = bad[0]
        raise LeftBehind(
            f"WaitCondition received failed message: '{text(one.get('Reason', ''))}' "
            f"for uniqueId: {name}"
        )
    if len(found) < wanted and resource:
        raise LeftBehind(
            f"Failed to receive {wanted} resource signal(s) within the specified duration"
        )
    if len(found) < wanted:
        raise LeftBehind(
            f"WaitCondition timed out. Received {len(found)} conditions when expecting {wanted}"
        )
    data = {name: text(one.get("Data", "")) for name, one in found.items()}
    return json.dumps(data, separators=(",", ":"))
