"""From a queue to a function: messages per second, and how long one takes on an idle system.

Delivery is measured from the moment a mapping is made on a queue that is full already until
the queue is empty, nothing in flight. The latency is from before SendMessage to the moment
the handler runs, which it tells by a datagram.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from statistics import median, quantiles
from typing import Any

from benchmarks import invocations, wire
from benchmarks.load import Job, drive
from benchmarks.processes import processor_seconds
from benchmarks.systems import Running
from benchmarks.throughput import BODY, Figures, Scale
from lambent.core.clock import SystemClock

BATCH = 10
MESSAGES_PER_SECOND = 8000
"""How many are sent first, times the scale's seconds."""
MOST_SECONDS = 60.0
WARM = 300
PAUSE = 0.02
"""Seconds between two messages whose latency is taken, so that the system is idle."""
TELL = """
import json, socket, time
told = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def handler(event, context):
    now = time.time()
    for record in event["Records"]:
        port, sent = json.loads(record["body"])
        told.sendto(str(now - sent).encode(), ("127.0.0.1", port))
"""


CLOCK = SystemClock()


class DeliveryFailed(Exception):
    """The messages did not arrive."""


def rate(running: Running, scale: Scale, figures: Figures, name: str = "") -> None:
    """A no-op function on a full queue, in batches of ten. `name` tells runs apart."""
    sqs, functions = running.client("sqs"), running.client("lambda")
    role = invocations.make_role(running)
    function = invocations.make_function(functions, role, f"deliver{name}", invocations.NOOP)
    functions.invoke(FunctionName=function, Payload=b"{}")["Payload"].read()
    warm, url = (sqs.create_queue(QueueName=f"deliver-{one}{name}")["QueueUrl"] for one in "wq")
    # Environments and the mapping's places are there before the clock runs.
    _drain(running, warm, function, WARM)
    count = int(MESSAGES_PER_SECOND * scale.seconds)
    used = processor_seconds(running.pid)
    seconds = _drain(running, url, function, count)
    figures["delivery.rate"] = count / seconds
    figures["delivery.rate.cpu_us"] = (processor_seconds(running.pid) - used) / count * 1e6


def latency(running: Running, scale: Scale, figures: Figures) -> None:
    """One message after another on an idle system."""
    sqs, functions = running.client("sqs"), running.client("lambda")
    role = invocations.make_role(running)
    function = invocations.make_function(functions, role, "tell", TELL)
    url = sqs.create_queue(QueueName="tell")["QueueUrl"]
    mapping = _map(running, url, function, 1)
    pause = threading.Event()
    times: list[float] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as told:
        told.bind(("127.0.0.1", 0))
        told.settimeout(20.0)
        port = told.getsockname()[1]
        for number in range(scale.invocations // 2 + 3):
            pause.wait(PAUSE)
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps([port, CLOCK.now()]))
            passed = float(told.recv(100))
            if number >= 3:
                times.append(passed)
    functions.delete_event_source_mapping(UUID=mapping)
    figures["delivery.p50"] = median(times) * 1e3
    figures["delivery.p99"] = quantiles(times, n=100)[98] * 1e3


def _drain(running: Running, url: str, function: str, count: int) -> float:
    """Send messages, then let the function have them; seconds that took."""
    sqs, functions = running.client("sqs"), running.client("lambda")
    entries = [{"Id": str(number), "MessageBody": BODY} for number in range(BATCH)]
    send = [wire.sqs("SendMessageBatch", QueueUrl=url, Entries=entries)]
    drive(Job(running.port, send, 16, 60.0, count // BATCH), running.pid)
    began = time.perf_counter()
    mapping = _map(running, url, function, BATCH)
    pause = threading.Event()
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    while any(
        int(left)
        for left in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)[
            "Attributes"
        ].values()
    ):
        if time.perf_counter() > began + MOST_SECONDS:
            raise DeliveryFailed(f"messages are left after {MOST_SECONDS:.0f} s")
        pause.wait(0.05)
    seconds = time.perf_counter() - began
    functions.delete_event_source_mapping(UUID=mapping)
    return seconds


def _map(running: Running, url: str, function: str, batch: int) -> Any:
    attributes = running.client("sqs").get_queue_attributes(
        QueueUrl=url, AttributeNames=["QueueArn"]
    )
    return running.client("lambda").create_event_source_mapping(
        EventSourceArn=attributes["Attributes"]["QueueArn"], FunctionName=function, BatchSize=batch
    )["UUID"]
