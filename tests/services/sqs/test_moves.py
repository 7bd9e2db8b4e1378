"""Message move tasks: out of a dead-letter queue, at a rate, resumable, cancellable."""

import base64
import json

import pytest
from botocore.exceptions import ClientError


def error(caught):
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_messages_go_back_to_their_sources_as_new_ones(virtual):
    desk = virtual()
    desk.die(["a", "b"])
    (dead, _) = desk.receive(desk.dead, VisibilityTimeout=0)
    assert dead["Attributes"]["DeadLetterQueueSourceArn"] == desk.arn("source")
    desk.advance(3600)
    desk.start()
    desk.advance(1)
    back = desk.receive(desk.source)
    assert sorted(message["Body"] for message in back) == ["a", "b"]
    assert dead["MessageId"] not in {message["MessageId"] for message in back}
    for message in back:
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"
        assert "DeadLetterQueueSourceArn" not in message["Attributes"]
        sent = int(message["Attributes"]["SentTimestamp"])
        assert sent >= int(dead["Attributes"]["SentTimestamp"]) + 3_600_000
    assert desk.bodies(desk.dead) == []


def test_a_finished_task_is_listed_without_a_handle(virtual):
    desk = virtual()
    desk.send(desk.dead, ["a", "b", "c"])
    started = int(desk.clock.now() * 1000)
    desk.start(DestinationArn=desk.arn("other"), MaxNumberOfMessagesPerSecond=500)
    desk.advance(1)
    assert desk.tasks() == [
        {
            "Status": "COMPLETED",
            "SourceArn": desk.arn("dead"),
            "DestinationArn": desk.arn("other"),
            "MaxNumberOfMessagesPerSecond": 500,
            "ApproximateNumberOfMessagesMoved": 3,
            "ApproximateNumberOfMessagesToMove": 3,
            "StartedTimestamp": started,
        }
    ]
    assert sorted(desk.bodies(desk.other)) == ["a", "b", "c"]


def test_the_handle_names_the_task_and_its_source_as_on_aws(virtual):
    desk = virtual()
    desk.send(desk.dead, ["a"])
    handle = desk.start(DestinationArn=desk.arn("other"), MaxNumberOfMessagesPerSecond=1)
    document = json.loads(base64.b64decode(handle))
    assert list(document) == ["taskId", "sourceArn"]
    assert document["sourceArn"] == desk.arn("dead")


