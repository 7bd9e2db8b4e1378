"""Layers: versions, who may use them, and what stays of one that is deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.services.lambda_.conftest import ROLE, Make, archive, payload
from tests.services.lambda_.test_functions import refused

READS = "import words\ndef handler(event, context):\n    return words.WORD\n"

Publish = Callable[..., str]


@pytest.fixture
def publish(functions: Any) -> Publish:
    """`publish("layer", **more)`: a new version of it; its ARN."""

    def make(name: str = "words", **more: Any) -> str:
        content = {"ZipFile": archive("WORD = 'layered'\n", "python/words.py")}
        made = functions.publish_layer_version(LayerName=name, Content=content, **more)
        arn: str = made["LayerVersionArn"]
        return arn

    return make


def test_a_layer_lies_beside_the_code(make: Make, functions: Any, publish: Publish) -> None:
    arn = publish()
    make("f", READS, Layers=[arn])
    assert payload(functions.invoke(FunctionName="f")) == "layered"
    shown = functions.get_function_configuration(FunctionName="f")
    assert [layer["Arn"] for layer in shown["Layers"]] == [arn]


def test_functions_keep_a_layer_that_is_deleted(
    make: Make, functions: Any, publish: Publish
) -> None:
    arn = publish()
    make("f", READS, Layers=[arn], Publish=True)
    make("other", Layers=[arn])
    functions.delete_layer_version(LayerName="words", VersionNumber=1)
    # An update makes new environments: what they run is the kept copy.
    functions.update_function_configuration(FunctionName="f", Timeout=5)
    assert payload(functions.invoke(FunctionName="f")) == "layered"
    assert payload(functions.invoke(FunctionName="f", Qualifier="1")) == "layered"
    # Everyone else sees a layer that is gone, and once nobody uses it, it is.
    assert functions.list_layer_versions(LayerName="words")["LayerVersions"] == []
    gone = refused(lambda: functions.get_layer_version(LayerName="words", VersionNumber=1))
    assert gone[0] == "ResourceNotFoundException"
    assert refused(lambda: make("late", Layers=[arn]))[2] == f"Layer version {arn} does not exist."
    functions.update_function_configuration(FunctionName="other", Layers=[])
    functions.update_function_configuration(FunctionName="f", Layers=[])
    functions.delete_function(FunctionName="f")


def test_layers_are_found_by_what_they_are_compatible_with(
    functions: Any, publish: Publish
) -> None:
    publish("a", CompatibleRuntimes=["python3.12"], CompatibleArchitectures=["x86_64"])
    publish("a", CompatibleRuntimes=["nodejs22.x"], CompatibleArchitectures=["arm64"])
    publish("b")

    def layers(**wanted: str) -> list[tuple[str, int]]:
        return [
            (one["LayerName"], one["LatestMatchingVersion"]["Version"])
            for one in functions.list_layers(**wanted)["Layers"]
        ]

    def versions(**wanted: str) -> list[int]:
        found = functions.list_layer_versions(LayerName="a", **wanted)["LayerVersions"]
        return [one["Version"] for one in found]

    assert layers() == [("a", 2), ("b", 1)]
    assert layers(CompatibleRuntime="python3.12") == [("a", 1)]
    assert layers(CompatibleArchitecture="arm64") == [("a", 2)]
    assert versions() == [2, 1]
    assert versions(CompatibleRuntime="python3.12") == [1]
    assert versions(CompatibleRuntime="python3.12", CompatibleArchitecture="arm64") == []


def test_another_accounts_layer_takes_its_permission(
    functions: Any, publish: Publish, client: ClientFactory, account: str
) -> None:
    arn = publish()
    stranger, friend = (
        client("lambda", access_key=one) for one in ("111111111111", "222222222222")
    )
    functions.add_layer_version_permission(
        LayerName="words",
        VersionNumber=1,
        StatementId="friend",
        Action="lambda:GetLayerVersion",
        Principal="222222222222",
    )

    def use(functions: Any) -> Any:
        name = f"f{account}"  # those accounts are not the test's own
        functions.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=ROLE,
            Handler="index.handler",
            Code={"ZipFile": archive(READS)},
            Layers=[arn],
        )
        try:
            return payload(functions.invoke(FunctionName=name))
        finally:
            functions.delete_function(FunctionName=name)

    assert use(friend) == "layered"
    assert friend.get_layer_version_by_arn(Arn=arn)["LayerVersionArn"] == arn
    for call in (lambda: use(stranger), lambda: stranger.get_layer_version_by_arn(Arn=arn)):
        assert refused(call) == (
            "AccessDeniedException",
            403,
            "User: arn:aws:iam::111111111111:root is not authorized to perform: "
            f"lambda:GetLayerVersion on resource: {arn} because no resource-based policy allows "
            "the lambda:GetLayerVersion action",
        )


def test_what_a_layer_cannot_be_is_refused(make: Make, functions: Any, publish: Publish) -> None:
    one, two = publish(), publish()
    pair = f"{one} and {two} are versions of the same layer."
    elsewhere = one.replace("us-east-1", "eu-west-1")
    wrong = {
        "Layer Version Cannot be less than 1": lambda: functions.get_layer_version(
            LayerName="words", VersionNumber=0
        ),
        f"same function. {pair}": lambda: make("f", Layers=[one, two]),
        "expected to be in region us-east-1.": lambda: make("f", Layers=[elsewhere]),
        "Value python9 at 'compatibleRuntimes'": lambda: publish(CompatibleRuntimes=["python9"]),
    }
    for message, call in wrong.items():
        code, _, text = refused(call)
        assert (code, message in text) == ("InvalidParameterValueException", True), text
    assert (
        "Call the GetLayerPolicy API"
        in refused(
            lambda: functions.add_layer_version_permission(
                LayerName="words",
                VersionNumber=1,
                StatementId="s",
                Action="lambda:GetLayerVersion",
                Principal="*",
                RevisionId="old",
            )
        )[2]
    )
