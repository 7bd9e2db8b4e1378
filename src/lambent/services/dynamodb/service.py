"""Puts the service together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from lambent.cluster.turns import in_turn
from lambent.core.duty import Duty
from lambent.services.contract import Platform, Service
from lambent.services.dynamodb import figures
from lambent.services.dynamodb.background import Jobs
from lambent.services.dynamodb.backups.copying import Copier
from lambent.services.dynamodb.backups.operations import Backups
from lambent.services.dynamodb.batch import Batches
from lambent.services.dynamodb.duties import Duties
from lambent.services.dynamodb.exports.operations import Exports
from lambent.services.dynamodb.exports.writing import Exporter
from lambent.services.dynamodb.imports.operations import Imports
from lambent.services.dynamodb.imports.reading import Importer
from lambent.services.dynamodb.insights import Insights
from lambent.services.dynamodb.items import Items
from lambent.services.dynamodb.operations import DynamoDB
from lambent.services.dynamodb.partiql.execution import PartiQL
from lambent.services.dynamodb.policies import Policies
from lambent.services.dynamodb.reads import Reads
from lambent.services.dynamodb.replicas import Replicas
from lambent.services.dynamodb.resources import GlobalTableResource, TableResource
from lambent.services.dynamodb.statistics import Ledger
from lambent.services.dynamodb.streams.operations import Streams
from lambent.services.dynamodb.tables import Tables
from lambent.services.dynamodb.transactions import Transactions

_HOUR = 3600.0


def create(platform: Platform) -> Sequence[Service]:
    """DynamoDB and DynamoDB Streams over the platform's store."""
    store = platform.store
    ledger = Ledger(store)
    duties = Duties(store, platform.clock, ledger)
    platform.cluster.membership.on_change(duties.members_changed)
    copier = Copier(store, platform.clock, duties)
    exporter = Exporter(store, platform.clock, platform.ids, platform.registry, copier)
    importer = Importer(store, platform.clock, platform.ids, platform.registry, duties)
    jobs: tuple[Jobs, ...] = (copier, exporter, importer)
    for each in jobs:
        platform.cluster.membership.on_change(each.members_changed)
    backups = Backups(store, platform.clock, platform.ids, ledger, copier)
    tables = Tables(store, platform.ids, ledger, duties)
    operations = DynamoDB(
        tables,
        Items(store, ledger),
        Reads(store),
        Batches(store, ledger),
        Transactions(store, ledger),
        PartiQL(store, ledger),
        backups,
        Policies(store),
        Replicas(store),
        Exports(store, platform.ids, exporter),
        Imports(store, platform.ids, importer),
        Insights(store),
    )
    figures.measure(operations, platform.metrics, platform.clock)
    streams = Streams(store, platform.clock)

    def hourly(name: str, words: str, work: Callable[[], Awaitable[object]]) -> Duty:
        step = in_turn(store, f"dynamodb.{name}", _HOUR, work)
        return Duty(platform.clock, words, step, retry=_HOUR, first=_HOUR)

    async def start() -> None:
        await duties.start()
        for each in jobs:
            each.start()

    async def stop() -> None:
        for each in reversed(jobs):
            await each.stop()
        await duties.stop()

    tables_service = Service(
        "dynamodb",
        operations,
        resources={
            "AWS::DynamoDB::Table": TableResource(tables, backups),
            "AWS::DynamoDB::GlobalTable": GlobalTableResource(tables, backups),
        },
        duties=(*duties.regular, hourly("backups.sweep", "dropping old backups", backups.sweep)),
        start=start,
        stop=stop,
    )
    trimming = hourly("streams.trim", "dropping old records of streams", streams.trim)
    return tables_service, Service("dynamodbstreams", streams, duties=(trimming,))
