"""Composition root: the only file that names concrete classes."""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import logging
import pkgutil
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

import msgspec

import lambent
import lambent.services
from lambent.cluster.cluster import Cluster
from lambent.core import exposition
from lambent.core.clock import Clock, SystemClock
from lambent.core.context import RequestContext
from lambent.core.credentials import AccessKey, local_token
from lambent.core.duty import Duty
from lambent.core.errors import AwsError, StartupError, StoreError
from lambent.core.ids import Ids, SystemIds
from lambent.core.metrics import Metrics
from lambent.core.registry import Registry
from lambent.core.resources import ResourceType
from lambent.core.settings import Settings
from lambent.core.temporary import TemporaryFolder
from lambent.core.web import PREFIX, Asked, Document, Route
from lambent.events import in_flight
from lambent.events.contract import Targets
from lambent.gateway.authenticate import Authenticator, Identity, Trusting
from lambent.gateway.dispatch import Dispatcher
from lambent.gateway.internal import InternalRoutes
from lambent.gateway.keys import StoredKeys
from lambent.gateway.requests import Requests
from lambent.gateway.server import HttpServer
from lambent.gateway.sites import Sites
from lambent.gateway.verifying import Verifying
from lambent.host.contract import FunctionHost, FunctionSpec
from lambent.host.figures import prices
from lambent.host.local import LocalHost, open_host
from lambent.host.logs import CloudWatchLogs
from lambent.host.sandboxes.local import LocalSandbox, open_sandbox
from lambent.protocol.catalog import Catalog
from lambent.services.contract import Platform, Service
from lambent.store.backends.sqlite import open_sqlite
from lambent.store.contract import Counting, Store, Transaction
from lambent.store.removal import Removal

if TYPE_CHECKING:
    from lambent.store.backends.places import Place

T = TypeVar("T")
_log = logging.getLogger("lambent.node")

DRAIN_SECONDS = 30.0
"""How long requests in work may go on once nothing runs on a node that was told to stop."""
GARBAGE = 10_000
"""How many objects are made, more than freed, until those are gone through for garbage."""
TURN = 0.0005
"""Seconds that a thread waits for the interpreter while the event loop is busy: the one that
writes a commit needs it after each statement, and requests wait for the commit."""
_ROLE_SECONDS = 12 * 3600.0
"""How long a function environment's credentials are good."""


