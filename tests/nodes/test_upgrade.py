"""Two versions of the program, each with nodes of its own, on one database: the next one changes
the schema while the previous one works, both work beside each other, and nothing is lost on the
way from one to the other."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ClientFactory
from tests.crash.crowd import Crowd, during
from tests.nodes.conftest import LEASE
from tests.support import postgres
from tests.support.nodes import ProcessNode

import lambent
from lambent.store.backends.postgresql.connecting import target
from lambent.store.backends.postgresql.schema import SCHEMA

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(postgres.programs() is None, reason="no PostgreSQL server is installed"),
]
NEXT = "9.9.9"
_STEP = f"""

STEPS = (
    *STEPS,
    Step(
        {SCHEMA},
        "ALTER TABLE record ADD added text; ALTER TABLE work ADD added bigint DEFAULT 1;"
        " ALTER TABLE work_depth ADD added text; ALTER TABLE store ADD added text;"
        " CREATE INDEX record_added ON record (added); CREATE INDEX work_added ON work (added)",
    ),
)
SCHEMA = len(STEPS)
migrate.__defaults__ = (STEPS,)
"""


@pytest.fixture
def following(tmp_path: Path) -> Path:
    """This program with another version's name and one more step, that adds to each large table."""
    source = tmp_path / "next"
    shutil.copytree(
        Path(lambent.__file__).parent,
        source / "lambent",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (source / "lambent" / "__init__.py").write_text(f'__version__ = "{NEXT}"\n')
    with (source / "lambent/store/backends/postgresql/schema.py").open("a") as schema:
        schema.write(_STEP)
    return source


def test_a_cluster_is_upgraded_node_by_node_under_load(
    following: Path,
    tmp_path: Path,
    connect: ClientFactory,
    raw_at: Callable[[ProcessNode], Any],
) -> None:
    url = postgres.cluster().url()

    def node(name: str, source: Path | None = None, port: int = 0) -> ProcessNode:
        return ProcessNode(
            tmp_path / name,
            store=url,
            blobs=tmp_path / "blobs",
            lease=LEASE,
            source=source,
            port=port,
        )

    def versions(asked: ProcessNode) -> list[str]:
        return sorted(one["version"] for one in raw_at(asked)["nodes"])

    def schema() -> str:
        place = target(url).schema
        return postgres.cluster().sql(f"SELECT version FROM {place}.store").strip()

    nodes = [node("0"), node("1")]
    try:
        for one in nodes:
            one.start()
        assert schema() == str(SCHEMA)

        @contextmanager
        def upgrade() -> Iterator[None]:
            for number, old in enumerate(nodes.copy()):
                assert old.stop() == 0
                nodes[number] = node(f"next-{number}", following, old.port).start()
                assert schema() == str(SCHEMA + 1)
                beside = [lambent.__version__] if number == 0 else [NEXT]
                assert versions(nodes[0]) == sorted([NEXT, *beside])
                # Both do everything: the previous version, too, with the new schema.
                for asked in nodes:
                    _works(connect(asked.endpoint, "dynamodb"))
            yield

        during(upgrade(), Crowd(connect, nodes, fifo=True), Crowd(connect, nodes, fifo=False))
    finally:
        for one in nodes:
            one.kill()


def _works(dynamodb: Any) -> None:
    dynamodb.create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"key": {"S": "item"}}
    dynamodb.put_item(TableName="table", Item=item)
    assert dynamodb.scan(TableName="table")["Items"] == [item]
    dynamodb.delete_table(TableName="table")
