"""STS's contribution to a node."""

from __future__ import annotations

from lambent.services.contract import Platform, Service
from lambent.services.sts.operations import Operations


def create(platform: Platform) -> Service:
    """The service on this platform."""
    return Service(name="sts", operations=Operations(platform))
