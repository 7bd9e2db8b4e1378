"""The real example with its real photos, killed in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.conftest import ClientFactory
from tests.crash.killing import killed_at, moments
from tests.crash.thumbnails import EXAMPLE, Thumbnails
from tests.support.nodes import ProcessNode

pytestmark = pytest.mark.crash


def test_the_real_example_is_finished_after_kills_in_its_middle(
    node_process: Callable[..., ProcessNode], connect: ClientFactory, account: str
) -> None:
    node = node_process()
    lambent = Path(sys.executable).with_name("lambent")
    credentials = {"AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "local"}
    subprocess.run(
        [lambent, "deploy", EXAMPLE / "template.yaml", "--endpoint", node.endpoint],
        env=os.environ | credentials,
        check=True,
        capture_output=True,
    )
    photos = {
        path.name: path.read_bytes()
        for path in (EXAMPLE / "photos").iterdir()
        if path.suffix in (".jpg", ".png")
    }
    job = Thumbnails(partial(connect, node.endpoint), "thumbnails")
    job.wait_until_created()
    with killed_at(node, moments(seed=0, kills=2, longest=1.5)):
        job.upload(photos)
        job.wait_until_through(photos)
    job.wait_until_through(photos)
