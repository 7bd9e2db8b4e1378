"""ElasticMQ as a peer: a black box from Maven Central, run by this machine's Java.

It keeps queues in memory and runs with its defaults; only its ports are given, on loopback.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "1.6.12"
_ARTIFACT = ("org.elasticmq", "elasticmq-server_2.13", VERSION)
_MAIN = "org.elasticmq.server.Main"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>lambent</groupId><artifactId>peer</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency>
<groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>
</dependency></dependencies>
</project>
"""


class NotHere(Exception):
    """The peer cannot be run on this machine; says why."""


def install(peers: Path) -> Path:
    """The folder with its jars, fetched at first by Maven. `NotHere` when that is not
    possible."""
    if shutil.which("java") is None:
        raise NotHere("there is no Java on PATH")
    jars = peers / f"elasticmq-{VERSION}"
    if jars.is_dir():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise NotHere("there is no Maven on PATH to fetch it")
    print("Fetching ElasticMQ from Maven Central …", file=sys.stderr)
    peers.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=peers) as name:
        (Path(name) / "pom.xml").write_text(_POM.format(*_ARTIFACT))
        done = subprocess.run(
            [maven, "--batch-mode", "--quiet", _COPY, f"-DoutputDirectory={name}/jars"],
            cwd=name,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            reason = (done.stdout + done.stderr).strip().splitlines()[:1]
            raise NotHere(f"Maven could not fetch it: {' '.join(reason)}")
        (Path(name) / "jars").rename(jars)
    return jars


def command(jars: Path, port: int) -> list[str]:
    """What starts it on a port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        statistics = probe.getsockname()[1]
    options = {
        "rest-sqs.bind-hostname": "127.0.0.1",
        "rest-sqs.bind-port": port,
        "node-address.port": port,
        "rest-stats.bind-hostname": "127.0.0.1",
        "rest-stats.bind-port": statistics,
    }
    given = [f"-D{name}={value}" for name, value in options.items()]
    return ["java", *given, "-cp", f"{jars}/*", _MAIN]
