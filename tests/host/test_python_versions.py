"""Python: a function of another version than the node's runs, and its log says so."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest
from tests.host.conftest import OWN_RUNTIME, Function

pytestmark = pytest.mark.asyncio(loop_scope="session")
SOURCE = "import sys\ndef handler(event, context): return list(sys.version_info[:2])"


async def test_another_version_is_told(function: Callable[..., Function]) -> None:
    run = function(SOURCE, runtime="python3.6")
    assert json.loads((await run()).payload) == list(sys.version_info[:2])
    notice = f"[lambent] python3.6 runs by {OWN_RUNTIME} here\n"
    assert run.log.count(notice) == 1


async def test_the_nodes_own_version_is_not(function: Callable[..., Function]) -> None:
    run = function(SOURCE, runtime=OWN_RUNTIME)
    await run()
    assert not any(line.startswith("[lambent]") for line in run.log)
