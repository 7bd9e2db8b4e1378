"""The contract of a CloudFormation resource type, declared by each service.

The deployment engine in `services/cloudformation` knows no resource; a service knows no
template. They meet here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lambent.core.context import RequestContext
from lambent.core.errors import AwsError

Properties = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Created:
    """A resource that exists now: what `Ref` gives, and what `Fn::GetAtt` gives by name."""

    physical_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResourceRequest:
    """What a resource type is told besides its properties.

    `context` carries account and region. `default_name` is a unique physical name in
    CloudFormation's manner (stack-logical-SUFFIX) for resources that were given none; a
    service with stricter rules (S3: lower case) adapts it. `metadata` is the resource's own
    Metadata section. `tags` are those of the stack. `resumed` says that an earlier attempt
    at this very creation was cut off: what is already there under this name is its own.
    `step` names this attempt to bring the resource somewhere, and is the same when the attempt
    is taken up again after a crash. `kind` is the template's name of the type, `creation_policy`
    the resource's CreationPolicy.
    """

    context: RequestContext
    logical_id: str
    default_name: str
    stack_name: str
    stack_id: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    resumed: bool = False
    step: str = ""
    kind: str = ""
    creation_policy: Mapping[str, Any] = field(default_factory=dict)


class LeftBehind(AwsError):
    """A creation failed, and what it may have left is deleted by `physical_id`. The message is
    the whole reason."""

    def __init__(self, message: str, physical_id: str = "") -> None:
        super().__init__("StackResourceFailure", message)
        self.physical_id = physical_id


class ResourceType(Protocol):
    """One CloudFormation resource type. Properties arrive with all intrinsics resolved.

    Errors are AwsErrors of the service's own operations; the engine makes them the
    resource's status reason. `delete` of what is already gone succeeds.

    A type may list what Fn::GetAtt can name in a further member, `attributes: frozenset[str]`
    (see `attribute_names`); other names are then refused before anything is made. One whose
    work is done by others, who answer when they like, has `awaited = True` (see `is_awaited`).
    """

    @property
    def properties(self) -> frozenset[str]:
        """The top-level properties that it understands; others are refused by name."""
        ...

    @property
    def required(self) -> frozenset[str]:
        """The properties that must be there."""
        ...

    @property
    def replaces(self) -> frozenset[str]:
        """The properties whose change needs a new resource in the old one's place."""
        ...

    async def create(self, request: ResourceRequest, properties: Properties) -> Created: ...

    async def update(
        self,
        request: ResourceRequest,
        physical_id: str,
        old: Properties,
        new: Properties,
    ) -> Created: ...

    async def delete(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> None: ...


class Reading(Protocol):
    """A resource type that can tell what there is, for drift detection."""

    async def read(
        self, request: ResourceRequest, physical_id: str, properties: Properties
    ) -> Properties | None:
        """The properties of the resource as they are now, in the template's form: of those that
        `properties` gives, as many as can be read. None, or an AwsError, when it is gone."""
        ...


def reading(kind: ResourceType | None) -> Reading | None:
    """The type as one that can tell what there is; None when it cannot."""
    found: Any = kind
    return found if hasattr(kind, "read") else None


def attribute_names(kind: ResourceType) -> frozenset[str] | None:
    """What Fn::GetAtt can name, for a type that lists it; None when only creation tells."""
    listed: frozenset[str] | None = getattr(kind, "attributes", None)
    return listed


def refusal(kind: ResourceType, old: Properties, new: Properties) -> str | None:
    """Why a resource of the type cannot be updated so; None when it may be tried. A type says it
    by a method `refuses(old, new)`."""
    refuses = getattr(kind, "refuses", None)
    reason: str | None = None if refuses is None else refuses(old, new)
    return reason


def is_awaited(kind: ResourceType) -> bool:
    """Whether others do the type's work and answer later. Such a resource does not hold up what
    does not depend on it, has its default name until the answer gives it another, may become
    another one by an update, and goes back by an update in every rollback."""
    return bool(getattr(kind, "awaited", False))
