"""Whose queues a caller may use: its own account's, and those whose policy lets it."""

import json

import pytest
from botocore.exceptions import ClientError
from tests.support.http import Raw

FRIEND, STRANGER = "222222222222", "333333333333"
SENT = {"Id": "1", "MessageBody": "x"}
TAKEN = {"Id": "1", "ReceiptHandle": "x"}
PARAMETERS = {
    "add_permission": {"Label": "l", "AWSAccountIds": [FRIEND], "Actions": ["*"]},
    "change_message_visibility": {"ReceiptHandle": "x", "VisibilityTimeout": 1},
    "change_message_visibility_batch": {"Entries": [{**TAKEN, "VisibilityTimeout": 1}]},
    "delete_message": {"ReceiptHandle": "x"},
    "delete_message_batch": {"Entries": [TAKEN]},
    "delete_queue": {},
    "get_queue_attributes": {"AttributeNames": ["All"]},
    "list_dead_letter_source_queues": {},
    "list_queue_tags": {},
    "purge_queue": {},
    "receive_message": {},
    "remove_permission": {"Label": "l"},
    "send_message": {"MessageBody": "x"},
    "send_message_batch": {"Entries": [SENT]},
    "set_queue_attributes": {"Attributes": {"DelaySeconds": "1"}},
    "tag_queue": {"Tags": {"a": "b"}},
    "untag_queue": {"TagKeys": ["a"]},
}
OWNERS_ALONE = {
    "add_permission",
    "delete_queue",
    "list_queue_tags",
    "remove_permission",
    "set_queue_attributes",
    "tag_queue",
    "untag_queue",
}


@pytest.fixture
def queue(client):
    return client("sqs").create_queue(QueueName="shared")["QueueUrl"]


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def allow(client, queue, account, actions, effect="Allow", principal=FRIEND):
    statement = {
        "Effect": effect,
        "Principal": {"AWS": principal},
        "Action": actions,
        "Resource": f"arn:aws:sqs:us-east-1:{account}:shared",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})


@pytest.mark.parametrize("operation", sorted(PARAMETERS))
def test_another_account_is_refused(client, account, queue, operation):
    other = client("sqs", access_key=STRANGER)
    code, message = refusal(getattr(other, operation), QueueUrl=queue, **PARAMETERS[operation])
    assert code == "AccessDenied"
    action = operation.replace("_batch", "").replace("_", "")
    assert message == (
        f"User: arn:aws:iam::{STRANGER}:root is not authorized to perform: sqs:{action} on "
        f"resource: arn:aws:sqs:us-east-1:{account}:shared because no resource-based policy "
        f"allows the sqs:{action} action"
    )


def test_the_older_protocol_refuses_with_403(raw, node, queue):
    form = b"Action=ReceiveMessage&Version=2012-11-05&QueueUrl=" + queue.encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = Raw(node.endpoint, STRANGER)("POST", "/", form, kind, sign="sqs")
    assert answer.status == 403
    assert "<Code>AccessDenied</Code>" in answer.text


@pytest.mark.parametrize("operation", sorted(PARAMETERS))
def test_a_policy_lets_others_do_all_but_what_is_the_owners_alone(
    client, account, queue, operation
):
    allow(client, queue, account, "sqs:*")
    friend = getattr(client("sqs", access_key=FRIEND), operation)
    params = {"QueueUrl": queue, **PARAMETERS[operation]}
    if operation in OWNERS_ALONE:
        assert refusal(friend, **params)[0] == "AccessDenied"
    elif "ReceiptHandle" in params:
        assert refusal(friend, **params)[0] == "ReceiptHandleIsInvalid"
    else:
        friend(**params)
    stranger = getattr(client("sqs", access_key=STRANGER), operation)
    assert refusal(stranger, **params)[0] == "AccessDenied"


