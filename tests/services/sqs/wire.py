"""SQS's two protocols without an SDK: one call, its status, code and message."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import botocore.session
from tests.support.http import Raw

MODEL = botocore.session.Session().get_service_model("sqs")


NAMES = {
    # The older protocol's names, which newer models no longer tell.
    "AWSAccountIds": "AWSAccountId",
    "Actions": "ActionName",
    "AttributeNames": "AttributeName",
    "Attributes": "Attribute",
    "MessageAttributeNames": "MessageAttributeName",
    "MessageAttributes": "MessageAttribute",
    "MessageSystemAttributeNames": "MessageSystemAttributeName",
    "MessageSystemAttributes": "MessageSystemAttribute",
    "TagKeys": "TagKey",
    "Tags": "Tags",
    "tags": "Tag",
}


@dataclass(frozen=True)
class Said:
    """An answer. `code` and `message` are empty on success."""

    status: int
    code: str
    message: str
    text: str


def ask(raw: Raw, protocol: str, operation: str, params: Any) -> Said:
    """Call an operation in the protocol "json" or "query"."""
    return (_json if protocol == "json" else _query)(raw, operation, params)


def _json(raw: Raw, operation: str, params: Any) -> Said:
    headers = {
        "X-Amz-Target": f"AmazonSQS.{operation}",
        "Content-Type": "application/x-amz-json-1.0",
    }
    answer = raw("POST", "/", json.dumps(_plain(params)).encode(), headers, sign="sqs")
    document = json.loads(answer.body or b"{}")
    code = document["__type"] if answer.status != 200 else ""
    message = document.get("message", document.get("Message", "")) if code else ""
    return Said(answer.status, code.split("#")[-1], message, answer.text)


def _query(raw: Raw, operation: str, params: Any) -> Said:
    form = {"Action": operation, "Version": "2012-11-05"}
    flatten(MODEL.operation_model(operation).input_shape, params, "", form)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = raw("POST", "/", urlencode(form).encode(), headers, sign="sqs")
    # As AWS does, control characters are given as references that XML 1.0 has not.
    document = ElementTree.fromstring(re.sub(rb"&#x[0-9a-f]+;", b"?", answer.body))
    found = {
        name: "" if answer.status == 200 else document.findtext(f".//{{*}}{name}", "")
        for name in ("Code", "Message")
    }
    return Said(answer.status, found["Code"], found["Message"], answer.text)


def flatten(shape: Any, given: Any, prefix: str, out: dict[str, Any]) -> None:
    """The query protocol's form of a value."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if name in given:
                wire = member.member.name if name == "Entries" else NAMES.get(name, name)
                flatten(member, given[name], f"{prefix}.{wire}" if prefix else wire, out)
    elif shape.type_name == "list":
        for number, each in enumerate(given, 1):
            flatten(shape.member, each, f"{prefix}.{number}", out)
    elif shape.type_name == "map":
        key_name = "Key" if prefix in ("Tag", "Tags") else "Name"
        for number, (key, each) in enumerate(given.items(), 1):
            out[f"{prefix}.{number}.{key_name}"] = key
            flatten(shape.value, each, f"{prefix}.{number}.Value", out)
    else:
        out[prefix] = given.decode("latin-1") if isinstance(given, bytes) else given


def _plain(given: Any) -> Any:
    if isinstance(given, bytes):
        return given.hex()
    if isinstance(given, list):
        return [_plain(each) for each in given]
    if isinstance(given, dict):
        return {key: _plain(each) for key, each in given.items()}
    return given
