"""What lies in deploy/ names options, variables and paths that exist."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from jsonschema.validators import validator_for

from lambent.cli.up import command

DEPLOY = Path(__file__).parents[2] / "deploy"
SCHEMAS = Path(__file__).parent / "schemas"
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


def _schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / name).read_text("utf-8"))
    return found


def _faults(schema: dict[str, Any], document: Any) -> list[str]:
    made = validator_for(schema)(schema)
    return [error.message for error in made.iter_errors(document)]


def _faults_of_manifest(manifest: dict[str, Any]) -> list[str]:
    schemas = _schema("kubernetes.json")
    return _faults({**schemas["kinds"][manifest["kind"]], "$defs": schemas["$defs"]}, manifest)


def test_the_manifests_hold_to_kubernetes_own_schemas() -> None:
    for one in _manifests():
        assert _faults_of_manifest(one) == []
        wrong = {**one, "spec": {**one["spec"], "replica": 3}}
        assert "'replica' was unexpected" in _faults_of_manifest(wrong)[0]


def test_the_compose_file_holds_to_compose_s_own_schema() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    assert _faults(_schema("compose.json"), compose) == []
    wrong = {**compose, "services": {"node": {"comand": "up"}}}
    assert _faults(_schema("compose.json"), wrong)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd is installed")
def test_the_unit_is_what_systemd_takes(tmp_path: Path) -> None:
    unit = (DEPLOY / "lambent.service").read_text("utf-8")
    # Its program is not installed here.
    here = tmp_path / "lambent.service"
    for text, fine in ((unit, True), (unit.replace("KillMode=mixed", "KillMode=mild"), False)):
        here.write_text(text.replace("/opt/lambent/bin/lambent", "/bin/true"))
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", here],
            capture_output=True,
            text=True,
            check=False,
        )
        said = [line for line in done.stderr.splitlines() if "lambent.service" in line]
        assert (said == []) is fine, done.stderr