class Node:
    """One node: everything that `settings` asks for, from `start` to `stop`.

    `administrator` is the administrator's access key if this start made it (server mode, a
    new data folder): the only time that its secret can be told.
    """

    def __init__(
        self, settings: Settings, clock: Clock | None = None, ids: Ids | None = None
    ) -> None:
        self.settings = settings
        self.administrator: AccessKey | None = None
        self.port = 0
        self._clock = clock or SystemClock()
        self._ids = ids or SystemIds()
        self.server: HttpServer
        self.keys: StoredKeys
        self.metrics = Metrics()
        self.cache: Path
        self.cluster: Cluster
        self._ends = AsyncExitStack()
        self._services: list[Service] = []
        self._store: Store | None = None
        self._host: FunctionHost | None = None
        self._started = 0.0
        self._draining = False

    @property
    def endpoint(self) -> str:
        """The node's base URL."""
        host = self.settings.host
        if host in ("0.0.0.0", "::", "localhost"):  # noqa: S104 - where it can be reached
            host = "127.0.0.1"
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def store(self) -> str:
        """Where the node keeps things, in words, without secrets."""
        return self._store.description if self._store else ""

    async def start(self) -> None:
        """Open the store, make the services, take requests. StartupError when it cannot."""
        try:
            await self._start()
        except BaseException:
            await self._ends.aclose()
            raise

    async def stop(self) -> None:
        """Take no more requests, let what runs finish, close everything."""
        self._draining = True
        await self.cluster.membership.drain()
        await self._ends.aclose()

    async def _start(self) -> None:
        settings, clock, ids = self.settings, self._clock, self._ids
        self._started = clock.monotonic()
        server = self.server = HttpServer(clock)
        self.port = server.bind(settings.host, settings.port)
        self._ends.callback(server.unbind)
        store = await _open_store(settings, clock, ids)
        self._store = store
        self._ends.push_async_callback(store.close)
        cache = self.cache = self._cache()
        registry = Registry()
        keys = self.keys = StoredKeys(store, clock, ids)
        host = self._host = await self._open_host(cache, registry, server)
        self._ends.push_async_callback(host.close)
        resources: dict[str, ResourceType] = {}
        targets = Targets()
        cluster = self.cluster = Cluster(
            store,
            clock,
            ids,
            name=f"{socket.gethostname()}:{self.port}",
            version=lambent.__version__,
            endpoint=lambda: self.endpoint,
            load=lambda: _load(host),
            lease=settings.lease,
        )
        cluster.membership.on_lost(functools.partial(_give_back, targets))
        platform = Platform(
            settings,
            clock,
            ids,
            store,
            host,
            registry,
            cluster,
            targets,
            resources,
            cache,
            self.metrics,
        )
        self._gather(platform, resources)
        if settings.auth:
            self.administrator = await keys.administrator(settings.account)
        await cluster.start()
        self._ends.push_async_callback(cluster.stop)
        await self._begin(server, store)
        authenticator = self._authenticator(keys)
        internal, sites = self._routes(authenticator, host, store)
        dispatcher = Dispatcher(
            registry,
            Catalog(),
            authenticator,
            _allow_all,
            internal,
            sites,
            clock,
            ids,
            Requests(self.metrics),
        )
        await server.start(dispatcher)

    async def _open_host(self, cache: Path, registry: Registry, server: HttpServer) -> LocalHost:
        """What runs functions, and speaks to the node for them."""
        settings = self.settings
        return await open_host(
            clock=self._clock,
            ids=self._ids,
            cache=cache,
            endpoint=lambda: self.endpoint,
            credentials=lambda spec: self._environment_credentials(registry, spec),
            logs=CloudWatchLogs(registry, self._clock, self._ids, lambda: self.endpoint),
            sandbox=await self._sandbox(cache, _hidden(settings, cache)),
            network=settings.network,
            gateway=server.serve,
        )

    def _gather(self, platform: Platform, resources: dict[str, ResourceType]) -> None:
        """Make every service, and what they contribute known to all."""
        for service in discover(platform):
            if service.operations is not None:
                platform.registry.add(service.name, service.operations)
            resources.update(service.resources)
            platform.targets.targets.update(service.targets)
            platform.targets.invocables.update(service.invocables)
            platform.targets.sources.update(service.sources)
            self._services.append(service)

    async def _begin(self, server: HttpServer, store: Store) -> None:
        """Start the services and all duties; from now on the node ends in good order."""
        # Ends run backwards: services drain first, since functions that still run need the
        # gateway.
        self._ends.push_async_callback(server.stop, DRAIN_SECONDS)
        for service in self._services:
            await service.start()
            self._ends.push_async_callback(_in_good_order, service.stop)
            for duty in service.duties:
                self._do(duty)
        kinds = [kind for service in self._services for kind in service.removes]
        self._do(Removal(store, self._clock, kinds).duty)

    def _do(self, duty: Duty) -> None:
        duty.start()
        self._ends.push_async_callback(_in_good_order, duty.stop)

    def _routes(
        self, authenticator: Authenticator, host: LocalHost, store: Store
    ) -> tuple[InternalRoutes, Sites]:
        """Lambent's own API, and what answers plain HTTP."""
        ids, settings = self._ids, self.settings
        internal = InternalRoutes(authenticator, ids, administrators_only=settings.auth)
        sites = Sites(authenticator, ids)
        internal.add("health", self._health, open_to_all=True)
        internal.add("nodes", self._nodes)
        if isinstance(store, Counting):
            _count(store, self.metrics)
        internal.add("metrics", self._metrics, token=settings.scrape_token)
        internal.add("runtimes", functools.partial(self._runtimes, host))
        internal.add("functions", functools.partial(self._functions, host))
        internal.add("functions/", functools.partial(self._invocations, host))
        for service in self._services:
            for path, fetch in service.downloads.items():
                internal.add(path, _download(path, fetch), open_to_all=True)
            for path, route in service.routes.items():
                internal.add(path, route, principals=path in service.open_to_principals)
            for site in service.sites:
                sites.add(service.name, site)
        return internal, sites

    async def _sandbox(self, cache: Path, hidden: list[Path]) -> LocalSandbox:
        sandbox = await open_sandbox(self.settings.sandbox, cache, hidden)
        if self.settings.network == "none" and not sandbox.isolating:
            sandbox.close()
            raise StartupError(
                "--network none takes a sandbox, and functions are not isolated here."
            )
        return sandbox

    def _authenticator(self, keys: StoredKeys) -> Authenticator:
        if self.settings.auth:
            return Verifying(self.settings, keys)
        return Trusting(self.settings, keys)

    def _cache(self) -> Path:
        """The folder for what can be made again."""
        if self.settings.data_dir is None:
            temporary = TemporaryFolder("lambent-cache-")
            self._ends.callback(temporary.release)
            return temporary.path
        folder = self.settings.data_dir / "cache"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StartupError(
                f"The data folder {self.settings.data_dir} cannot be written to: {error.strerror}."
            ) from error
        for place in (folder, folder / "code"):
            for half_made in place.glob("making-*"):  # by a node that was killed meanwhile
                shutil.rmtree(half_made, ignore_errors=True)
        return folder

    async def _environment_credentials(
        self, registry: Registry, spec: FunctionSpec
    ) -> Mapping[str, str]:
        """What a function's SDKs sign with: a session of its role, which in local mode is
        named alone, by the token."""
        if not self.settings.auth:
            return {
                "AWS_ACCESS_KEY_ID": spec.account,
                "AWS_SECRET_ACCESS_KEY": "local",
                "AWS_SESSION_TOKEN": local_token(spec.role, spec.name),
            }
        now = self._clock.now()
        context = RequestContext(
            spec.account, spec.region, self._ids.uuid(), now, self.endpoint, spec.role
        )
        # Longer than any environment lives: see host.environment.MOST_AGE.
        wanted = {
            "RoleArn": spec.role,
            "RoleSessionName": spec.name,
            "DurationSeconds": _ROLE_SECONDS,
        }
        answer: dict[str, Any] = await registry.call(context, "sts", "ServiceSession", wanted)
        made = answer["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
            "AWS_SESSION_TOKEN": made["SessionToken"],
        }

    async def _nodes(self, _: Asked) -> tuple[int, Any]:
        membership = self.cluster.membership
        listed, now = await membership.listed()
        return 200, {
            "store": self.store,
            "lease_seconds": membership.lease,
            "nodes": [
                {
                    **msgspec.structs.asdict(one),
                    "seen": round(now - one.seen, 3),
                    "this": one.id == membership.id,
                }
                for one in listed
            ],
        }

    async def _functions(self, host: LocalHost, _: Asked) -> tuple[int, Any]:
        now = self._clock.now()
        return 200, {
            arn: {**asdict(activity), **host.figures.summary(arn, now)}
            for arn, activity in host.activity().items()
        }

    async def _invocations(self, host: LocalHost, asked: Asked) -> tuple[int, Any]:
        """`functions/NAME/invocations`, in the caller's account and region."""
        name, _, rest = asked.path.removeprefix(PREFIX + "functions/").partition("/")
        if rest != "invocations":
            raise AwsError("NotFound", f"There is nothing at {asked.path}.", 404)
        arn = asked.context.arn("lambda", f"function:{unquote(name)}")
        return 200, {
            "prices": prices(),
            "minutes": host.figures.minutes(arn, asked.context.now),
            "invocations": [msgspec.structs.asdict(one) for one in host.figures.last(arn)],
        }

    async def _metrics(self, asked: Asked) -> tuple[int, Any]:
        """What the node counts, for Prometheus."""
        modern = exposition.wants_openmetrics(asked.context.headers.get("accept", ""))
        shown = exposition.text(await self.metrics.families(), modern)
        return 200, Document(exposition.OPENMETRICS if modern else exposition.PLAIN, shown)

    async def _runtimes(self, host: LocalHost, _: Asked) -> tuple[int, Any]:
        return 200, [asdict(language) for language in await host.languages()]

    async def _health(self, _: Asked) -> tuple[int, Any]:
        """503 once the node drains, so that load balancers send it no more."""
        return 503 if self._draining else 200, {
            "status": "draining" if self._draining else "ok",
            "version": lambent.__version__,
            "uptime_seconds": round(self._clock.monotonic() - self._started, 3),
            "store": self.store,
            "sandbox": self._host.sandbox if self._host else "",
            "services": sorted(one.name for one in self._services if one.operations is not None),
        }


