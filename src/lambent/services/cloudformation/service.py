"""CloudFormation's contribution to a node."""

from __future__ import annotations

from lambent.services.cloudformation.engine import Engine
from lambent.services.cloudformation.operations import Operations
from lambent.services.cloudformation.resources import Inert, NestedStack
from lambent.services.contract import Platform, Service


def create(platform: Platform) -> Service:
    """The service on this platform; `start` begins to carry out stack operations."""
    engine = Engine(platform)
    return Service(
        name="cloudformation",
        operations=Operations(platform, engine),
        resources={
            "AWS::CloudFormation::Stack": NestedStack(platform, engine),
            "AWS::CloudFormation::WaitConditionHandle": Inert(),
            "AWS::CDK::Metadata": Inert("Analytics"),
            "AWS::CodeDeploy::Application": Inert(
                "ComputePlatform", "Tags", name="ApplicationName"
            ),
            "AWS::CodeDeploy::DeploymentGroup": Inert(
                *("AlarmConfiguration", "ApplicationName", "AutoRollbackConfiguration"),
                *("DeploymentConfigName", "DeploymentStyle", "ServiceRoleArn", "Tags"),
                "TriggerConfigurations",
                name="DeploymentGroupName",
            ),
        },
        start=engine.start,
        stop=engine.stop,
    )
