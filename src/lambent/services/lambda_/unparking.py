"""What a mapping that is gone had parked: it goes back to where it came from, a little at a time
as all that is gone goes (`store.removal`). What has nowhere to go stays parked."""

from __future__ import annotations

import msgspec

from lambent.core.arns import Arn
from lambent.core.errors import AwsError
from lambent.events.contract import Targets
from lambent.events.flow import parking
from lambent.services.lambda_.model import Mapping
from lambent.store.contract import Transaction
from lambent.store.removal import Gone, Kind


def kind(targets: Targets) -> Kind:
    """How it goes back; by the source's ARN and the mapping's UUID."""

    async def put_back(tx: Transaction, what: bytes, limit: int) -> int:
        source_arn, uuid = msgspec.msgpack.decode(what, type=tuple[str, str])
        arn = Arn.parse(source_arn)
        source = targets.source(arn)
        if source is None:
            return 0
        try:
            return await parking.resume(tx, source, arn, uuid, limit=limit)
        except AwsError:
            return 0

    return Kind("lambda.parked", put_back)


def parked_by(targets: Targets, mapping: Mapping) -> Gone:
    """What a mapping had parked."""
    return Gone(kind(targets), msgspec.msgpack.encode((mapping.source, mapping.uuid)))
