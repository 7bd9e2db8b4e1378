"""What the folder contributes to a node."""

from __future__ import annotations

from lambent.services.contract import Platform, Service
from lambent.services.idempotency.api import ROOT, IdempotencyApi
from lambent.services.idempotency.sweeping import sweeping


def create(platform: Platform) -> Service:
    """Keyed outcomes for one node."""
    return Service(
        name="idempotency",
        routes={ROOT: IdempotencyApi(platform).answer},
        open_to_principals=frozenset((ROOT,)),
        duties=(sweeping(platform.store, platform.clock),),
    )
