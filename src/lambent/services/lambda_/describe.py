"""How functions, versions and aliases look in answers. Plain functions of what is stored."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from lambent.host.report import runtime_arn
from lambent.services.lambda_ import own_settings, snapshots
from lambent.services.lambda_.model import Alias, Function, Version
from lambent.services.lambda_.names import Reference
from lambent.services.lambda_.snapshots import ACTIVE

_ONLY_SINGLE = (
    # ListFunctions leaves these out: see its documentation.
    "State",
    "StateReason",
    "StateReasonCode",
    "LastUpdateStatus",
    "LastUpdateStatusReason",
    "LastUpdateStatusReasonCode",
    "RuntimeVersionConfig",
)


def configuration(
    reference: Reference,
    version: Version,
    *,
    qualified: bool = False,
    creating: bool = False,
    updating: bool = False,
) -> dict[str, Any]:
    """A FunctionConfiguration.

    `qualified` puts the reference's qualifier (else the version's number) into the ARN.
    `creating` and `updating` show the state that an answer to those calls shows.
    """
    snapshot = version.snapshot or ACTIVE
    arn = reference.arn
    if qualified:
        arn = f"{arn}:{reference.qualifier or version.number}"
    runtime = version.settings["Runtime"]
    shown: dict[str, Any] = {
        "FunctionName": reference.name,
        "FunctionArn": arn,
        **{name: value for name, value in version.settings.items() if name != own_settings.MEMBER},
        "CodeSize": version.size,
        "CodeSha256": base64.b64encode(bytes.fromhex(version.sha256)).decode(),
        "LastModified": timestamp(version.modified),
        "Version": version.number,
        "RevisionId": version.revision,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "SnapStart": {
            "ApplyOn": version.settings["SnapStart"]["ApplyOn"],
            "OptimizationStatus": "On"
            if snapshots.applies(version) and snapshot.state == "Active"
            else "Off",
        },
        "RuntimeVersionConfig": {"RuntimeVersionArn": runtime_arn(runtime, reference.region)},
    }
    if creating:
        del shown["LastUpdateStatus"]
        shown["State"] = "Pending"
        shown["StateReason"] = "The function is being created."
        shown["StateReasonCode"] = "Creating"
    elif updating:
        shown["LastUpdateStatus"] = "InProgress"
        shown["LastUpdateStatusReason"] = "The function is being created."
        shown["LastUpdateStatusReasonCode"] = "Creating"
    if snapshots.applies(version) and snapshot.state != "Active":
        shown["State"] = snapshot.state
        shown["StateReason"], shown["StateReasonCode"] = snapshot.reason, snapshot.code
    return shown


def listed(reference: Reference, version: Version, *, qualified: bool = False) -> dict[str, Any]:
    """A FunctionConfiguration as lists show it."""
    shown = configuration(reference, version, qualified=qualified)
    for member in _ONLY_SINGLE:
        shown.pop(member, None)
    return shown


def alias(reference: Reference, name: str, stored: Alias) -> dict[str, Any]:
    """An AliasConfiguration."""
    shown: dict[str, Any] = {
        "AliasArn": f"{reference.arn}:{name}",
        "Name": name,
        "FunctionVersion": stored.version,
        "Description": stored.description,
        "RevisionId": stored.revision,
    }
    if stored.weights:
        shown["RoutingConfig"] = {"AdditionalVersionWeights": dict(stored.weights)}
    return shown


def retries(reference: Reference, function: Function, qualifier: str) -> dict[str, Any]:
    """A FunctionEventInvokeConfig."""
    return {
        "FunctionArn": f"{reference.arn}:{qualifier}",
        **function.retries[qualifier],
    }


def timestamp(seconds: float) -> str:
    """`2019-11-14T18:16:05.568+0000`, as LastModified is written."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"
