"""The main job, killed with SIGKILL at random moments: every photo is accounted for once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from tests.conftest import ClientFactory
from tests.crash.killing import killed_at, moments
from tests.crash.thumbnails import PHOTOS, Thumbnails, light_template
from tests.support.nodes import ProcessNode

pytestmark = pytest.mark.crash

# Two kills for each job: what a kill cuts off counts as an attempt, and the queue allows three.
KILLS = 2


def _rounds(
    node: ProcessNode, connect: ClientFactory, account: str, seeds: range, longest: float
) -> None:
    template = light_template()
    for seed in seeds:
        key = f"{int(account) + seed:012d}"
        client = partial(connect, node.endpoint, access_key=key)
        job = Thumbnails(client, f"round-{seed}")
        with killed_at(node, moments(seed, KILLS, longest)):
            job.create(template)
            job.wait_until_created()
            job.upload(PHOTOS)
            job.wait_until_through(PHOTOS)
        # And it stays so.
        job.wait_until_through(PHOTOS)


def test_every_photo_is_accounted_for_once_whenever_the_node_is_killed(
    node_process: Callable[..., ProcessNode], connect: ClientFactory, account: str
) -> None:
    _rounds(node_process(), connect, account, range(2), longest=1.5)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_photo_is_accounted_for_once_whenever_the_node_is_killed_long_form(
    node_process: Callable[..., ProcessNode], connect: ClientFactory, account: str
) -> None:
    _rounds(node_process(), connect, account, range(100, 150), longest=2.0)
