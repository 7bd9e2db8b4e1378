"""What the conditions of a queue's policy let in: callers, and services that send events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.events.contract import Sender
from lambent.services.sqs.access import takes
from lambent.services.sqs.model import Queue

FRIEND = "222222222222"
ENFORCE_TLS = {"Bool": {"aws:SecureTransport": "false"}}


@pytest.fixture
def queue(client):
    return client("sqs").create_queue(QueueName="q", tags={"team": "red"})["QueueUrl"]


def put(client, account, queue, *statements):
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "sqs:SendMessage",
                "Resource": f"arn:aws:sqs:us-east-1:{account}:q",
                **one,
            }
            for one in statements
        ],
    }
    client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})


def sends(client, queue, access_key=None) -> bool:
    caller = client("sqs", access_key=access_key)
    try:
        caller.send_message(QueueUrl=queue, MessageBody="x")
    except caller.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return False
    return True


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "127.0.0.0/8"]}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"Bool": {"aws:SecureTransport": True}}, True),
        (ENFORCE_TLS, False),
        ({"StringEquals": {"aws:PrincipalAccount": FRIEND}}, True),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}}, False),
        ({"StringNotEquals": {"aws:PrincipalOrgID": "o-1234567890"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{FRIEND}:*"}}, True),
        ({"ArnEquals": {"aws:SourceArn": "arn:aws:sns:us-east-1:1:t"}}, False),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, False),
        ({"NumericGreaterThan": {"aws:EpochTime": "1600000000"}}, True),
        ({"StringEquals": {"aws:ResourceTag/team": "red"}}, True),
        ({"StringEquals": {"aws:ResourceTag/team": "blue"}}, False),
        ({"StringLike": {"aws:UserAgent": "Boto*"}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "${aws:RequestedRegion}"}}, True),
        ({"Null": {"aws:SourceVpce": "true"}}, True),
        ({"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1"}}, True),
    ],
    ids=range(18),
)
def test_a_condition_decides_about_others_and_about_what_is_denied(
    client, account, queue, condition, met
):
    put(client, account, queue, {"Condition": condition})
    assert sends(client, queue, FRIEND) is met
    put(client, account, queue, {}, {"Effect": "Deny", "Condition": condition})
    assert sends(client, queue, FRIEND) is not met


def test_what_is_denied_to_insecure_transport_is_not_denied_to_anyone_here(client, account, queue):
    put(client, account, queue, {"Effect": "Deny", "Condition": ENFORCE_TLS, "Action": "sqs:*"})
    assert sends(client, queue)
    client("sqs").receive_message(QueueUrl=queue)


def test_a_condition_about_time_is_asked_each_time(timed, connect, account):
    def client(service, **arguments):
        return connect(timed.node.endpoint, service, **arguments)

    url = client("sqs").create_queue(QueueName="q")["QueueUrl"]
    until = {"NumericLessThan": {"aws:EpochTime": int(timed.clock.now()) + 60}}
    put(client, account, url, {"Condition": until})
    assert sends(client, url, FRIEND)
    timed.advance(120)
    assert not sends(client, url, FRIEND)


def test_variables_name_the_user_who_asks(fresh_node, connect):
    node = fresh_node(auth=True)
    key = node.administrator

    def admin(service):
        return connect(node.endpoint, service, access_key=key.id, secret=key.secret)

    url = admin("sqs").create_queue(QueueName="q", tags={"owner": "ann"})["QueueUrl"]
    account = url.split("/")[-2]
    condition = {"StringNotEquals": {"aws:ResourceTag/owner": "${aws:username}"}}
    only_owner = {"Effect": "Deny", "Condition": condition}
    put(admin, account, url, only_owner)
    for name, may in [("ann", True), ("bob", False)]:
        admin("iam").create_user(UserName=name)
        made = admin("iam").create_access_key(UserName=name)["AccessKey"]

        def user(service, access_key=None, made=made):
            return connect(
                node.endpoint,
                service,
                access_key=made["AccessKeyId"],
                secret=made["SecretAccessKey"],
            )

        assert sends(user, url) is may


@pytest.mark.parametrize(
    "condition",
    [
        {"StringIs": {"aws:SourceArn": "x"}},
        {"IpAddress": {"aws:SourceIp": "here"}},
        {"StringEquals": "x"},
        {"StringEquals": {"SourceArn": "x"}},
        ["StringEquals"],
    ],
    ids=range(5),
)
def test_what_is_no_condition_is_no_policy(client, account, queue, condition):
    with pytest.raises(ClientError) as caught:
        put(client, account, queue, {"Condition": condition})
    error = caught.value.response["Error"]
    assert (error["Code"], error["Message"]) == (
        "InvalidAttributeValue",
        "Invalid value for the parameter Policy.",
    )


BUCKET = "arn:aws:s3:::photos"
OWN, OTHER = "111111111111", "222222222222"
S3 = Sender("s3.amazonaws.com", BUCKET, OWN)
FOREIGN = Sender("s3.amazonaws.com", BUCKET, OTHER)
ROLE = Sender("lambda.amazonaws.com", "arn:aws:lambda:::f", OWN, "arn:aws:iam::111111111111:role/r")
LET_S3 = {"Principal": {"Service": "s3.amazonaws.com"}}
FROM_PHOTOS = {"Condition": {"ArnLike": {"aws:SourceArn": BUCKET}}}
FROM_OTHERS = {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:other"}}}
OF_OWN = {"Condition": {"StringEquals": {"aws:SourceAccount": OWN}}}


@pytest.mark.parametrize(
    ("statements", "sender", "taken"),
    [
        ([], S3, True),
        ([], FOREIGN, False),
        ([], ROLE, True),
        ([LET_S3], S3, True),
        ([LET_S3], FOREIGN, True),
        ([{**LET_S3, **FROM_PHOTOS}], S3, True),
        ([{**LET_S3, **FROM_OTHERS}], S3, False),
        ([{"Principal": {"AWS": "*"}, **FROM_OTHERS}], S3, False),
        ([{**LET_S3, **OF_OWN}], S3, True),
        ([{**LET_S3, **OF_OWN}], FOREIGN, False),
        # What a policy says of others leaves the account's own services as they were.
        ([{"Principal": {"Service": "sns.amazonaws.com"}, **FROM_OTHERS}], S3, True),
        ([{"Principal": {"AWS": OTHER}}], S3, True),
        ([{"Effect": "Deny", "Condition": ENFORCE_TLS}], S3, True),
        ([{"Effect": "Deny", **FROM_PHOTOS}], S3, False),
        ([{"Effect": "Deny", "NotPrincipal": {"AWS": OWN}}], S3, False),
        ([{**LET_S3, **FROM_OTHERS}], ROLE, True),
        ([{"Effect": "Deny", "Principal": {"AWS": ROLE.role}}], ROLE, False),
        (
            [{"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111111111111:role/s"}}],
            ROLE,
            True,
        ),
    ],
    ids=range(18),
)
def test_a_queue_takes_what_its_policy_lets_a_service_send(
    statements: list[dict[str, Any]], sender: Sender, taken: bool
) -> None:
    arn = f"arn:aws:sqs:us-east-1:{OWN}:q"
    common = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}
    whole = []
    for one in statements:
        named = {} if "NotPrincipal" in one else {"Principal": "*"}
        whole.append({**common, **named, **one})
    attributes = {"Policy": json.dumps({"Statement": whole})} if whole else {}
    queue = Queue("q", OWN, "us-east-1", "u", 0.0, 0.0, attributes, {})
    assert takes(queue, sender) is taken
