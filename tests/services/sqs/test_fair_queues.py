"""Message groups on standard queues: noisy tenants yield to quiet ones."""

from __future__ import annotations

from typing import Any

from tests.conftest import ClientFactory


def flood(sqs: Any, url: str, group: str, count: int) -> None:
    for begin in range(0, count, 10):
        sqs.send_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(number), "MessageBody": group, "MessageGroupId": group}
                for number in range(begin, min(begin + 10, count))
            ],
        )


def receive(sqs: Any, url: str, count: int = 10) -> list[dict[str, Any]]:
    found = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=count, MessageSystemAttributeNames=["All"]
    )
    return list(found.get("Messages", []))


def groups(messages: list[dict[str, Any]]) -> list[str]:
    return [message["Attributes"]["MessageGroupId"] for message in messages]


def test_a_quiet_tenant_is_served_beside_ten_thousand_of_a_noisy_one(
    client: ClientFactory,
) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="shared")["QueueUrl"]
    flood(sqs, url, "noisy", 10_000)
    for _ in range(4):  # consumers are busy with it
        assert groups(receive(sqs, url)) == ["noisy"] * 10
    for number in range(10):
        sqs.send_message(QueueUrl=url, MessageBody=f"{number}", MessageGroupId="quiet")
        (first, *_) = receive(sqs, url, 2)
        assert (first["Attributes"]["MessageGroupId"], first["Body"]) == ("quiet", f"{number}")
        sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])


def test_a_noisy_tenant_is_served_when_nobody_else_waits(client: ClientFactory) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="shared")["QueueUrl"]
    flood(sqs, url, "noisy", 30)
    taken = [message for _ in range(3) for message in receive(sqs, url)]
    assert len({message["MessageId"] for message in taken}) == 30


def test_groups_of_a_standard_queue_do_not_hold_each_other_up(client: ClientFactory) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="shared")["QueueUrl"]
    flood(sqs, url, "a", 3)
    first = receive(sqs, url, 1)
    second = receive(sqs, url, 1)
    assert groups(first) == groups(second) == ["a"]


def test_dead_letters_keep_their_tenant(client: ClientFactory) -> None:
    sqs = client("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
    policy = f'{{"deadLetterTargetArn": "{arn["QueueArn"]}", "maxReceiveCount": "1"}}'
    url = sqs.create_queue(QueueName="shared", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    flood(sqs, url, "noisy", 2)
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="quiet")
    for message in receive(sqs, url):
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    assert receive(sqs, url) == []
    assert set(groups(receive(sqs, dead, 2))) == {"noisy", "quiet"}
