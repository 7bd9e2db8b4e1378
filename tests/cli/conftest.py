"""The command as a user runs it, in this process where that is the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes import ThreadNode

from lambent.cli.main import main


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Ran]


@pytest.fixture
def command(
    node: ThreadNode,
    account: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """`command("deploy", path)` in the test's account, on the shared node."""
    monkeypatch.setenv("LAMBENT_ENDPOINT", node.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", account)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str | Path) -> Ran:
        capsys.readouterr()
        status = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        shown = capsys.readouterr()
        return Ran(status, shown.out, shown.err)

    return run


@pytest.fixture
def template(tmp_path: Path) -> Callable[..., Path]:
    """`template(Resources={...}, ...)`: a template file in a folder called `shop`."""

    def write(**sections: Any) -> Path:
        folder = tmp_path / "shop"
        folder.mkdir(exist_ok=True)
        path = folder / "template.json"
        path.write_text(json.dumps(sections))
        return path

    return write


_SOURCE = """\
def handler(event, context):
    print('hello', event.get('name', 'nobody'))
    if 'fail' in event:
        raise ValueError(event['fail'])
    return {'hello': event.get('name')}
"""
_GREETER = {"Runtime": "python3.11", "Handler": "index.handler"}
HELLO = {
    "Type": "AWS::Serverless::Function",
    "Properties": {"FunctionName": "hello", **_GREETER, "InlineCode": _SOURCE},
}
"""A function that greets, and fails when it is asked to."""


def greeter(**properties: str) -> dict[str, Any]:
    """The same without SAM, whose transform takes longer than all the rest."""
    role = "arn:aws:iam::123456789012:role/greeter"
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {**_GREETER, "Role": role, "Code": {"ZipFile": _SOURCE}, **properties},
    }


@pytest.fixture
def hello(command: Command, template: Callable[..., Path]) -> None:
    """The function `hello` is deployed."""
    path = template(Resources={"Hello": greeter(FunctionName="hello")})
    assert command("deploy", path).status == 0
