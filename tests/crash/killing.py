"""A node that is killed while others use it, and callers who bear with it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from botocore.exceptions import ConnectionError, HTTPClientError
from tests.support.nodes import ProcessNode

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds in which whatever is waited for must have come about."""
_pause = threading.Event()


@contextmanager
def killed_at(node: ProcessNode, moments: list[float]) -> Iterator[None]:
    """While the body runs, kill the node and start it again, each time that many seconds
    after it came up. The body goes on with a node that is up; all kills happen."""
    errors: list[BaseException] = []

    def kill() -> None:
        try:
            for moment in moments:
                _pause.wait(moment)
                node.kill()
                node.start()
        except BaseException as error:
            errors.append(error)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        killer.join(PATIENCE * (1 + len(moments)))
    assert not errors, errors
    assert not killer.is_alive()


def moments(seed: int, kills: int, longest: float) -> list[float]:
    """Random times for `killed_at`, the same for the same seed."""
    chance = random.Random(seed)
    return [chance.uniform(0.0, longest) for _ in range(kills)]


def persist(call: Callable[[], T]) -> T:
    """The call's result, made again for as long as there is no node to answer it."""
    return until(lambda: _try(call), lambda answer: answer is not _NOTHING)


def until(look: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
    """Look again until it is enough; AssertionError with what was seen last if it never is."""
    seen = None
    for _ in range(int(PATIENCE / 0.05)):
        seen = look()
        if enough(seen):
            return seen
        _pause.wait(0.05)
    raise AssertionError(f"after {PATIENCE} s: {seen}")


_NOTHING = object()


def _try(call: Callable[[], T]) -> T | object:
    try:
        return call()
    except (ConnectionError, HTTPClientError):
        return _NOTHING
