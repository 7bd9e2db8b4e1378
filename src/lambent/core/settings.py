"""A node's settings: one frozen, validated object, passed in.

The environment and the command line are read once, by the command line; nothing below it
looks at them again.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from lambent.core.errors import StartupError

DEFAULT_ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"
DEFAULT_PORT = 4566
MEMORY = ":memory:"
NETWORK = ("host", "none")
SANDBOX = ("auto", "require", "off")
SCRAPE_TOKEN_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """How one node runs.

    `data_dir` None means nothing outlives the process (`--data-dir :memory:`). `auth` is
    whether signatures are verified; it is on for every address that is not loopback. `sandbox`
    is auto (isolate functions where the machine allows it), require, or off. `network` is host
    (functions use the machine's), or none (they reach the node and nothing else).
    `store` is the URL of a database that nodes share (it holds a password), beside which
    `data_dir` holds only what can be made again; None keeps everything in `data_dir`.
    `blobs` is where such nodes keep large bytes: a folder that all of them see, or a bucket's
    URL. `lease` is after how many seconds without a sign of life a node is lost to the others.
    `scrape_token` opens `/_lambent/metrics`, and nothing else, to its bearer.
    With `hold_queue_names` a queue cannot be made again within a minute of its deletion.
    """

    data_dir: Path | None
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    auth: bool = False
    region: str = DEFAULT_REGION
    account: str = DEFAULT_ACCOUNT
    sandbox: str = "auto"
    network: str = "host"
    store: str | None = field(default=None, repr=False)
    blobs: str | None = field(default=None, repr=False)
    lease: float = 10.0
    scrape_token: str | None = field(default=None, repr=False)
    hold_queue_names: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise StartupError(f"The port must lie between 0 and 65535, not {self.port}.")
        if not (len(self.account) == 12 and self.account.isascii() and self.account.isdecimal()):
            raise StartupError(f"An account is 12 digits, not {self.account}.")
        if self.sandbox not in SANDBOX:
            raise StartupError(f"The sandbox is one of {', '.join(SANDBOX)}, not {self.sandbox}.")
        if self.network not in NETWORK:
            raise StartupError(f"The network is one of {', '.join(NETWORK)}, not {self.network}.")
        if self.blobs is not None and self.store is None:
            raise StartupError("--blobs goes with --store; without it, blobs lie in --data-dir.")
        if not 1.0 <= self.lease <= 3600.0:
            raise StartupError(f"The lease is 1 to 3,600 seconds, not {self.lease:g}.")
        if self.scrape_token is not None and len(self.scrape_token) < SCRAPE_TOKEN_LENGTH:
            raise StartupError(f"The scrape token needs at least {SCRAPE_TOKEN_LENGTH} characters.")
        if not self.auth and not is_loopback(self.host):
            raise StartupError(
                f"Listening on {self.host} without --auth would let anyone in: "
                "add --auth, or listen on 127.0.0.1."
            )


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address) is reachable from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
