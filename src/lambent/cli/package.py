"""What `lambent deploy` does with local code: build, zip, upload, and point to it.

Every place of a template that may name a local file or folder is looked at; a folder of
function code gets its requirements installed first (`host.build`). Archives are the same
byte for byte when the code is, and are named by their hash, so nothing is uploaded or
deployed twice. Knows nothing of how a template is deployed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import stat
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lambent.cli.client import CommandError
from lambent.core.errors import LambentError
from lambent.services.cloudformation.template import parse

ClientFactory = Callable[[str], Any]
"""A botocore client of the service of that name, on the node."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_BODY_BYTES = 51_200
"""CloudFormation's limit of a template in a request; one in S3 may have 1 MB."""
_REMOTE = ("s3://", "http://", "https://")


def package_file(path: Path, service: ClientFactory) -> str:
    """The template file's text with local code uploaded and replaced by its S3 location."""
    try:
        template = parse(path.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not text in UTF-8.") from error
    except LambentError as error:
        raise CommandError(f"{path}: {getattr(error, 'message', error)}") from error
    return json.dumps(asyncio.run(package(template, path.absolute().parent, service)), indent=1)


def handed_over(text: str, service: ClientFactory) -> dict[str, str]:
    """How a template is given to CloudFormation: as it is, or, when it is longer than an API
    request takes, by its place in S3."""
    if len(text.encode()) <= _BODY_BYTES:
        return {"TemplateBody": text}
    return {"TemplateURL": _Packager(Path(), service).place(text)}


async def package(template: dict[str, Any], folder: Path, service: ClientFactory) -> dict[str, Any]:
    """The template with every local path replaced by what was uploaded for it.

    `folder` is what relative paths start from. CommandError when one leads nowhere or
    cannot be built.
    """
    return await _Packager(folder, service).template(template)


class _Packager:
    """One template's folder, and the bucket its artefacts go to."""

    def __init__(self, folder: Path, service: ClientFactory) -> None:
        self._folder = folder
        self._service = service
        self._s3: Any = None
        self._bucket = ""

    async def template(self, template: dict[str, Any]) -> dict[str, Any]:
        resources = template.get("Resources")
        if not isinstance(resources, dict):
            return template
        common = (template.get("Globals") or {}).get("Function") or {}
        out: dict[str, Any] = {}
        for name, resource in resources.items():
            out[name] = resource
            if isinstance(resource, dict) and isinstance(resource.get("Properties", {}), dict):
                properties = dict(resource.get("Properties") or {})
                await self._resource(name, resource, properties, common)
                if properties != (resource.get("Properties") or {}):
                    out[name] = {**resource, "Properties": properties}
        return {**template, "Resources": out}

    async def _resource(
        self,
        name: str,
        resource: dict[str, Any],
        properties: dict[str, Any],
        common: dict[str, Any],
    ) -> None:
        """Replace what is local in `properties`."""
        kind = resource.get("Type")
        runtime = str(properties.get("Runtime") or common.get("Runtime") or "")
        if kind == "AWS::Serverless::Function":
            if "InlineCode" in properties or _is_image(properties, common):
                return
            local = local_path(properties.get("CodeUri", common.get("CodeUri", ".")))
            if local is not None:
                properties["CodeUri"] = _uri(await self._code(name, "CodeUri", local, runtime))
        elif kind == "AWS::Lambda::Function":
            local = local_path(properties.get("Code"))
            if local is not None:
                properties["Code"] = _location(await self._code(name, "Code", local, runtime))
        elif kind == "AWS::Serverless::LayerVersion":
            local = local_path(properties.get("ContentUri"))
            if local is not None:
                properties["ContentUri"] = _uri(await self._layer(name, resource, local))
        elif kind == "AWS::Lambda::LayerVersion":
            local = local_path(properties.get("Content"))
            if local is not None:
                properties["Content"] = _location(await self._layer(name, resource, local))
        elif kind == "AWS::CloudFormation::Stack":
            local = local_path(properties.get("TemplateURL"))
            if local is not None:
                properties["TemplateURL"] = await self._nested(name, local)
        elif kind in ("AWS::Serverless::StateMachine", "AWS::Serverless::Api"):
            local = local_path(properties.get("DefinitionUri"))
            if local is not None:
                path = self._path(name, "DefinitionUri", local)
                properties["DefinitionUri"] = _uri(await self._upload(path, path.suffix))

    def _path(self, name: str, member: str, local: str) -> Path:
        path = (self._folder / local).resolve()
        if not path.exists():
            raise CommandError(f"{name}: {member} names {local}, which is not there.")
        return path

    async def _code(self, name: str, member: str, local: str, runtime: str) -> tuple[str, str]:
        """Build and upload a function's code; bucket and key."""
        path = self._path(name, member, local)
        if path.is_file():
            return await self._file(path)
        from lambent.host.build import BuildFailed, build

        try:
            built = await build(path, runtime, builds_folder())
        except BuildFailed as error:
            raise CommandError(f"{name}: {error}") from error
        return await self._zipped(built)

    async def _layer(self, name: str, resource: dict[str, Any], local: str) -> tuple[str, str]:
        """Upload a layer; with BuildMethod python3.x its code goes under python/."""
        path = self._path(name, "the layer's content", local)
        if path.is_file():
            return await self._file(path)
        method = str((resource.get("Metadata") or {}).get("BuildMethod") or "")
        if not method.startswith("python"):
            return await self._zipped(path)
        from lambent.host.build import BuildFailed, build

        try:
            built = await build(path, method, builds_folder())
        except BuildFailed as error:
            raise CommandError(f"{name}: {error}") from error
        return await self._zipped(built, "python/")

    async def _file(self, path: Path) -> tuple[str, str]:
        if zipfile.is_zipfile(path):
            return await self._upload(path, ".zip")
        return await self._zipped(path)

    async def _nested(self, name: str, local: str) -> str:
        path = self._path(name, "TemplateURL", local)
        text = await asyncio.to_thread(package_file, path, self._service)
        return await asyncio.to_thread(self.place, text)

    def place(self, text: str) -> str:
        """Upload a template that is ready; its URL."""
        with tempfile.TemporaryDirectory() as scratch:
            ready = Path(scratch, "template.json")
            ready.write_text(text, "utf-8")
            bucket, key = self._put(ready, ".template")
        return f"{self._s3.meta.endpoint_url}/{bucket}/{key}"

    async def _zipped(self, source: Path, prefix: str = "") -> tuple[str, str]:
        with tempfile.TemporaryDirectory() as scratch:
            archive = Path(scratch, "code.zip")
            await asyncio.to_thread(write_zip, source, archive, prefix)
            return await self._upload(archive, ".zip")

    async def _upload(self, path: Path, suffix: str) -> tuple[str, str]:
        return await asyncio.to_thread(self._put, path, suffix)

    def _put(self, path: Path, suffix: str) -> tuple[str, str]:
        from botocore.exceptions import ClientError

        with path.open("rb") as file:
            key = hashlib.file_digest(file, "sha256").hexdigest() + suffix
        bucket = self._staging()
        try:
            self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            with path.open("rb") as file:
                self._s3.put_object(Bucket=bucket, Key=key, Body=file)
        return bucket, key

    def _staging(self) -> str:
        """The bucket for artefacts, made when it is first needed."""
        if self._bucket:
            return self._bucket
        from botocore.exceptions import ClientError

        self._s3 = self._service("s3")
        region = self._s3.meta.region_name
        account = self._service("sts").get_caller_identity()["Account"]
        bucket = f"lambent-staging-{account}-{region}"
        where = {} if region == "us-east-1" else {"LocationConstraint": region}
        try:
            self._s3.head_bucket(Bucket=bucket)
        except ClientError:
            configured = {"CreateBucketConfiguration": where} if where else {}
            try:
                self._s3.create_bucket(Bucket=bucket, **configured)
            except ClientError as error:
                if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
                    raise
        self._bucket = bucket
        return bucket


def write_zip(source: Path, archive: Path, prefix: str = "") -> None:
    """Zip a file or a folder's contents: the same bytes for the same contents, always."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as out:
        for path, name in members(source):
            mode = path.stat().st_mode
            info = zipfile.ZipInfo(prefix + name, _EPOCH)
            executable = bool(mode & stat.S_IXUSR)
            info.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(info, path.read_bytes())


def members(source: Path) -> list[tuple[Path, str]]:
    """The files of a folder (or the one file) and their names in an archive, in order."""
    if source.is_file():
        return [(source, source.name)]
    found: list[tuple[Path, str]] = []
    for folder, folders, files in os.walk(source):
        folders[:] = [name for name in folders if name not in ("__pycache__", ".git")]
        found += [
            (path, path.relative_to(source).as_posix())
            for name in files
            if (path := Path(folder, name)).is_file()
        ]
    return sorted(found, key=lambda member: member[1])


def _is_image(properties: dict[str, Any], common: dict[str, Any]) -> bool:
    return (properties.get("PackageType") or common.get("PackageType")) == "Image"


def local_path(value: Any) -> str | None:
    """The local path that a property names; None when it is something else."""
    if isinstance(value, str) and not value.startswith(_REMOTE):
        return value
    return None


def _uri(place: tuple[str, str]) -> str:
    return f"s3://{place[0]}/{place[1]}"


def _location(place: tuple[str, str]) -> dict[str, str]:
    return {"S3Bucket": place[0], "S3Key": place[1]}


def builds_folder() -> Path:
    """Where what was built is kept."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "lambent" / "builds"
