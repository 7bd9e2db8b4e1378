"""`lambent watch`: what is saved is live for the next invocation.

A saved file of a function's code updates that function alone, over what was installed for it
before; a changed requirements.txt or package.json builds it anew; a changed template is
deployed. Environments that run finish on the old code, and queued events wait for the new.
"""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from lambent.cli.client import CommandError, NodeClient, calls_node, endpoint_option
from lambent.cli.deploy import default_stack_name
from lambent.cli.package import builds_folder, local_path, members
from lambent.core.clock import Clock, SystemClock
from lambent.core.errors import LambentError
from lambent.services.cloudformation.template import parse

_INTERVAL = 0.03
"""Seconds between two looks; longer where looking itself takes long."""
_SHARE = 5
_BUILT_FROM = ("requirements.txt", "package.json", "package-lock.json")

Snapshot = Mapping[str, tuple[int, int]]
"""Modification time and size by path below a folder."""


@dataclass(slots=True)
class Watched:
    """A function whose code lies in a local folder; `name` is the deployed function's."""

    name: str
    folder: Path
    runtime: str
    built: Path
    seen: Snapshot


@click.command()
@click.argument("template", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--stack-name", metavar="NAME", help="[default: the template's folder]")
@click.option("--parameter", "parameters", multiple=True, metavar="K=V", help="Repeatable.")
@endpoint_option
@calls_node
def command(
    template: Path, stack_name: str | None, parameters: tuple[str, ...], endpoint: str
) -> None:
    """Update the functions of a deployed TEMPLATE as their files are saved; Ctrl-C ends.

    \b
    Examples:
      lambent watch template.yaml
      lambent up template.yaml --watch
    """
    deploy = [sys.executable, "-m", "lambent", "deploy", str(template), "--endpoint", endpoint]
    deploy += ["--stack-name", stack_name] if stack_name else []
    for parameter in parameters:
        deploy += ["--parameter", parameter]
    name = stack_name or default_stack_name(template)
    asyncio.run(_watch(NodeClient(endpoint), template.absolute(), name, deploy, SystemClock()))


async def _watch(
    client: NodeClient, template: Path, stack: str, deploy: list[str], clock: Clock
) -> None:
    seen = _stamp(template)  # before it is read, so that no save in between is missed
    functions = await _functions(client, template, stack)
    lambda_ = client.service("lambda")
    lambda_.get_account_settings()  # the first save must not wait for the SDK to load
    click.secho(f"Watching {template.name} and {len(functions)} functions.", dim=True)
    while True:
        began = clock.monotonic()
        if (now := _stamp(template)) != seen:
            seen = now
            ran = await asyncio.to_thread(subprocess.run, deploy, check=False)
            if ran.returncode == 0:  # else it said why, and waits to be mended
                functions = await _functions(client, template, stack)
        for one in functions:
            fresh = snapshot(one.folder)
            if fresh != one.seen:
                await _update(lambda_, one, fresh, clock)
        spent = clock.monotonic() - began
        await clock.sleep(max(_INTERVAL, _SHARE * spent))


async def _update(lambda_: Any, one: Watched, fresh: Snapshot, clock: Clock) -> None:
    """Make the folder as it is now the function's code; a failure waits for the next save."""
    began = clock.monotonic()
    gone = one.seen.keys() - fresh.keys()
    changed = {path for path in fresh if fresh[path] != one.seen.get(path)} | gone
    one.seen = fresh
    try:
        if changed & set(_BUILT_FROM):
            one.built = await _build(one.folder, one.runtime)
            gone = set()
        archive = overlaid(one.built, one.folder, gone)
        await asyncio.to_thread(
            lambda_.update_function_code, FunctionName=one.name, ZipFile=archive
        )
    except (LambentError, OSError) as error:
        click.secho(f"{one.name}: {error}", err=True, fg="red")
        return
    took = (clock.monotonic() - began) * 1000
    click.echo(f"{one.name} is live ({took:.0f} ms): {', '.join(sorted(changed)[:3])}")


async def _functions(client: NodeClient, template: Path, stack: str) -> list[Watched]:
    """The stack's functions whose code lies in local folders."""
    found = client.service("cloudformation").describe_stack_resources(StackName=stack)
    names = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found["StackResources"]}
    watched: list[Watched] = []
    for logical, folder, runtime in _folders(template):
        if logical in names:
            seen = snapshot(folder)
            built = await _build(folder, runtime)
            watched.append(Watched(names[logical], folder, runtime, built, seen))
    return watched


def _folders(template: Path) -> list[tuple[str, Path, str]]:
    found = code_folders(parse(template.read_text("utf-8")))
    placed = [(logical, (template.parent / local).resolve(), r) for logical, local, r in found]
    return [one for one in placed if one[1].is_dir()]


def code_folders(template: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    """Logical id, local path and runtime of every function of a template that has them."""
    common = (template.get("Globals") or {}).get("Function") or {}
    for logical, resource in (template.get("Resources") or {}).items():
        properties = resource.get("Properties") or {}
        local: str | None = None
        if resource.get("Type") == "AWS::Serverless::Function" and "InlineCode" not in properties:
            local = local_path(properties.get("CodeUri", common.get("CodeUri", ".")))
        elif resource.get("Type") == "AWS::Lambda::Function":
            local = local_path(properties.get("Code"))
        if local is not None:
            runtime = properties.get("Runtime") or common.get("Runtime") or ""
            yield logical, local, str(runtime)


async def _build(folder: Path, runtime: str) -> Path:
    from lambent.host.build import BuildFailed, build

    try:
        return await build(folder, runtime, builds_folder())
    except BuildFailed as error:
        raise CommandError(str(error)) from error


def snapshot(folder: Path) -> Snapshot:
    """What lies in a folder now; files that vanish while looking are not there."""
    seen: dict[str, tuple[int, int]] = {}
    for path, name in members(folder):
        try:
            status = os.stat(path)
        except OSError:
            continue
        seen[name] = (status.st_mtime_ns, status.st_size)
    return seen


def overlaid(built: Path, source: Path, gone: Iterable[str]) -> bytes:
    """An archive of what was built, with the source as it is now over it."""
    files = {name: path for path, name in members(built)}
    for name in gone:
        files.pop(name, None)
    files |= {name: path for path, name in members(source)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, path in files.items():
            archive.write(path, name)
    return buffer.getvalue()


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)  # an editor replaces it just now
    return status.st_mtime_ns, status.st_size
