"""Fixtures that every test may use.

- `node`: one live node for all tests of a worker, in a thread;
- `account`: a fresh 12-digit account for the test, so that nothing needs cleaning up;
- `client("sqs")`: a boto3 client in that account, without retries;
- `raw("POST", "/", body, headers, sign="sqs")`: raw HTTP in that account;
- `fresh_node(auth=True, ...)`: a node of the test's own, which may be stopped and restarted;
- `node_process(...)`: the same in a process, which may be killed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, settings
from tests.support import folders, postgres
from tests.support.http import Raw
from tests.support.nodes import ProcessNode, ThreadNode

from lambent.core.clock import Clock
from lambent.core.ids import SystemIds
from lambent.core.settings import Settings
from lambent.store import removal

STORE = "LAMBENT_TEST_STORE"
"""`postgresql` lets the shared node of the tests keep everything there."""

ClientFactory = Callable[..., Any]
_ids = SystemIds()

# What a property promises does not depend on how busy the machine is.
settings.register_profile(
    "lambent", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("lambent")

folders.choose()

_must_end = pytest.StashKey[float]()


def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> None:
    item.stash[_must_end] = time.time() + settings.timeout  # noqa: TID251 - as reports do


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What only its timeout ended has not passed: in a task that nobody awaits, or whose
    failures are taken for ordinary ones, the timeout's exception is lost."""
    report = yield
    if (
        call.when == "call"
        and report.passed
        and call.stop >= item.stash.get(_must_end, call.stop + 1)
    ):
        report.outcome, report.longrepr = "failed", "It took longer than its timeout."
    return report


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadNode]:
    store = postgres.cluster().url() if os.environ.get(STORE) == "postgresql" else None
    settings = Settings(tmp_path_factory.mktemp("node"), port=0, store=store)
    running = ThreadNode(settings).start()
    yield running
    running.close()


@pytest.fixture
def small_removals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few items are too many to be removed at once."""
    monkeypatch.setattr(removal, "AT_ONCE", 5)


@pytest.fixture
def account() -> str:
    return "9" + _ids.token(11, "0123456789")


@pytest.fixture(scope="session")
def sdk() -> Any:
    """One botocore session for all clients: its models are loaded once."""
    return botocore.session.Session()


@pytest.fixture
def connect(sdk: Any, account: str) -> Iterator[ClientFactory]:
    """`connect(endpoint, "sqs", access_key=…, secret=…, token=…, region=…, **config)`."""
    made: list[Any] = []

    def make(
        endpoint: str,
        service: str,
        *,
        access_key: str | None = None,
        secret: str = "secret",
        token: str | None = None,
        region: str = "us-east-1",
        **config: Any,
    ) -> Any:
        settings: dict[str, Any] = {
            "retries": {"total_max_attempts": 1},
            "connect_timeout": 5,
            "read_timeout": 60,
        }
        if service == "s3":
            settings["s3"] = {"addressing_style": "path"}
        settings.update(config)
        client = sdk.create_client(
            service,
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=access_key or account,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(**settings),
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(node: ThreadNode, connect: ClientFactory) -> ClientFactory:
    """`client("sqs")`; further arguments as `connect`'s."""

    def make(service: str, **arguments: Any) -> Any:
        return connect(node.endpoint, service, **arguments)

    return make


@pytest.fixture
def raw(node: ThreadNode, account: str) -> Raw:
    return Raw(node.endpoint, account)


@pytest.fixture
def fresh_node(tmp_path: Path) -> Iterator[Callable[..., ThreadNode]]:
    """`fresh_node(clock=…, data_dir=…, auth=…, …)`: further arguments are Settings'."""
    made: list[ThreadNode] = []

    def make(*, clock: Clock | None = None, **settings: Any) -> ThreadNode:
        settings.setdefault("data_dir", tmp_path / f"node-{len(made)}")
        settings.setdefault("port", 0)
        running = ThreadNode(Settings(**settings), clock)
        made.append(running)
        return running.start()

    yield make
    for running in made:
        running.close()


@pytest.fixture
def node_process(tmp_path: Path) -> Iterator[Callable[..., ProcessNode]]:
    """`node_process(data_dir=…, auth=…)`: a node in a process of its own, started."""
    made: list[ProcessNode] = []

    def make(**arguments: Any) -> ProcessNode:
        arguments.setdefault("data_dir", tmp_path / f"process-{len(made)}")
        running = ProcessNode(**arguments)
        made.append(running)
        return running.start()

    yield make
    for running in made:
        running.kill()
