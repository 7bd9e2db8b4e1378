from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lambent.core.clock import VirtualClock
from lambent.core.ids import SeededIds
from lambent.store.contract import Store

from .backends import BACKENDS, Backend


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    return chosen(request)


def chosen(request: pytest.FixtureRequest) -> Backend:
    """The backend of a fixture's parameter, or a skip that says why not."""
    backend: Backend = request.param
    if backend.missing:
        pytest.skip(backend.missing)
    return backend


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def store(backend: Backend, clock: VirtualClock, tmp_path: Path) -> AsyncIterator[Store]:
    store = await backend.open(tmp_path / "data", clock, SeededIds(1))
    yield store
    await store.close()
