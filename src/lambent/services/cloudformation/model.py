"""What CloudFormation stores: stacks, their resources, change sets and events.

A stack's life: an API call writes the stack with an `Operation` and enqueues work in one
transaction; the engine carries the operation through its phases; each step it takes is a
record, so whoever claims the work after a crash goes on where the last one stopped.

Phases of an operation, by kind:

    create:  forward → (done) | rollback → (done)
    update:  forward → cleanup → (done) | rollback → rollback-cleanup → (done)
    delete:  delete → (done)
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

QUEUE = "cloudformation.operations"

Kind = Literal["create", "update", "delete"]
Phase = Literal["forward", "cleanup", "rollback", "rollback-cleanup", "delete"]
Action = Literal["create", "update", "replace"]


class ParameterValue(Struct, frozen=True):
    """A parameter's value: as given, and what `Ref` gives for it."""

    given: str
    value: Any
    no_echo: bool = False
    from_ssm: bool = False


class Definition(Struct, frozen=True):
    """All that a deployment is made from: the template, and what fills it in.

    `processed` is the template after transforms, as JSON values.
    """

    body: str
    processed: dict[str, Any]
    parameters: dict[str, ParameterValue] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    notification_arns: list[str] = field(default_factory=list)
    role_arn: str | None = None

    @property
    def description(self) -> str | None:
        """The template's own description."""
        text = self.processed.get("Description")
        return text if isinstance(text, str) else None


class Operation(Struct):
    """What is being done to a stack, and how far it has come."""

    id: str
    kind: Kind
    phase: Phase
    endpoint: str
    principal: str = ""
    access_key: str = ""
    client_token: str | None = None
    on_failure: Literal["ROLLBACK", "DELETE", "DO_NOTHING"] = "ROLLBACK"
    previous: Definition | None = None
    before: str = ""
    """The stack's status before the operation, for a deletion that is refused."""
    retain: list[str] = field(default_factory=list)
    force: bool = False
    policy: str | None = None
    """The stack policy for this update alone."""
    work: int = 0
    """The id of the work item that carries it."""


class Output(Struct, frozen=True):
    """One resolved output of a stack."""

    key: str
    value: str
    description: str | None = None
    export: str | None = None


class Stack(Struct):
    """One stack. `id` is its ARN. Times in seconds since the epoch."""

    id: str
    name: str
    account: str
    region: str
    status: str
    definition: Definition
    created: float
    reason: str | None = None
    updated: float | None = None
    deleted: float | None = None
    outputs: list[Output] = field(default_factory=list)
    operation: Operation | None = None
    disable_rollback: bool = False
    termination_protection: bool = False
    timeout_minutes: int | None = None
    policy: str | None = None
    change_set: str | None = None
    parent: str | None = None
    root: str | None = None
    drift: str = "NOT_CHECKED"
    drift_time: float | None = None
    token: str | None = None
    """What began its last operation: the kind and the client's token."""


class Snapshot(Struct, frozen=True):
    """A resource as it was before the operation that is changing it."""

    type: str
    physical_id: str
    attributes: dict[str, Any]
    properties: dict[str, Any]
    metadata: dict[str, Any]
    depends_on: list[str]
    deletion_policy: str
    replace_policy: str
    generation: int
    shown: dict[str, Any] | None = None


class Pending(Struct, frozen=True):
    """A step that was begun and not yet finished."""

    action: Action
    properties: dict[str, Any]
    metadata: dict[str, Any]
    shown: dict[str, Any] | None = None
    """The properties as histories may show them: without secrets."""
    creation_policy: dict[str, Any] = field(default_factory=dict)


class Resource(Struct):
    """One logical resource of a stack.

    `touched` is the id of the operation that has dealt with it last. `before` is what that
    operation found (None: it made the resource). `generation` counts replacements and makes
    each physical name its own. `template` is the resource's section as deployed.
    """

    logical_id: str
    type: str
    status: str
    updated: float
    reason: str | None = None
    physical_id: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    depends_on: list[str] = field(default_factory=list)
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"
    generation: int = 0
    touched: str = ""
    pending: Pending | None = None
    before: Snapshot | None = None
    shown: dict[str, Any] | None = None
    drift: str = "NOT_CHECKED"
    drift_time: float | None = None

    def snapshot(self) -> Snapshot:
        """The resource as it is now."""
        return Snapshot(
            self.type,
            self.physical_id,
            self.attributes,
            self.properties,
            self.metadata,
            self.depends_on,
            self.deletion_policy,
            self.replace_policy,
            self.generation,
            self.shown,
        )


class Leftover(Struct, frozen=True):
    """A physical resource that a replacement has put out of use; deleted at clean-up."""

    logical_id: str
    type: str
    physical_id: str
    properties: dict[str, Any]
    metadata: dict[str, Any]
    depends_on: list[str]
    policy: str
    shown: dict[str, Any] | None = None


class StackEvent(Struct, frozen=True):
    """One line of a stack's history."""

    id: str
    time: float
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str | None = None
    properties: str | None = None
    client_token: str | None = None


class PropertyChange(Struct, frozen=True):
    """One property that an update changes; `recreation` is Always or Never."""

    attribute: str
    name: str | None
    recreation: str
    causing: str | None = None
    source: str = "DirectModification"
    evaluation: str = "Static"


class ResourceChange(Struct, frozen=True):
    """What a change set will do to one resource."""

    action: str
    logical_id: str
    physical_id: str
    type: str
    replacement: str | None = None
    scope: list[str] = field(default_factory=list)
    details: list[PropertyChange] = field(default_factory=list)
    policy_action: str | None = None


class ChangeSet(Struct):
    """A proposed definition of a stack, and what it would change."""

    id: str
    name: str
    stack_id: str
    stack_name: str
    kind: Literal["CREATE", "UPDATE"]
    status: str
    execution: str
    created: float
    definition: Definition
    changes: list[ResourceChange] = field(default_factory=list)
    reason: str | None = None
    description: str | None = None
    on_failure: str | None = None
    client_token: str | None = None
