"""SnapStart: which versions have it, what it cannot be combined with, and how far they are.

Plain functions. Source: Lambda Developer Guide,
"Improving startup performance with Lambda SnapStart". What runtimes can have a snapshot is
not checked, as AWS's API does not: where none can be taken, each environment is initialised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambent.services.lambda_ import errors
from lambent.services.lambda_.model import Snapshot, Version
from lambent.services.lambda_.names import LATEST

MOST_STORAGE = 512
"""MB of /tmp that a snapshot can have."""


def applies(version: Version) -> bool:
    """Whether it is a version that is initialised when it is published."""
    return version.number != LATEST and enabled(version.settings)


def enabled(settings: Mapping[str, Any]) -> bool:
    """Whether versions published with these settings are."""
    return bool(settings["SnapStart"]["ApplyOn"] == "PublishedVersions")


def check(settings: Mapping[str, Any]) -> None:
    """InvalidParameterValueException when the settings forbid a snapshot that they ask for."""
    if not enabled(settings):
        return
    if settings["EphemeralStorage"]["Size"] > MOST_STORAGE:
        raise errors.invalid(
            f"Ephemeral storage over {MOST_STORAGE} MB is not supported for SnapStart enabled "
            "functions."
        )
    if settings.get("FileSystemConfigs"):
        raise errors.invalid("EFS is not supported for SnapStart enabled functions.")


def check_provisioned(version: Version) -> None:
    """InvalidParameterValueException when the version cannot have provisioned concurrency."""
    if applies(version):
        raise errors.invalid(
            "Provisioned Concurrency is not supported for SnapStart enabled functions."
        )


PENDING = Snapshot("Pending", "Creating", "The function is being created.")
ACTIVE = Snapshot("Active")
_CODES = {
    "Sandbox.Timedout": "FunctionError.InitTimeout",
    "Runtime.OutOfMemory": "FunctionError.InitResourceExhausted",
    "Extension.InitError": "FunctionError.ExtensionInitError",
}


def failed(error_type: str, message: str) -> Snapshot:
    """The initialisation failed."""
    code = _CODES.get(error_type, "FunctionError.RuntimeInitError")
    return Snapshot("Failed", code, f"{error_type}: {message}")
