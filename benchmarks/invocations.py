"""What an invocation takes as a client sees it, by boto3: warm, cold, and cold with boto3."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from statistics import median, quantiles
from typing import Any

from benchmarks import wire
from benchmarks.load import Job, drive
from benchmarks.systems import Running
from benchmarks.throughput import Figures, Scale

NOOP = "def handler(event, context): return event"
BOTO3 = """
import boto3
s3 = boto3.client("s3")
def handler(event, context): return event
"""
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
MOST_SECONDS = 4.0
"""What the warm invocations of one round may take."""
READY_SECONDS = 20.0
CONNECTIONS = 4
"""That invoke at once: more would only wait for the two cores."""


class InvocationFailed(Exception):
    """The function did not run."""


def warm(running: Running, scale: Scale, figures: Figures) -> None:
    """One invocation of a no-op after another, once it has run."""
    client = running.client("lambda")
    role = make_role(running)
    function = make_function(client, role, "warm", NOOP)
    for _ in range(3):
        _invoke(client, function)
    times: list[float] = []
    ends = time.perf_counter() + MOST_SECONDS
    while len(times) < scale.invocations and time.perf_counter() < ends:
        times.append(_invoke(client, function))
    figures["lambda.warm_p50"] = median(times) * 1e3
    figures["lambda.warm_p99"] = quantiles(times, n=100)[98] * 1e3


def parallel(running: Running, scale: Scale, figures: Figures) -> None:
    """A no-op from the load generator: on one connection, and on several at once."""
    client = running.client("lambda")
    function = make_function(client, make_role(running), "parallel", NOOP)
    request = [wire.invoke(function, b'{"key": "value"}')]
    drive(Job(running.port, request, CONNECTIONS, 1.0, 10 * CONNECTIONS), running.pid)
    one = drive(Job(running.port, request, 1, scale.seconds), running.pid)
    figures["lambda.http_p50"] = one.median * 1e3
    load = drive(Job(running.port, request, CONNECTIONS, scale.seconds), running.pid)
    figures["lambda.rate"] = load.rate
    figures["lambda.rate.cpu_us"] = load.cpu * 1e6


def cold(running: Running, scale: Scale, figures: Figures) -> None:
    """The first invocation of each of some new functions."""
    client = running.client("lambda")
    role = make_role(running)
    for name, source in (("cold", NOOP), ("cold_boto3", BOTO3)):
        times = []
        for number in range(scale.colds):
            function = make_function(client, role, f"{name}-{number}", source)
            times.append(_invoke(client, function))
            client.delete_function(FunctionName=function)
        figures[f"lambda.{name}"] = median(times) * 1e3


def make_role(running: Running) -> str:
    """The functions' role; systems differ in which account they put it."""
    iam = running.client("iam")
    try:
        made = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=TRUST)
    except iam.exceptions.EntityAlreadyExistsException:
        made = iam.get_role(RoleName="bench")
    return str(made["Role"]["Arn"])


def make_function(client: Any, role: str, name: str, source: str) -> str:
    """Make a function and wait until it may be invoked."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", f"{source}\n# {name}\n")
    client.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=20,
        MemorySize=256,
    )
    ends = time.perf_counter() + READY_SECONDS
    pause = threading.Event()
    while client.get_function(FunctionName=name)["Configuration"].get("State") == "Pending":
        if time.perf_counter() > ends:
            raise InvocationFailed(f"{name} is still pending")
        pause.wait(0.02)
    return name


def _invoke(client: Any, name: str) -> float:
    """Seconds that an invocation took."""
    began = time.perf_counter()
    answer = client.invoke(FunctionName=name, Payload=b'{"key": "value"}')
    payload = answer["Payload"].read()
    seconds = time.perf_counter() - began
    if answer.get("FunctionError") or payload.replace(b" ", b"") != b'{"key":"value"}':
        raise InvocationFailed(payload[:200].decode(errors="replace"))
    return seconds
