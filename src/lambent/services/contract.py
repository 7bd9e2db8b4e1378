"""What a service is given, and what it contributes.

A service is a folder with a `service.py` that has `def create(platform: Platform) ->
Service`, or a sequence of them where AWS has two services over the same data. Services never
import each other; see `events.contract` and `core.registry`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lambent.cluster.cluster import Cluster
from lambent.core.clock import Clock
from lambent.core.duty import Duty
from lambent.core.ids import Ids
from lambent.core.metrics import Metrics
from lambent.core.registry import Registry
from lambent.core.resources import ResourceType
from lambent.core.settings import Settings
from lambent.core.web import Route, Site
from lambent.events.contract import Invocable, Source, Target, Targets
from lambent.host.contract import FunctionHost
from lambent.store.contract import Store
from lambent.store.removal import Kind


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything a service may use. `cache` is a folder for what can be made again (unpacked
    code). `resources` are all services' resource types, complete once every service is made.
    `metrics` counts what the node does."""

    settings: Settings
    clock: Clock
    ids: Ids
    store: Store
    host: FunctionHost
    registry: Registry
    cluster: Cluster
    targets: Targets
    resources: Mapping[str, ResourceType]
    cache: Path
    metrics: Metrics = field(default_factory=Metrics)


async def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Service:
    """What a folder contributes.

    `name` is botocore's name of the service model; `operations` is an object with one
    method per operation, named as boto3 names it:
    `async def send_message(self, context: RequestContext, params: Params) -> Result`.
    A folder that adds to Lambent's own API alone has no operations and any name.
    `routes` are by path below `/_lambent/`; one that ends in "/" takes every path below it.
    Callers are authenticated; in server mode they are administrators, except for the routes
    in `open_to_principals`, which every principal of an account may call (its functions too).
    `downloads` are by path below `/_lambent/`, ending in "/": each gives the bytes at what
    follows it, to anyone, so what follows holds a secret (AwsError when there is nothing).
    `sites` answer plain HTTP.
    `removes` are the service's own kinds of what `lambent.store.removal` is given.
    `start` runs once all services are made, and then the `duties` do; once they have ended,
    `stop` drains and ends what `start` began.
    """

    name: str
    operations: object | None = None
    resources: Mapping[str, ResourceType] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    invocables: Mapping[str, Invocable] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    routes: Mapping[str, Route] = field(default_factory=dict)
    open_to_principals: frozenset[str] = frozenset()
    downloads: Mapping[str, Callable[[str], Awaitable[bytes]]] = field(default_factory=dict)
    sites: Sequence[Site] = ()
    removes: Sequence[Kind] = ()
    duties: Sequence[Duty] = ()
    start: Callable[[], Awaitable[None]] = _nothing
    stop: Callable[[], Awaitable[None]] = _nothing
