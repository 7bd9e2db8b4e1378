"""What the folder contributes to a node."""

from __future__ import annotations

from lambent.services.contract import Platform, Service
from lambent.services.sqs.figures import Figures
from lambent.services.sqs.message_operations import MessageOperations
from lambent.services.sqs.move_operations import MoveOperations
from lambent.services.sqs.mover import Mover
from lambent.services.sqs.queue_operations import QueueOperations
from lambent.services.sqs.queues import Queues
from lambent.services.sqs.recovery.api import RecoveryApi
from lambent.services.sqs.resources import (
    QueueInlinePolicyResource,
    QueuePolicyResource,
    QueueResource,
)
from lambent.services.sqs.retention import Retention
from lambent.services.sqs.source import QueueSource
from lambent.services.sqs.target import QueueTarget


class Operations(QueueOperations, MessageOperations, MoveOperations):
    """Every operation of SQS."""

    def __init__(
        self,
        platform: Platform,
        queues: Queues,
        retention: Retention,
        figures: Figures,
    ) -> None:
        QueueOperations.__init__(
            self,
            platform.store,
            platform.ids,
            queues,
            retention,
            hold_names=platform.settings.hold_queue_names,
        )
        MessageOperations.__init__(
            self, platform.store, platform.clock, platform.ids, queues, retention, figures
        )
        MoveOperations.__init__(self, platform.store, platform.ids, queues)


def create(platform: Platform) -> Service:
    """SQS for one node."""
    queues = Queues()
    retention = Retention(platform.store, platform.clock, queues)
    membership = platform.cluster.membership
    figures = Figures(
        platform.store, platform.clock, queues, platform.metrics, lambda: membership.first
    )
    operations = Operations(platform, queues, retention, figures)
    mover = Mover(platform.store, platform.clock, platform.ids, queues, platform.targets)

    return Service(
        name="sqs",
        operations=operations,
        resources={
            "AWS::SQS::Queue": QueueResource(operations),
            "AWS::SQS::QueueInlinePolicy": QueueInlinePolicyResource(operations),
            "AWS::SQS::QueuePolicy": QueuePolicyResource(operations),
        },
        targets={"sqs": QueueTarget(platform.ids, queues, figures)},
        sources={"sqs": QueueSource(platform.store, queues, figures)},
        routes=RecoveryApi(platform, queues).routes(),
        duties=(retention.duty, mover.duty),
    )
