"""What a function can be set to: defaults, limits, and how an update changes it.

Plain functions. Source: Lambda API Reference, CreateFunction and
UpdateFunctionConfiguration; Lambda Developer Guide, "Lambda quotas" and "Defined runtime
environment variables".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from lambent.core.context import Params
from lambent.services.lambda_ import errors, own_settings, snapshots
from lambent.services.lambda_.bounds import check_number
from lambent.services.lambda_.durable import config as durable

RUNTIMES = (
    "nodejs26.x",
    "nodejs24.x",
    "nodejs22.x",
    "nodejs20.x",
    "nodejs18.x",
    "nodejs16.x",
    "nodejs14.x",
    "nodejs12.x",
    "nodejs10.x",
    "nodejs8.10",
    "java25",
    "java21",
    "java17",
    "java17.al2023",
    "java11",
    "java11.al2023",
    "java8.al2",
    "java8.al2023",
    "java8",
    "python3.15",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python3.9",
    "python3.8",
    "python3.7",
    "python3.6",
    "dotnet10",
    "dotnet8",
    "dotnet6",
    "dotnetcore3.1",
    "ruby4.0",
    "ruby3.4",
    "ruby3.3",
    "ruby3.2",
    "ruby2.7",
    "provided.al2023",
    "provided.al2",
    "provided",
    "go1.x",
)
RETIRED = (
    "nodejs",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "python2.7",
    "ruby2.5",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
)
"""Runtimes that Lambda knew once: layers may name them, functions no more."""
RESERVED_VARIABLES = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)
ENVIRONMENT_BYTES = 4096
MINIMUM_TIMEOUT = 1
MAXIMUM_TIMEOUT = 900
MINIMUM_MEMORY = 128
MAXIMUM_MEMORY = 10240
MINIMUM_EPHEMERAL = 512
MAXIMUM_EPHEMERAL = 10240
MAXIMUM_LAYERS = 5

_MEMBERS = (
    # Those that are kept as they were given.
    "Runtime",
    "Role",
    "Handler",
    "Description",
    "Timeout",
    "MemorySize",
    "KMSKeyArn",
    "TracingConfig",
    "EphemeralStorage",
    "FileSystemConfigs",
)
_ROLE = re.compile(r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+")


def create(name: str, params: Params) -> dict[str, Any]:
    """The settings of a new function. Layers are left to the caller.

    AwsError when a value cannot be.
    """
    if params.get("PackageType", "Zip") != "Zip" or "ImageUri" in params.get("Code", {}):
        raise errors.invalid(
            "Functions from container images are not available on this node: "
            "package the function as a .zip file archive."
        )
    if not params.get("Runtime") or not params.get("Handler"):
        raise errors.invalid(
            "Runtime and Handler are mandatory parameters for functions created with "
            "deployment packages."
        )
    defaults: dict[str, Any] = {
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "TracingConfig": {"Mode": "PassThrough"},
        "EphemeralStorage": {"Size": 512},
        "PackageType": "Zip",
        "Architectures": params.get("Architectures") or ["x86_64"],
        "SnapStart": {"ApplyOn": "None"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
    if params.get(durable.MEMBER):
        defaults[durable.MEMBER] = durable.create(params[durable.MEMBER])
    return update(name, defaults, params)


def update(name: str, present: Mapping[str, Any], params: Params) -> dict[str, Any]:
    """The settings after an update that names some of them."""
    check(params)
    settings = dict(present)
    for member in _MEMBERS:
        if member in params:
            settings[member] = params[member]
    if "Environment" in params:
        variables = params["Environment"].get("Variables") or {}
        _check_environment(variables)
        settings.pop("Environment", None)
        if variables:
            settings["Environment"] = {"Variables": dict(variables)}
    if "DeadLetterConfig" in params:
        settings.pop("DeadLetterConfig", None)
        if params["DeadLetterConfig"].get("TargetArn"):
            settings["DeadLetterConfig"] = {"TargetArn": params["DeadLetterConfig"]["TargetArn"]}
    if "VpcConfig" in params:
        vpc = params["VpcConfig"]
        settings["VpcConfig"] = {
            "SubnetIds": vpc.get("SubnetIds", []),
            "SecurityGroupIds": vpc.get("SecurityGroupIds", []),
            "VpcId": "",
            "Ipv6AllowedForDualStack": vpc.get("Ipv6AllowedForDualStack", False),
        }
    if "SnapStart" in params:
        settings["SnapStart"] = {"ApplyOn": params["SnapStart"].get("ApplyOn", "None")}
    if own_settings.MEMBER in params:  # from a template; the API's model has no such member
        settings[own_settings.MEMBER] = params[own_settings.MEMBER]
    if "LoggingConfig" in params:
        settings["LoggingConfig"] = _logging(name, params["LoggingConfig"])
    if params.get(durable.MEMBER):
        settings[durable.MEMBER] = durable.update(
            present.get(durable.MEMBER), params[durable.MEMBER]
        )
    for member in ("KMSKeyArn", "FileSystemConfigs"):
        if not settings.get(member):
            settings.pop(member, None)
    snapshots.check(settings)
    return settings


def _logging(name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    form = wanted.get("LogFormat", "Text")
    logging: dict[str, Any] = {"LogFormat": form}
    levels = [level for level in ("ApplicationLogLevel", "SystemLogLevel") if wanted.get(level)]
    if form == "JSON":
        logging["ApplicationLogLevel"] = wanted.get("ApplicationLogLevel") or "INFO"
        logging["SystemLogLevel"] = wanted.get("SystemLogLevel") or "INFO"
    elif levels:
        raise errors.invalid(f"{levels[0]} is only applicable when LogFormat is set to JSON")
    logging["LogGroup"] = wanted.get("LogGroup") or f"/aws/lambda/{name}"
    return logging


def check(params: Params) -> None:
    """AwsError when a value cannot be, whatever the function is."""
    runtime = params.get("Runtime")
    if runtime in RETIRED:
        raise errors.invalid(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        )
    if runtime is not None:
        check_runtime(runtime, "runtime")
    role = params.get("Role")
    if role is not None and _ROLE.fullmatch(role) is None:
        raise errors.validation(
            role, "role", f"Member must satisfy regular expression pattern: {_ROLE.pattern}"
        )
    check_number(params, "Timeout", "timeout", MINIMUM_TIMEOUT, MAXIMUM_TIMEOUT)
    check_number(params, "MemorySize", "memorySize", MINIMUM_MEMORY, MAXIMUM_MEMORY)
    ephemeral = params.get("EphemeralStorage") or {}
    shown = "ephemeralStorage.size"
    check_number(ephemeral, "Size", shown, MINIMUM_EPHEMERAL, MAXIMUM_EPHEMERAL)
    if len(params.get("Layers") or ()) > MAXIMUM_LAYERS:
        raise errors.invalid(f"Cannot reference more than {MAXIMUM_LAYERS} layers.")


def check_runtime(runtime: str, shown: str) -> None:
    """InvalidParameterValueException when it is no runtime's identifier, and never was."""
    if runtime not in RUNTIMES and runtime not in RETIRED:
        raise errors.invalid(
            f"Value {runtime} at '{shown}' failed to satisfy constraint: Member must satisfy "
            f"enum value set: [{', '.join(RUNTIMES)}] or be a valid ARN"
        )


def _check_environment(variables: Mapping[str, str]) -> None:
    reserved = [key for key in variables if key in RESERVED_VARIABLES]
    if reserved:
        raise errors.invalid(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not "
            "supported for modification. Reserved keys used in this request: " + ", ".join(reserved)
        )
    text = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(text.encode()) > ENVIRONMENT_BYTES:
        raise errors.invalid(
            "Lambda was unable to configure your environment variables because the environment "
            f"variables you have provided exceeded the 4KB limit. String measured: {text}"
        )
