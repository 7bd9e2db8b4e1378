"""A request reaches its service, whichever way it names it."""

from __future__ import annotations

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_an_sqs_queue_made_by_json_is_listed_by_the_older_query_protocol(client, raw):
    client("sqs").create_queue(QueueName="jobs")
    answer = raw("POST", "/", b"Action=ListQueues&Version=2012-11-05", FORM, sign="sqs")
    assert answer.status == 200
    assert f"/{raw.access_key}/jobs</QueueUrl>" in answer.text


def test_an_unsigned_form_is_told_by_its_version(raw):
    answer = raw("POST", "/", b"Action=ListQueues&Version=2012-11-05", FORM)
    assert (answer.status, "ListQueuesResponse" in answer.text) == (200, True)