@pytest.mark.parametrize(("rate", "seconds", "moved"), [(1, 4.5, 5), (7, 2.05, 15), (50, 1.05, 55)])
def test_the_rate_is_kept(virtual, rate, seconds, moved):
    desk = virtual()
    desk.send(desk.dead, [str(n) for n in range(70)])
    desk.start(DestinationArn=desk.arn("other"), MaxNumberOfMessagesPerSecond=rate)
    desk.advance()
    desk.advance(seconds)
    assert abs(desk.depth(desk.other) - moved) <= max(1, rate // 10)
    (task,) = desk.tasks()
    assert task["Status"] == "RUNNING"
    assert task["TaskHandle"]
    assert task["ApproximateNumberOfMessagesMoved"] == desk.depth(desk.other)
    desk.advance(80)
    assert desk.tasks()[0]["Status"] == "COMPLETED"
    assert desk.depth(desk.other) == 70


def test_a_cancelled_task_leaves_the_rest(virtual):
    desk = virtual()
    desk.send(desk.dead, [str(n) for n in range(10)])
    handle = desk.start(DestinationArn=desk.arn("other"), MaxNumberOfMessagesPerSecond=1)
    desk.advance(3.5)
    answer = desk.sqs.cancel_message_move_task(TaskHandle=handle)
    moved = desk.depth(desk.other)
    assert answer["ApproximateNumberOfMessagesMoved"] == moved
    assert desk.tasks()[0]["Status"] == "CANCELLING"
    desk.advance(60)
    assert desk.tasks()[0]["Status"] == "CANCELLED"
    assert desk.depth(desk.other) == moved
    assert desk.depth(desk.dead) == 10 - moved
    with pytest.raises(ClientError) as caught:
        desk.sqs.cancel_message_move_task(TaskHandle=handle)
    assert error(caught)[1] == "Only active tasks can be cancelled."


def test_one_task_of_a_source_runs_at_a_time(virtual):
    desk = virtual()
    desk.send(desk.dead, ["a", "b", "c"])
    desk.start(DestinationArn=desk.arn("other"), MaxNumberOfMessagesPerSecond=1)
    with pytest.raises(ClientError) as caught:
        desk.start()
    assert error(caught) == (
        "InvalidParameterValue",
        "There is already a task running. Only one active task is allowed for a source queue arn "
        "at a given time.",
    )
    desk.advance(10)
    desk.start(DestinationArn=desk.arn("other"))
    assert len(desk.tasks()) == 2
    assert len(desk.sqs.list_message_move_tasks(SourceArn=desk.arn("dead"))["Results"]) == 1


def test_ten_tasks_are_remembered_newest_first(virtual):
    desk = virtual()
    for _ in range(12):
        desk.start(DestinationArn=desk.arn("other"))
        desk.advance(1)
    times = [task["StartedTimestamp"] for task in desk.tasks()]
    assert len(times) == 10
    assert times == sorted(times, reverse=True)


def test_a_message_that_no_queue_sent_there_fails_the_task_and_stays(virtual):
    desk = virtual()
    desk.send(desk.dead, ["stray"])
    desk.start()
    desk.advance(1)
    (task,) = desk.tasks()
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    (stray,) = desk.receive(desk.dead)
    assert stray["Attributes"]["ApproximateReceiveCount"] == "1"


def test_a_destination_that_goes_away_fails_the_task(virtual):
    desk = virtual()
    desk.send(desk.dead, ["a", "b"])
    desk.start(DestinationArn=desk.arn("other"), MaxNumberOfMessagesPerSecond=1)
    desk.advance(0.5)
    desk.sqs.delete_queue(QueueUrl=desk.other)
    desk.advance(10)
    (task,) = desk.tasks()
    assert task["Status"] == "FAILED"
    assert task["FailureReason"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert desk.depth(desk.dead) == 1


def test_a_source_that_is_made_again_is_another_queue_to_a_task(virtual):
    desk = virtual()
    desk.send(desk.dead, ["a", "b"])
    desk.start(DestinationArn=desk.arn("other"), MaxNumberOfMessagesPerSecond=1)
    desk.advance(0.5)
    desk.sqs.delete_queue(QueueUrl=desk.dead)
    desk.sqs.create_queue(QueueName="dead")
    desk.send(desk.dead, ["new"])
    desk.advance(10)
    assert desk.tasks() == []
    assert desk.bodies(desk.dead) == ["new"]
    assert desk.bodies(desk.other) == ["a"]


def test_the_receives_of_a_message_go_on_through_every_dead_letter_queue(virtual):
    desk = virtual()
    policy = {"deadLetterTargetArn": desk.arn("other"), "maxReceiveCount": 1}
    desk.sqs.set_queue_attributes(
        QueueUrl=desk.dead, Attributes={"RedrivePolicy": json.dumps(policy)}
    )
    desk.send(desk.source, ["a"])
    counts = []
    for url in (desk.source, desk.dead, desk.other):
        # The second receive finds it received once too often, and moves it on.
        (message,) = desk.receive(url, VisibilityTimeout=1)
        counts.append(message["Attributes"]["ApproximateReceiveCount"])
        desk.advance(2)
        if url != desk.other:
            assert desk.receive(url) == []
    assert counts == ["1", "2", "3"]


def test_who_receives_without_hiding_gets_each_message_once_beside_one_that_moves_on(virtual):
    desk = virtual()
    desk.send(desk.source, ["exhausted"])
    assert desk.receive(desk.source, VisibilityTimeout=0)
    desk.send(desk.source, ["fresh"])
    received = desk.receive(desk.source, VisibilityTimeout=0)
    assert [message["Body"] for message in received] == ["fresh"]
    assert desk.bodies(desk.dead) == ["exhausted"]


@pytest.mark.parametrize(("fifo", "older"), [(False, 0), (True, 2000)], ids=["standard", "fifo"])
def test_a_dead_letter_keeps_its_age_on_standard_queues_and_begins_anew_on_fifo(
    virtual, fifo, older
):
    desk = virtual(fifo=fifo)
    sent = int(desk.clock.now() * 1000)
    desk.die(["a1"])
    (dead,) = desk.receive(desk.dead)
    assert int(dead["Attributes"]["SentTimestamp"]) == sent + older


def test_messages_in_flight_are_left(virtual):
    desk = virtual()
    desk.send(desk.dead, ["a"])
    assert desk.receive(desk.dead, VisibilityTimeout=60)
    desk.send(desk.dead, ["b"])
    desk.start(DestinationArn=desk.arn("other"))
    desk.advance(1)
    assert desk.bodies(desk.other) == ["b"]
    desk.advance(60)
    assert desk.bodies(desk.dead) == ["a"]


def test_what_fails_again_meanwhile_is_not_moved_in_a_circle(virtual):
    desk = virtual()
    desk.die(["a", "b", "c"])
    desk.start(MaxNumberOfMessagesPerSecond=1)
    desk.advance(0.5)
    desk.send(desk.dead, ["new"])
    desk.advance(30)
    assert desk.tasks()[0]["Status"] == "COMPLETED"
    assert desk.bodies(desk.dead) == ["new"]


def test_a_fifo_group_behind_a_message_in_flight_keeps_its_order(virtual):
    desk = virtual(fifo=True)
    desk.send(desk.dead, ["a1"])
    assert desk.receive(desk.dead, VisibilityTimeout=60)
    desk.send(desk.dead, ["b1", "a2", "b2"])
    desk.start(DestinationArn=desk.arn("other"), MaxNumberOfMessagesPerSecond=1)
    desk.advance(10)
    assert desk.tasks()[0]["Status"] == "COMPLETED"
    assert desk.bodies(desk.other) == ["b1", "b2"]
    desk.advance(60)
    assert desk.bodies(desk.dead) == ["a1", "a2"]


def test_a_fifo_message_in_a_dead_letter_queue_is_deduplicated_by_its_own_id(virtual):
    desk = virtual(fifo=True)
    desk.die(["a1"])
    (dead,) = desk.receive(desk.dead)
    assert dead["Attributes"]["MessageDeduplicationId"] == dead["MessageId"]


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        (
            {"SourceArn": "nowhere"},
            "ResourceNotFoundException",
            "The resource that you specified for the SourceArn parameter doesn't exist.",
        ),
        (
            {"SourceArn": "other"},
            "InvalidParameterValue",
            "Source queue must be configured as a Dead Letter Queue.",
        ),
        (
            {"SourceArn": "dead", "DestinationArn": "nowhere"},
            "ResourceNotFoundException",
            "The resource that you specified for the DestinationArn parameter doesn't exist.",
        ),
        (
            {"SourceArn": "dead", "DestinationArn": "dead"},
            "InvalidParameterValue",
            "Source queue arn and destination queue arn cannot be the same.",
        ),
        (
            {"SourceArn": "dead", "MaxNumberOfMessagesPerSecond": 501},
            "InvalidParameterValue",
            "Value 501 for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be "
            "between 1 and 500, if provided.",
        ),
        (
            {"SourceArn": "dead", "MaxNumberOfMessagesPerSecond": 0},
            "InvalidParameterValue",
            "Value 0 for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be "
            "between 1 and 500, if provided.",
        ),
    ],
)
def test_a_task_that_cannot_be_is_refused(virtual, params, code, message):
    desk = virtual()
    for name in ("SourceArn", "DestinationArn"):
        if name in params:
            params = {**params, name: desk.arn(params[name])}
    with pytest.raises(ClientError) as caught:
        desk.sqs.start_message_move_task(**params)
    assert error(caught) == (code, message)