def test_a_permission_that_was_added_holds_for_batches_too(client, queue):
    owner, friend = client("sqs"), client("sqs", access_key=FRIEND)
    owner.add_permission(
        QueueUrl=queue, Label="in", AWSAccountIds=[FRIEND], Actions=["SendMessage"]
    )
    friend.send_message_batch(QueueUrl=queue, Entries=[SENT])
    assert refusal(friend.receive_message, QueueUrl=queue)[0] == "AccessDenied"
    (got,) = owner.receive_message(QueueUrl=queue, AttributeNames=["SenderId"])["Messages"]
    assert got["Attributes"]["SenderId"] == FRIEND
    owner.remove_permission(QueueUrl=queue, Label="in")
    assert refusal(friend.send_message, QueueUrl=queue, MessageBody="x")[0] == "AccessDenied"


def test_a_denial_is_told_as_one(client, account, queue):
    allow(client, queue, account, "sqs:SendMessage", "Deny", "*")
    other = client("sqs", access_key=FRIEND)
    code, message = refusal(other.send_message, QueueUrl=queue, MessageBody="x")
    assert code == "AccessDenied"
    assert message.endswith("with an explicit deny in a resource-based policy")
    code, message = refusal(client("sqs").send_message, QueueUrl=queue, MessageBody="x")
    assert code == "AccessDenied"
    assert message.endswith("with an explicit deny in a resource-based policy")
    client("sqs").receive_message(QueueUrl=queue)


def test_a_denial_to_everybody_leaves_the_root_the_policy(client, account, queue):
    owner = client("sqs")
    allow(client, queue, account, "sqs:*", "Deny", "*")
    for operation, params in PARAMETERS.items():
        if operation not in ("get_queue_attributes", "set_queue_attributes"):
            assert refusal(getattr(owner, operation), QueueUrl=queue, **params)[0] == (
                "AccessDenied"
            )
    arn = f"arn:aws:sqs:us-east-1:{account}:shared"
    for call, params in [
        (owner.start_message_move_task, {"SourceArn": arn}),
        (owner.list_message_move_tasks, {"SourceArn": arn}),
    ]:
        assert refusal(call, **params)[0] == "AccessDenied"
    assert owner.get_queue_url(QueueName="shared")["QueueUrl"] == queue
    owner.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})
    owner.send_message(QueueUrl=queue, MessageBody="x")


def test_an_accounts_own_user_is_named_as_sender_and_may_be_denied(fresh_node, connect):
    node = fresh_node(auth=True)
    key = node.administrator

    def admin(service):
        return connect(node.endpoint, service, access_key=key.id, secret=key.secret)

    made = admin("iam").create_user(UserName="reader")["User"]
    user, user_id = made["Arn"], made["UserId"]
    made = admin("iam").create_access_key(UserName="reader")["AccessKey"]
    reader = connect(
        node.endpoint,
        "sqs",
        access_key=made["AccessKeyId"],
        secret=made["SecretAccessKey"],
    )
    url = admin("sqs").create_queue(QueueName="shared")["QueueUrl"]
    reader.send_message(QueueUrl=url, MessageBody="x")
    reader.send_message_batch(QueueUrl=url, Entries=[SENT])
    got = reader.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["SenderId"]
    )["Messages"]
    assert [each["Attributes"]["SenderId"] for each in got] == [user_id, user_id]
    allow(admin, url, user.split(":")[4], "sqs:SendMessage", "Deny", user)
    code, message = refusal(reader.send_message, QueueUrl=url, MessageBody="x")
    assert code == "AccessDenied"
    assert message.startswith(f"User: {user} is not authorized to perform: sqs:sendmessage")
    reader.receive_message(QueueUrl=url)
    admin("sqs").send_message(QueueUrl=url, MessageBody="x")


def test_a_queue_that_may_not_be_asked_for_is_as_good_as_not_there(client, account, queue):
    other = client("sqs", access_key=FRIEND)
    params = {"QueueName": "shared", "QueueOwnerAWSAccountId": account}
    hidden = (
        "AWS.SimpleQueueService.NonExistentQueue",
        "The specified queue does not exist or you do not have access to it.",
    )
    assert refusal(other.get_queue_url, **params) == hidden
    params["QueueName"] = "nowhere"
    assert refusal(other.get_queue_url, **params) == hidden
    allow(client, queue, account, "SQS:GetQueueUrl")
    params["QueueName"] = "shared"
    assert other.get_queue_url(**params)["QueueUrl"] == queue
    assert refusal(other.get_queue_url, QueueName="shared")[1] == (
        "The specified queue does not exist."
    )
