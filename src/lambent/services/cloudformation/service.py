"""CloudFormation's contribution to a node."""

from __future__ import annotations

import dataclasses

from lambent.services.cloudformation.custom import CustomResource
from lambent.services.cloudformation.engine import Engine
from lambent.services.cloudformation.kinds import CUSTOM, Kinds
from lambent.services.cloudformation.macros import MacroResource
from lambent.services.cloudformation.mail import Mail
from lambent.services.cloudformation.operations import Operations
from lambent.services.cloudformation.resources import Inert, NestedStack
from lambent.services.cloudformation.waiting import WaitCondition, WaitConditionHandle
from lambent.services.contract import Platform, Service


def create(platform: Platform) -> Service:
    """The service on this platform; `start` begins to carry out stack operations."""
    platform = dataclasses.replace(platform, resources=Kinds(platform.resources))
    engine = Engine(platform)
    mail = Mail(platform)
    return Service(
        name="cloudformation",
        operations=Operations(platform, engine, mail),
        sites=[mail.site()],
        resources={
            "AWS::CloudFormation::Macro": MacroResource(platform),
            CUSTOM: CustomResource(platform, mail),
            "AWS::CloudFormation::Stack": NestedStack(platform, engine),
            "AWS::CloudFormation::WaitCondition": WaitCondition(mail),
            "AWS::CloudFormation::WaitConditionHandle": WaitConditionHandle(mail),
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
