"""IAM's contribution to a node."""

from __future__ import annotations

from lambent.services.contract import Platform, Service
from lambent.services.iam.operations import Operations
from lambent.services.iam.resources import resource_types


def create(platform: Platform) -> Service:
    """The service on this platform."""
    operations = Operations(platform.store, platform.ids)
    return Service(name="iam", operations=operations, resources=resource_types(operations))
