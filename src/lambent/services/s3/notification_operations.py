"""PutBucketNotificationConfiguration and its counterpart."""

from __future__ import annotations

import msgspec

from lambent.core.arns import Arn
from lambent.core.context import Params, RequestContext, Result
from lambent.core.errors import AwsError
from lambent.events.contract import Event
from lambent.services.s3 import event_json, notifications
from lambent.services.s3.base import sender
from lambent.services.s3.model import Bucket, Rule
from lambent.services.s3.object_settings_operations import ObjectSettingsOperations
from lambent.store.contract import Transaction


class NotificationOperations(ObjectSettingsOperations):
    """The whole configuration is one: a put replaces all of it, or nothing."""

    async def put_bucket_notification_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        configuration = params.get("NotificationConfiguration") or {}
        skip = bool(params.get("SkipDestinationValidation"))
        make_id = self.platform.ids.uuid

        async def change(tx: Transaction, bucket: Bucket) -> Bucket:
            rules = notifications.read_rules(configuration, bucket.region, make_id)
            if not skip:
                await self._check_destinations(tx, bucket, rules)
                await self._announce(tx, context, bucket, rules)
            return msgspec.structs.replace(
                bucket,
                rules=rules,
                event_bridge=configuration.get("EventBridgeConfiguration") is not None,
            )

        await self._change(context, params, "s3:PutBucketNotification", change)
        return None

    async def _check_destinations(
        self, tx: Transaction, bucket: Bucket, rules: tuple[Rule, ...]
    ) -> None:
        for rule in rules:
            arn = Arn.parse(rule.arn)
            target = self.platform.targets.target(arn)
            if target is None:
                wrong: str | None = "The destination does not exist"
            else:
                wrong = await target.check(tx, arn, sender(bucket))
            if wrong is not None:
                raise AwsError(
                    "InvalidArgument",
                    "Unable to validate the following destination configurations",
                    400,
                    {"ArgumentName1": rule.arn, "ArgumentValue1": wrong},
                )

    async def _announce(
        self, tx: Transaction, context: RequestContext, bucket: Bucket, rules: tuple[Rule, ...]
    ) -> None:
        # Queues and topics hear of their configuration; functions are not run for it.
        body = event_json.test_event(context, bucket, tx.now)
        for text in dict.fromkeys(rule.arn for rule in rules):
            arn = Arn.parse(text)
            target = self.platform.targets.target(arn)
            if target is not None and arn.service != "lambda":
                await target.accept(tx, arn, Event(body, sender(bucket)))

    async def get_bucket_notification_configuration(
        self, context: RequestContext, params: Params
    ) -> Result:
        bucket = await self._look(context, params, "s3:GetBucketNotification")
        return notifications.as_configuration(bucket.rules, bucket.event_bridge)