async def _in_good_order(stop: Callable[[], Awaitable[None]]) -> None:
    """Stop a part. What it cannot write down any more, the next start or another node finds."""
    try:
        await stop()
    except StoreError as error:
        _log.warning("not all could be written down at the end: %s", error)


async def _open_store(settings: Settings, clock: Clock, ids: Ids) -> Store:
    """The store that the settings name."""
    if settings.store is None:
        return await open_sqlite(settings.data_dir, clock, ids)
    scheme = settings.store.partition("://")[0]
    if scheme not in ("postgresql", "postgres"):
        raise StartupError(f"A store is postgresql://USER:PASSWORD@HOST/DATABASE, not {scheme}.")
    # Its driver is loaded only where it is used.
    from lambent.store.backends.postgresql import open_postgresql

    blobs = settings.blobs
    if blobs is None:
        if settings.data_dir is None:
            raise StartupError("A shared store needs a place for blobs: add --blobs.")
        blobs = str(settings.data_dir / "blobs")
    return await open_postgresql(settings.store, _place(blobs), clock, ids)


def _hidden(settings: Settings, cache: Path) -> list[Path]:
    """The folders that functions are not to see."""
    folders = [cache]
    if settings.data_dir is not None:
        folders.append(settings.data_dir)
    if settings.blobs is not None and "://" not in settings.blobs:
        folders.append(Path(settings.blobs).absolute())
    return folders


