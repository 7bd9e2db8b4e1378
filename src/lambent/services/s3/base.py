"""What the groups of operations share: the platform, the versions, and event emission."""

from __future__ import annotations

import logging

from lambent.core.arns import Arn
from lambent.core.context import Params, RequestContext
from lambent.core.errors import AwsError
from lambent.events.contract import Event, Sender
from lambent.services.contract import Platform
from lambent.services.s3 import details, event_json, notifications
from lambent.services.s3.event_json import PRINCIPAL
from lambent.services.s3.model import Bucket, Details, Version
from lambent.services.s3.public_access import check_public_acl
from lambent.services.s3.versions import Versions
from lambent.store.contract import Transaction

_log = logging.getLogger("lambent.s3")


def sender(bucket: Bucket) -> Sender:
    """Who a bucket's events are sent by."""
    return Sender(PRINCIPAL, bucket.arn, bucket.account)


class Base:
    """Made once per node; holds no state of buckets or objects."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.store = platform.store
        self.versions = Versions(platform.ids)

    async def admit_details(
        self, tx: Transaction, context: RequestContext, bucket: Bucket, params: Params
    ) -> Details:
        """What the request says of a new object; refused where S3 would refuse it."""
        about = details.read_details(params, context, bucket, tx.now)
        await check_public_acl(tx, bucket, about.grants)
        return about

    async def emit(
        self,
        tx: Transaction,
        context: RequestContext,
        bucket: Bucket,
        event: str,
        key: str,
        version: Version,
    ) -> None:
        """Hand the event to all who asked for it, in the transaction that causes it.

        A destination that is gone or refuses does not fail the request: the event is
        dropped, as on AWS.
        """
        for rule in notifications.matching(bucket.rules, event, key):
            arn = Arn.parse(rule.arn)
            target = self.platform.targets.target(arn)
            if target is None:
                _log.warning("nothing here takes %s of %s for %s", event, bucket.arn, rule.arn)
                continue
            record = event_json.event_record(context, bucket, rule.id, event, key, version, tx.now)
            body = event_json.event_body(record)
            try:
                await target.accept(tx, arn, Event(body, sender(bucket), context.trace))
            except AwsError as error:
                _log.warning("%s of %s was not taken by %s: %s", event, bucket.arn, arn, error)
