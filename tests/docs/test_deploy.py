"""What lies in deploy/ names options, variables and paths that exist."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from lambent.cli.up import command

DEPLOY = Path(__file__).parents[2] / "deploy"
OPTIONS = [one for one in command.params if isinstance(one, click.Option)]
VARIABLES = {one.envvar for one in OPTIONS if isinstance(one.envvar, str)}


def _options(arguments: list[str]) -> set[str]:
    return {argument for argument in arguments if argument.startswith("--")}


def _known() -> set[str]:
    return {name for one in OPTIONS for name in one.opts}


def _manifests() -> list[dict[str, Any]]:
    text = (DEPLOY / "kubernetes" / "lambent.yaml").read_text("utf-8")
    return list(yaml.safe_load_all(text))


def test_the_images_command_has_options_that_exist() -> None:
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    found = re.search(r"^CMD (\[.*\])$", text, re.MULTILINE)
    assert found is not None
    arguments = yaml.safe_load(found[1])
    assert arguments[0] == "up"
    assert _options(arguments) <= _known()
    for source in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        for name in source.split():
            assert list(DEPLOY.parent.glob(name)), name


def test_the_services_of_compose_set_variables_that_exist() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    nodes = [one for one in compose["services"].values() if "LAMBENT_STORE" in str(one)]
    assert len(nodes) == 2
    for node in nodes:
        assert set(node["environment"]) <= VARIABLES
        assert (DEPLOY / node["build"]["context"] / node["build"]["dockerfile"]).exists()
    proxied = re.findall(r"server (\S+):4566;", (DEPLOY / "nginx.conf").read_text("utf-8"))
    assert set(proxied) <= set(compose["services"])


def test_the_unit_starts_a_node_with_options_that_exist() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "lambent.service")
    arguments = shlex.split(unit["Service"]["ExecStart"])
    assert arguments[1] == "up"
    assert _options(arguments) <= _known()


def test_the_manifests_belong_together() -> None:
    kinds = {one["kind"]: one for one in _manifests()}
    assert set(kinds) == {
        "Deployment",
        "Service",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
    }
    labels = kinds["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        kinds["Deployment"]["spec"]["selector"]["matchLabels"],
        kinds["Service"]["spec"]["selector"],
        kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    (container,) = kinds["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert _options(container["args"]) <= _known()
    assert {one["name"] for one in container["env"]} <= VARIABLES


def test_the_manifests_hold_to_kubernetes_own_schemas() -> None:
    validator = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate is not installed"
    )
    for one in _manifests():
        validator.validate(one, "1.32", strict=True)