def _place(blobs: str) -> Place:
    """Where blobs lie beside a database: a bucket's URL, or a folder."""
    from lambent.store.backends import bucket
    from lambent.store.backends.places import Folder

    if blobs.partition("://")[0] in bucket.SCHEMES:
        return bucket.open_bucket(blobs)
    return Folder(Path(blobs).absolute())


def _load(host: FunctionHost) -> dict[str, Any]:
    """What a node tells the others of itself."""
    activity = host.activity().values()
    return {
        "running": sum(one.busy for one in activity),
        "environments": sum(one.busy + one.idle for one in activity),
        "invocations": sum(one.invocations for one in activity),
    }


async def _give_back(targets: Targets, tx: Transaction, node: str) -> None:
    await in_flight.give_back(tx, targets, node)


def _count(store: Counting, metrics: Metrics) -> None:
    """Show how often the store commits, and how many transactions share a commit."""
    commits = metrics.counter("lambent_store_commits", "Commits of the store.")
    transactions = metrics.counter(
        "lambent_store_transactions", "Transactions that waited for a commit."
    )

    async def show() -> None:
        commits.child().value, transactions.child().value = store.committed

    metrics.before(show)


def _download(path: str, fetch: Callable[[str], Awaitable[bytes]]) -> Route:
    async def route(asked: Asked) -> tuple[int, Any]:
        return 200, await fetch(asked.path.removeprefix(PREFIX + path))

    return route


def discover(platform: Platform) -> list[Service]:
    """Every service folder's contribution, in the order of their names."""
    found: list[Service] = []
    for module in pkgutil.iter_modules(lambent.services.__path__):
        folder = Path(lambent.services.__path__[0]) / module.name
        if module.ispkg and (folder / "service.py").exists():
            made = importlib.import_module(f"lambent.services.{module.name}.service")
            services = made.create(platform)
            found.extend((services,) if isinstance(services, Service) else services)
    return found


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the fastest event loop there is."""
    # What requests in work hold would be gone through for garbage every few of them.
    gc.set_threshold(GARBAGE, 10, 10)
    sys.setswitchinterval(TURN)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def _allow_all(identity: Identity, service: str, operation: str) -> None:
    """Where policies will be evaluated."""
