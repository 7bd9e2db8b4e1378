"""Puts the service together."""

from __future__ import annotations

from collections.abc import Sequence

from lambent.cluster.turns import in_turn
from lambent.core.duty import Duty
from lambent.services.contract import Platform, Service
from lambent.services.dynamodb import figures
from lambent.services.dynamodb.batch import Batches
from lambent.services.dynamodb.duties import Duties
from lambent.services.dynamodb.items import Items
from lambent.services.dynamodb.operations import DynamoDB
from lambent.services.dynamodb.partiql.execution import PartiQL
from lambent.services.dynamodb.reads import Reads
from lambent.services.dynamodb.resources import GlobalTableResource, TableResource
from lambent.services.dynamodb.statistics import Ledger
from lambent.services.dynamodb.streams.operations import TRIM_SECONDS, Streams
from lambent.services.dynamodb.tables import Tables
from lambent.services.dynamodb.transactions import Transactions


def create(platform: Platform) -> Sequence[Service]:
    """DynamoDB and DynamoDB Streams over the platform's store."""
    store = platform.store
    ledger = Ledger(store)
    duties = Duties(store, platform.clock, ledger)
    platform.cluster.membership.on_change(duties.members_changed)
    tables = Tables(store, platform.ids, ledger, duties)
    operations = DynamoDB(
        tables,
        Items(store, ledger),
        Reads(store),
        Batches(store, ledger),
        Transactions(store, ledger),
        PartiQL(store, ledger),
    )
    figures.measure(operations, platform.metrics, platform.clock)
    streams = Streams(store)
    trim = in_turn(store, "dynamodb.streams.trim", TRIM_SECONDS, streams.trim)
    trimming = Duty(
        platform.clock,
        "dropping old records of streams",
        trim,
        retry=TRIM_SECONDS,
        first=TRIM_SECONDS,
    )
    tables_service = Service(
        "dynamodb",
        operations,
        resources={
            "AWS::DynamoDB::Table": TableResource(tables),
            "AWS::DynamoDB::GlobalTable": GlobalTableResource(tables),
        },
        duties=duties.regular,
        start=duties.start,
        stop=duties.stop,
    )
    return tables_service, Service("dynamodbstreams", streams, duties=(trimming,))