def test_unknown_tasks_and_handles_are_refused(virtual):
    desk = virtual()
    for handle in ("x", "e30=", base64.b64encode(b'{"taskId":1,"sourceArn":2}').decode()):
        with pytest.raises(ClientError) as caught:
            desk.sqs.cancel_message_move_task(TaskHandle=handle)
        assert error(caught)[0] == "InvalidParameterValue"
    unknown = json.dumps({"taskId": "x", "sourceArn": desk.arn("dead")})
    with pytest.raises(desk.sqs.exceptions.ResourceNotFoundException) as caught:
        desk.sqs.cancel_message_move_task(TaskHandle=base64.b64encode(unknown.encode()).decode())
    assert error(caught)[1] == "Task does not exist."


def test_a_killed_node_goes_on_with_the_task(node_process, connect, account):
    node = node_process()
    sqs = connect(node.endpoint, "sqs")
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("dead", "to")}
    arn = f"arn:aws:sqs:us-east-1:{account}:"
    policy = json.dumps({"deadLetterTargetArn": arn + "dead", "maxReceiveCount": 1})
    sqs.create_queue(QueueName="source", Attributes={"RedrivePolicy": policy})
    for start in range(0, 100, 10):
        entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(start, start + 10)]
        sqs.send_message_batch(QueueUrl=urls["dead"], Entries=entries)
    sqs.start_message_move_task(
        SourceArn=arn + "dead", DestinationArn=arn + "to", MaxNumberOfMessagesPerSecond=100
    )
    first = sqs.receive_message(QueueUrl=urls["to"], WaitTimeSeconds=5)["Messages"]
    node.kill()
    node.start()
    found = [message["Body"] for message in first]
    while len(found) < 100:
        messages = sqs.receive_message(
            QueueUrl=urls["to"], MaxNumberOfMessages=10, WaitTimeSeconds=5
        )["Messages"]
        found += [message["Body"] for message in messages]
    assert sorted(found, key=int) == [str(n) for n in range(100)]
    (task,) = sqs.list_message_move_tasks(SourceArn=arn + "dead")["Results"]
    assert task["ApproximateNumberOfMessagesMoved"] == 100
