"""Requests reach operations and errors leave in the service's wire form, over HTTP."""

from __future__ import annotations

import json
import logging

import pytest
from tests.support.http import Raw

JSON = {"Content-Type": "application/x-amz-json-1.0"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def target(name: str) -> dict[str, str]:
    return {**JSON, "X-Amz-Target": name}


@pytest.fixture
def send(local) -> Raw:
    return Raw(local.endpoint, "123456789012", region="ap-south-1")


def test_account_and_region_come_from_the_credentials(local, send):
    send("POST", "/", b"{}", target("AmazonSQS.ListQueues"), sign="sqs")
    _, context, _ = local.calls.last
    assert (context.account, context.region) == ("123456789012", "ap-south-1")
    assert context.principal == "arn:aws:iam::123456789012:root"
    assert context.endpoint == local.endpoint


@pytest.mark.parametrize("access_key", ["test", "1234567890123", "AKIAIOSFODNN7EXAMPLE"])
def test_a_key_that_is_no_account_stands_for_the_default_account(local, access_key):
    Raw(local.endpoint, access_key)("POST", "/", b"{}", target("AmazonSQS.ListQueues"), sign="sqs")
    assert local.calls.last[1].account == "000000000000"


def test_a_functions_token_says_whose_session_asks(local, send):
    for token, principal in (
        ("local/r/f", "arn:aws:sts::123456789012:assumed-role/r/f"),
        ("another", "arn:aws:iam::123456789012:root"),
    ):
        headers = {**target("AmazonSQS.ListQueues"), "X-Amz-Security-Token": token}
        send("POST", "/", b"{}", headers, sign="sqs")
        assert local.calls.last[1].principal == principal


def test_a_key_that_was_made_here_acts_as_whom_it_was_made_for(local):
    raw = Raw(local.endpoint, "ASIACCCCCCCCCCCCCCCC")
    raw("POST", "/", b"{}", target("AmazonSQS.ListQueues"), sign="sqs")
    context = local.calls.last[1]
    assert context.account == "444455556666"
    assert context.principal == "arn:aws:sts::444455556666:assumed-role/r/s"


def test_an_unsigned_request_gets_the_defaults(local, send):
    send("POST", "/", b"{}", target("AmazonSQS.ListQueues"))
    context = local.calls.last[1]
    assert (context.account, context.region) == ("000000000000", "eu-north-1")


def test_the_endpoint_is_the_one_that_the_client_used(local, send):
    send("POST", "/", b"{}", {**target("AmazonSQS.ListQueues"), "Host": "queues.example:80"})
    assert local.calls.last[1].endpoint == "http://queues.example:80"


def test_a_queue_url_is_addressed_in_the_older_query_protocol(local, send):
    answer = send("POST", "/000000000000/q", b"Action=SendMessage&MessageBody=x", FORM)
    assert local.calls.last[0] == "SendMessage"
    assert (
        answer.status == 400
        and "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>" in answer.text
    )


def test_an_action_in_the_query_string_is_one_too(local, send):
    answer = send("GET", "/?Action=ListQueues&Version=2012-11-05")
    assert answer.status == 200 and "<ListQueuesResponse" in answer.text


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("photos.s3.localhost", "/a%20b"),
        ("photos.localhost", "/a%20b"),
        ("localhost", "/photos/a%20b"),
    ],
)
def test_buckets_are_addressed_by_host_and_by_path(local, send, host, path):
    answer = send("GET", path, headers={"Host": f"{host}:{local.port}"})
    assert answer.body == b"the object"
    _, context, params = local.calls.last
    assert (params["Bucket"], params["Key"]) == ("photos", "a b")
    assert context.endpoint in (
        f"http://s3.localhost:{local.port}",
        f"http://localhost:{local.port}",
    )


def test_an_unsigned_lambda_path_is_lambda(local, send):
    assert send("GET", "/2015-03-31/functions").status == 200
    assert local.calls.last[0] == "ListFunctions"


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (("POST", "/", b"{}", target("AmazonSQS.Dance")), 400, "UnknownOperationException"),
        (("POST", "/", b"{}", target("DynamoDB_20120810.Dance")), 400, "UnknownOperationException"),
        (
            ("POST", "/", b"Action=Dance&Version=2011-06-15", FORM),
            400,
            "<Message>Could not find operation Dance for version 2011-06-15</Message>",
        ),
        (
            ("POST", "/", b"Action=Dance&Version=2012-11-05", FORM),
            400,
            "<Message>The action Dance is not valid for this endpoint.</Message>",
        ),
        (("PATCH", "/bucket/key", b"", {}), 405, "MethodNotAllowed"),
        (("POST", "/", b"{}", target("AmazonSQS.PurgeQueue")), 501, "NotImplemented"),
        (("PUT", "/bucket", b"", {}), 501, "NotImplemented"),
        (("POST", "/", b"{", target("AmazonSQS.ListQueues")), 400, "SerializationException"),
        (
            ("POST", "/", b'{"MaxResults": "x"}', target("AmazonSQS.ListQueues")),
            400,
            "SerializationException",
        ),
        (("GET", "/", b"", {}), 500, "InternalError"),
        (("POST", "/", b"{}", target("DynamoDB_20120810.ListTables")), 500, "InternalServerError"),
        (
            ("POST", "/", b'{"QueueName": "q"}', target("AmazonSQS.GetQueueUrl")),
            503,
            "ServiceUnavailable",
        ),
    ],
)
def test_errors_are_in_the_service_s_own_form(send, request_, status, code):
    answer = send(*request_)
    assert answer.status == status
    assert code in answer.text
    assert "secret of the inside" not in answer.text
    ids = [v for n, v in answer.headers.items() if n in ("x-amzn-requestid", "x-amz-request-id")]
    assert len(ids) == 1


def test_a_form_too_large_to_be_one_is_refused(send):
    headers = {**FORM, "Content-Length": str(1 << 30)}
    assert send("POST", "/", b"Action=", headers).status == 405


def test_what_is_missing_here_is_named(send):
    answer = send("POST", "/", b"{}", target("AmazonSQS.PurgeQueue"))
    assert "PurgeQueue of sqs" in answer.text


def test_a_service_that_is_missing_here_is_named(send):
    answer = send("POST", "/", b"Action=X", FORM, sign="imaginary")
    assert answer.status == 501 and "imaginary" in answer.text


def test_a_defect_is_logged_with_its_traceback_and_request_id(local, send, caplog):
    caplog.set_level(logging.ERROR, "lambent.gateway")
    answer = send("GET", "/")
    assert "a secret of the inside" in caplog.text
    assert answer.headers["x-amz-request-id"] in caplog.text


def test_requests_are_logged_without_query_or_credentials(local, send, caplog):
    caplog.set_level(logging.DEBUG, "lambent")
    send("GET", "/bucket/key?X-Amz-Foo=hush", headers={"X-Amz-Security-Token": "hush"}, sign="s3")
    assert "GET /bucket/key 200 s3 GetObject" in caplog.text
    assert "hush" not in caplog.text and "Signature" not in caplog.text


def test_health_is_open_and_other_routes_echo(local, send):
    assert json.loads(send("GET", "/_lambent/health").body) == {"status": "ok"}
    answer = send("POST", "/_lambent/echo/it?a=1", b"hello", sign="lambent")
    assert json.loads(answer.body) == {
        "path": "/_lambent/echo/it",
        "query": {"a": "1"},
        "body": "hello",
        "account": "123456789012",
    }
    assert send("GET", "/_lambent/nothing").status == 404
