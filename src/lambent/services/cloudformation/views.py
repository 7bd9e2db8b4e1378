"""Stored things as the API shows them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from lambent.services.cloudformation.intrinsics import text
from lambent.services.cloudformation.model import (
    ChangeSet,
    Definition,
    ParameterValue,
    Resource,
    ResourceChange,
    Stack,
    StackEvent,
)
from lambent.services.cloudformation.parameters import MASK

_CONSTRAINTS = ("AllowedValues",)


def tags(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as a list."""
    return [{"Key": key, "Value": value} for key, value in values.items()]


def parameter_list(values: Mapping[str, ParameterValue]) -> list[dict[str, Any]]:
    """A stack's parameters; secret ones masked."""
    shown = []
    for name, one in values.items():
        entry = {"ParameterKey": name, "ParameterValue": MASK if one.no_echo else one.given}
        if one.from_ssm:
            entry["ResolvedValue"] = text(one.value)
        shown.append(entry)
    return shown


def _stack_drift(one: Stack) -> dict[str, Any]:
    return {"StackDriftStatus": one.drift, "LastCheckTimestamp": one.drift_time}


def _resource_drift(one: Resource) -> dict[str, Any]:
    return {"StackResourceDriftStatus": one.drift, "LastCheckTimestamp": one.drift_time}


def stack(one: Stack) -> dict[str, Any]:
    """A stack in DescribeStacks."""
    definition = one.definition
    return {
        "StackId": one.id,
        "StackName": one.name,
        "ChangeSetId": one.change_set,
        "Description": definition.description,
        "Parameters": parameter_list(definition.parameters),
        "CreationTime": one.created,
        "DeletionTime": one.deleted,
        "LastUpdatedTime": one.updated,
        "RollbackConfiguration": {},
        "StackStatus": one.status,
        "StackStatusReason": one.reason,
        "DisableRollback": one.disable_rollback,
        "NotificationARNs": definition.notification_arns,
        "TimeoutInMinutes": one.timeout_minutes,
        "Capabilities": definition.capabilities,
        "Outputs": [
            {
                "OutputKey": output.key,
                "OutputValue": output.value,
                "Description": output.description,
                "ExportName": output.export,
            }
            for output in one.outputs
        ],
        "RoleARN": definition.role_arn,
        "Tags": tags(definition.tags),
        "EnableTerminationProtection": one.termination_protection,
        "ParentId": one.parent,
        "RootId": one.root,
        "DriftInformation": _stack_drift(one),
    }


def summary(one: Stack) -> dict[str, Any]:
    """A stack in ListStacks."""
    return {
        "StackId": one.id,
        "StackName": one.name,
        "TemplateDescription": one.definition.description,
        "CreationTime": one.created,
        "LastUpdatedTime": one.updated,
        "DeletionTime": one.deleted,
        "StackStatus": one.status,
        "StackStatusReason": one.reason,
        "ParentId": one.parent,
        "RootId": one.root,
        "DriftInformation": _stack_drift(one),
    }


def event(owner: Stack, one: StackEvent) -> dict[str, Any]:
    """A line of a stack's history."""
    return {
        "StackId": owner.id,
        "EventId": one.id,
        "StackName": owner.name,
        "LogicalResourceId": one.logical_id,
        "PhysicalResourceId": one.physical_id,
        "ResourceType": one.type,
        "Timestamp": one.time,
        "ResourceStatus": one.status,
        "ResourceStatusReason": one.reason,
        "ResourceProperties": one.properties,
        "ClientRequestToken": one.client_token,
    }


def resource_summary(one: Resource) -> dict[str, Any]:
    """A resource in ListStackResources."""
    return {
        "LogicalResourceId": one.logical_id,
        "PhysicalResourceId": one.physical_id or None,
        "ResourceType": one.type,
        "LastUpdatedTimestamp": one.updated,
        "ResourceStatus": one.status,
        "ResourceStatusReason": one.reason,
        "DriftInformation": _resource_drift(one),
    }


