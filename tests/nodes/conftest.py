"""Three nodes, each a process of its own, on one PostgreSQL and one folder of blobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.support import postgres
from tests.support.http import Raw
from tests.support.nodes import ProcessNode

LEASE = 2.0
"""Seconds; short, so that what a lost node held is soon given back."""


class Trio:
    """The nodes, and clients of each in the test's account."""

    def __init__(
        self, folder: Path, ahead: Sequence[float] = (0.0, 0.0, 0.0), url: str | None = None
    ) -> None:
        self._folder = folder
        self.blobs = folder / "blobs"
        self.url = url or postgres.cluster().url()
        self.nodes = [self._node(number, seconds) for number, seconds in enumerate(ahead)]

    def _node(self, number: int, ahead: float) -> ProcessNode:
        return ProcessNode(
            self._folder / f"node-{number}",
            store=self.url,
            blobs=self.blobs,
            lease=LEASE,
            clock_ahead=ahead,
        )

    def start(self) -> Trio:
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.ready()
        return self

    def close(self) -> None:
        for node in self.nodes:
            node.kill()


@pytest.fixture(scope="module")
def shared_trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trio]:
    """For tests that leave all nodes alive."""
    yield from _trio(tmp_path_factory.mktemp("nodes"))


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Trio]:
    """For tests that do not."""
    yield from _trio(tmp_path)


@pytest.fixture
def out_of_step(tmp_path: Path) -> Iterator[Trio]:
    """Nodes whose clocks are minutes apart."""
    yield from _trio(tmp_path, (0.0, 600.0, -600.0))


def _trio(folder: Path, ahead: Sequence[float] = (0.0, 0.0, 0.0)) -> Iterator[Trio]:
    if postgres.programs() is None:
        pytest.skip("no PostgreSQL server is installed")
    trio = Trio(folder, ahead)
    try:
        yield trio.start()
    finally:
        trio.close()


@pytest.fixture
def at(connect: ClientFactory) -> Callable[..., Any]:
    """`at(node, "sqs")`: a client of that node."""

    def make(node: ProcessNode, service: str, **config: Any) -> Any:
        return connect(node.endpoint, service, **config)

    return make


@pytest.fixture
def raw_at(account: str) -> Callable[[ProcessNode], Any]:
    """`raw_at(node)`: what the node says of all nodes."""

    def ask(node: ProcessNode) -> Any:
        return json.loads(Raw(node.endpoint, account)("GET", "/_lambent/nodes").text)

    return ask


def queue_arn(sqs: Any, url: str) -> str:
    """The queue's ARN."""
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn: str = answer["Attributes"]["QueueArn"]
    return arn
