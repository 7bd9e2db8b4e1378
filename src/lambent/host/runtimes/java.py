"""The Java family: handler classes, run by AWS's runtime interface client for Java.

The client comes from Maven Central, by the machine's `mvn`, once, when the first Java
function is made or run; it lies in the node's cache from then on. A function's Java is the
machine's of that version, else the nearest newer, else its newest; the log says so.

Code lies as Lambda wants it: classes in the folder, libraries in `lib/`, layers in
`java/lib/`; the client finds them itself.
"""

from __future__ import annotations

import asyncio
import glob
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lambent.host.contract import Language
from lambent.host.runtimes.contract import Launch, LaunchFailed, Process
from lambent.host.runtimes.toolchains import Toolchain, choose, notice
from lambent.host.runtimes.wrapper import wrapper
from lambent.host.sandboxes.contract import Launcher, Sandbox

CLIENT = "com.amazonaws:aws-lambda-java-runtime-interface-client:2.6.0"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_MAIN = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda"
_IDENTIFIER = re.compile(r"java(8|11|17|21|25)(?:\.al2|\.al2023)?")
_PLACES = ("/usr/lib/jvm/*/bin/java", "~/.sdkman/candidates/java/*/bin/java")
_SETTINGS = [Path(folder) for folder in sorted(glob.glob("/etc/java*"))]
"""Where Debian keeps what a JDK's conf folder links to."""
_MISSING = "Java is not on this machine: install a JDK so that `java` is on PATH"
_HEAP_SHARE = 0.85
_NATIVE_ACCESS = 24
"""The first version that warns when the client loads its library."""
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>lambent</groupId><artifactId>java-client</artifactId><version>1</version>
<dependencies><dependency>
<groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>
</dependency></dependencies>
</project>
"""


def create(cache: Path, sandbox: Sandbox) -> JavaRuntime:
    """The family; the client's jars lie in `cache`."""
    return JavaRuntime(cache, sandbox)


class JavaRuntime:
    """Starts Java environments."""

    def __init__(self, cache: Path, sandbox: Sandbox) -> None:
        self._jars = cache.absolute() / f"java-client-{CLIENT.rpartition(':')[2]}"
        self._sandbox = sandbox
        self._launcher: Launcher | None = None
        self._toolchain = Toolchain(("java",), _PLACES, ("-version",), parts=1)
        self._fetching: asyncio.Task[None] | None = None

    def runs(self, identifier: str) -> bool:
        return _IDENTIFIER.fullmatch(identifier) is not None

    def variables(self, identifier: str) -> Mapping[str, str]:
        return {"AWS_EXECUTION_ENV": f"AWS_Lambda_{identifier}"}

    async def prepare(self, identifier: str = "") -> None:
        found = await self._toolchain.found()
        if not found:
            return
        await self._fetched()
        if self._launcher is None:
            homes = [program.parent.parent for program in found.values()]
            self._launcher = self._sandbox.launcher([*homes, *_SETTINGS], runtime=self._jars)
        await self._launcher.prepare()

    async def languages(self) -> list[Language]:
        versions = [str(version[0]) for version in sorted(await self._toolchain.found())]
        if versions and not self._jars.is_dir() and shutil.which("mvn") is None:
            return [
                Language(
                    "Java", (), f"{CLIENT} is had by Maven: install it so that `mvn` is on PATH"
                )
            ]
        return [Language("Java", versions, "" if versions else _MISSING)]

    async def start(self, launch: Launch) -> Process:
        match = _IDENTIFIER.fullmatch(launch.runtime)
        assert match is not None
        wanted = (int(match[1]),)
        await self.prepare()
        found = await self._toolchain.found()
        version = choose(wanted, found)
        if version is None or self._launcher is None:
            raise LaunchFailed(
                _MISSING,
                "Runtime.Unsupported",
            )
        if version != wanted:
            os.write(launch.output, notice(launch.runtime, f"Java {version[0]}"))
        options = _options(launch.environment, version[0])
        jars = f"{self._sandbox.runtime(self._jars)}/*"
        command = [str(found[version]), *options, "-cp", jars, _MAIN, launch.handler]
        return await self._launcher.start(launch, wrapper(launch, self._sandbox) + command)

    async def close(self) -> None:
        if self._fetching is not None and not self._fetching.done():
            self._fetching.cancel()
        if self._launcher is not None:
            await self._launcher.close()

    async def _fetched(self) -> None:
        """Have the client's jars; all who wait share one fetch."""
        if self._jars.is_dir():
            return
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(fetch(CLIENT, self._jars))
        await asyncio.shield(self._fetching)


def _options(environment: Mapping[str, str], version: int) -> list[str]:
    """As Lambda starts Java: quickly, on one core, with a heap that leaves room for the rest."""
    memory = int(environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"))
    native = ["--enable-native-access=ALL-UNNAMED"] if version >= _NATIVE_ACCESS else []
    return [
        *native,
        f"-Xmx{int(memory * _HEAP_SHARE)}m",
        "-XX:+UseSerialGC",
        "-XX:+TieredCompilation",
        "-XX:TieredStopAtLevel=1",
        "-Xshare:auto",
    ]


async def fetch(coordinates: str, folder: Path) -> None:
    """Put an artifact and all it needs into `folder`, whole or not at all, by Maven.

    `LaunchFailed` when that is not possible.
    """
    maven = shutil.which("mvn")
    if maven is None:
        raise LaunchFailed(
            f"Java functions need {coordinates} from Maven Central: install Maven "
            "so that `mvn` is on PATH, and invoke again",
            "Runtime.Unsupported",
        )
    making = _project(coordinates, folder.parent)
    try:
        process = await asyncio.create_subprocess_exec(
            *(maven, "--batch-mode", "--quiet", _COPY, f"-DoutputDirectory={making}/jars"),
            "-DincludeScope=runtime",
            cwd=making,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            first = output.decode("utf-8", "replace").strip().splitlines()[:3]
            raise LaunchFailed(
                f"{coordinates} could not be had from Maven Central: {' '.join(first)}",
                "Runtime.Unsupported",
            )
        (making / "jars").rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _project(coordinates: str, parent: Path) -> Path:
    """A folder with a Maven project that needs nothing but this artifact."""
    parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix="making-", dir=parent))
    (making / "pom.xml").write_text(_POM.format(*coordinates.split(":")))
    return making
