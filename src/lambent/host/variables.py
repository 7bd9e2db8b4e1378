"""The environment variables that a function finds: pure.

Source: Lambda Developer Guide, "Working with Lambda environment variables". Nothing of the
node's own environment is passed on.
"""

from __future__ import annotations

from collections.abc import Mapping

from lambent.host.contract import FunctionSpec

_PATH = "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"
_LIBRARIES = "/var/lang/lib:/lib64:/usr/lib64:{task}:{task}/lib:/opt/lib"


def variables(
    spec: FunctionSpec,
    *,
    task: str,
    log_group: str,
    log_stream: str,
    runtime_api: str,
    endpoint: str,
    credentials: Mapping[str, str],
    runtime: Mapping[str, str],
    initialization: str = "on-demand",
) -> dict[str, str]:
    """All variables of one environment. The function's own override what Lambda lets them
    (PATH, TZ, LANG, AWS_ENDPOINT_URL...), not what it reserves."""
    defaults = {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": _PATH,
        "LD_LIBRARY_PATH": _LIBRARIES.format(task=task),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    }
    reserved = {
        "_HANDLER": spec.handler,
        "AWS_REGION": spec.region,
        "AWS_DEFAULT_REGION": spec.region,
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_LOG_FORMAT": spec.log_format,
        "AWS_LAMBDA_INITIALIZATION_TYPE": initialization,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "LAMBDA_TASK_ROOT": task,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        **credentials,
        **runtime,
    }
    if spec.application_log_level:
        reserved["AWS_LAMBDA_LOG_LEVEL"] = spec.application_log_level
    if spec.snap_start:
        # A snapshot's environments have streams of their own (Lambda Developer Guide,
        # "Monitoring for Lambda SnapStart").
        del reserved["AWS_LAMBDA_LOG_GROUP_NAME"], reserved["AWS_LAMBDA_LOG_STREAM_NAME"]
    return {**defaults, **spec.environment, **reserved}
