"""What the folder contributes to a node."""

from __future__ import annotations

from lambent.services.contract import Platform, Service
from lambent.services.lambda_ import leaving, tiers, unparking, url_site
from lambent.services.lambda_.account import AccountOperations
from lambent.services.lambda_.base import Base, Parts
from lambent.services.lambda_.code import CodeStore
from lambent.services.lambda_.code_signing import CodeSigningOperations
from lambent.services.lambda_.debugging import PATH as DEBUG
from lambent.services.lambda_.debugging import Debugging
from lambent.services.lambda_.downloads import PATH, Downloads
from lambent.services.lambda_.duplicates import DuplicateRoutes
from lambent.services.lambda_.durable import timers
from lambent.services.lambda_.durable.callbacks import CallbackOperations
from lambent.services.lambda_.durable.checkpointing import CheckpointOperations
from lambent.services.lambda_.durable.invoking import Executor
from lambent.services.lambda_.durable.lanes import DurableLanes
from lambent.services.lambda_.durable.looking import LookingOperations
from lambent.services.lambda_.durable.managing import ManagingOperations
from lambent.services.lambda_.flow import FlowRoutes
from lambent.services.lambda_.following import Following
from lambent.services.lambda_.function_figures import FunctionFigures
from lambent.services.lambda_.functions import FunctionOperations
from lambent.services.lambda_.governance import GovernanceOperations
from lambent.services.lambda_.invocable import FunctionInvocable
from lambent.services.lambda_.invocations import InvokeOperations
from lambent.services.lambda_.invoking import Runner
from lambent.services.lambda_.keeping import Keeping
from lambent.services.lambda_.lanes import Lanes
from lambent.services.lambda_.layer_permissions import LayerPermissionOperations
from lambent.services.lambda_.layers import LayerOperations
from lambent.services.lambda_.limits import LimitOperations
from lambent.services.lambda_.mappings import MappingOperations
from lambent.services.lambda_.permissions import PermissionOperations
from lambent.services.lambda_.provisioning import ProvisioningOperations
from lambent.services.lambda_.publishing import VersionOperations
from lambent.services.lambda_.resources import resource_types
from lambent.services.lambda_.tags import TagOperations
from lambent.services.lambda_.target import FunctionTarget
from lambent.services.lambda_.url_figures import UrlFigures
from lambent.services.lambda_.urls import UrlOperations


class Operations(
    FunctionOperations,
    VersionOperations,
    InvokeOperations,
    PermissionOperations,
    UrlOperations,
    LimitOperations,
    GovernanceOperations,
    CodeSigningOperations,
    ProvisioningOperations,
    MappingOperations,
    LayerOperations,
    LayerPermissionOperations,
    TagOperations,
    AccountOperations,
    CheckpointOperations,
    CallbackOperations,
    LookingOperations,
    ManagingOperations,
    Base,
):
    """Every operation of Lambda that this node has."""


def create(platform: Platform) -> Service:
    """Lambda for one node."""
    code = CodeStore(platform.registry, platform.store.blobs, platform.cache)
    figures = FunctionFigures(platform.metrics, platform.clock)
    runner = Runner(
        platform.store,
        platform.host,
        platform.clock,
        platform.ids,
        code,
        platform.cluster.places,
        figures,
    )
    executor = Executor(platform.store, platform.clock, platform.ids)
    invocable = FunctionInvocable(runner, executor, platform.ids)
    lanes = Lanes(platform, runner, invocable)
    durable = DurableLanes(platform, runner)
    downloads = Downloads(platform.store, code)
    keeping = Keeping(platform.store, runner, platform.host, platform.cluster.membership)
    following = Following(platform, runner, lanes, durable, keeping)
    operations = Operations(
        Parts(platform, code, runner, lanes, durable, executor, keeping, downloads)
    )
    flow = FlowRoutes(platform, lanes)
    duplicates = DuplicateRoutes(platform, lanes)
    return Service(
        name="lambda",
        operations=operations,
        resources=resource_types(operations),
        targets={"lambda": FunctionTarget(platform.ids, figures)},
        invocables={"lambda": invocable},
        routes={
            DEBUG: Debugging(runner, platform.host).answer,
            "flow": flow.listed,
            "mappings": lanes.summary,
            "flow/": flow.one,
            "duplicates": duplicates.listed,
            "duplicates/": duplicates.one,
            tiers.PATH: tiers.TierRoutes(operations).one,
        },
        downloads={PATH: downloads.fetch},
        sites=[url_site.site(platform, runner, executor, UrlFigures(platform.metrics))],
        removes=[leaving.LEFT_BY_FUNCTION, unparking.kind(platform.targets)],
        duties=[timers.duty(platform)],
        start=following.start,
        stop=following.stop,
    )