def resource(owner: Stack, one: Resource) -> dict[str, Any]:
    """A resource in DescribeStackResources."""
    return {
        "StackName": owner.name,
        "StackId": owner.id,
        "LogicalResourceId": one.logical_id,
        "PhysicalResourceId": one.physical_id or None,
        "ResourceType": one.type,
        "Timestamp": one.updated,
        "ResourceStatus": one.status,
        "ResourceStatusReason": one.reason,
        "DriftInformation": _resource_drift(one),
    }


def resource_detail(owner: Stack, one: Resource) -> dict[str, Any]:
    """A resource in DescribeStackResource."""
    shown = resource(owner, one)
    shown["LastUpdatedTimestamp"] = shown.pop("Timestamp")
    if one.metadata:
        shown["Metadata"] = json.dumps(one.metadata)
    return shown


def declared_parameters(template: Mapping[str, Any], *, full: bool) -> list[dict[str, Any]]:
    """A template's parameters; `full` as GetTemplateSummary, else as ValidateTemplate."""
    shown = []
    for name, one in (template.get("Parameters") or {}).items():
        entry: dict[str, Any] = {
            "ParameterKey": name,
            "DefaultValue": None if "Default" not in one else text(one["Default"]),
            "NoEcho": text(one.get("NoEcho", False)).lower() == "true",
            "Description": one.get("Description"),
        }
        if full:
            entry["ParameterType"] = one["Type"]
            entry["ParameterConstraints"] = {
                key: [text(value) for value in one[key]] for key in _CONSTRAINTS if key in one
            }
        shown.append(entry)
    return shown


def capability_members(needed: Iterable[str], types: Iterable[str]) -> dict[str, Any]:
    """What GetTemplateSummary and ValidateTemplate say of capabilities."""
    listed = list(needed)
    if not listed:
        return {}
    return {
        "Capabilities": listed,
        "CapabilitiesReason": "The following resource(s) require capabilities: "
        f"[{', '.join(types)}]",
    }


def template_summary(template: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of GetTemplateSummary that only the template decides."""
    metadata = template.get("Metadata")
    types = [one["Type"] for one in template["Resources"].values()]
    return {
        "Parameters": declared_parameters(template, full=True),
        "Description": template.get("Description"),
        "ResourceTypes": list(dict.fromkeys(types)),
        "Version": template.get("AWSTemplateFormatVersion"),
        "Metadata": None if metadata is None else json.dumps(metadata),
        "ResourceIdentifierSummaries": [],
    }


def _change(one: ResourceChange) -> dict[str, Any]:
    return {
        "Type": "Resource",
        "ResourceChange": {
            "PolicyAction": one.policy_action if one.action != "Add" else None,
            "Action": one.action,
            "LogicalResourceId": one.logical_id,
            "PhysicalResourceId": one.physical_id or None,
            "ResourceType": one.type,
            "Replacement": one.replacement,
            "Scope": one.scope,
            "Details": [
                {
                    "Target": {
                        "Attribute": detail.attribute,
                        "Name": detail.name,
                        "RequiresRecreation": detail.recreation,
                    },
                    "Evaluation": detail.evaluation,
                    "ChangeSource": detail.source,
                    "CausingEntity": detail.causing,
                }
                for detail in one.details
            ],
        },
    }


def change_set_summary(one: ChangeSet) -> dict[str, Any]:
    """A change set in ListChangeSets."""
    return {
        "StackId": one.stack_id,
        "StackName": one.stack_name,
        "ChangeSetId": one.id,
        "ChangeSetName": one.name,
        "ExecutionStatus": one.execution,
        "Status": one.status,
        "StatusReason": one.reason,
        "CreationTime": one.created,
        "Description": one.description,
        "IncludeNestedStacks": False,
        "ImportExistingResources": False,
    }


def change_set(one: ChangeSet) -> dict[str, Any]:
    """A change set in DescribeChangeSet."""
    definition: Definition = one.definition
    return {
        **change_set_summary(one),
        "Parameters": parameter_list(definition.parameters),
        "NotificationARNs": definition.notification_arns,
        "RollbackConfiguration": {},
        "Capabilities": definition.capabilities,
        "Tags": tags(definition.tags),
        "Changes": [_change(change) for change in one.changes],
        "OnStackFailure": one.on_failure,
    }
