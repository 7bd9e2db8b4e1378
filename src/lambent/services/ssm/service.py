"""What the folder contributes to a node."""

from __future__ import annotations

from lambent.services.contract import Platform, Service
from lambent.services.ssm.operations import ParameterOperations
from lambent.services.ssm.resources import ParameterResource


def create(platform: Platform) -> Service:
    """The Parameter Store for one node."""
    operations = ParameterOperations(platform.store)
    return Service(
        name="ssm",
        operations=operations,
        resources={"AWS::SSM::Parameter": ParameterResource(operations)},
    )
