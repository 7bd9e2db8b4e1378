"""Invoke through boto3: synchronous, asynchronous, dry."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tests.services.lambda_.conftest import RAISES, Make, Queue, archive, payload, until
from tests.services.lambda_.test_functions import refused
from tests.support.http import Raw

SENDS = """
import boto3, json, os
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(
        {"event": event, "id": context.aws_request_id, "arn": context.invoked_function_arn}))
"""


def test_a_result_comes_back_with_its_version(make: Make, functions: Any) -> None:
    make("f")
    answer = functions.invoke(FunctionName="f", Payload=b'{"a": [1, "\\u00e4"]}')
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer
    assert "LogResult" not in answer
    assert payload(answer) == {"a": [1, "ä"]}


def test_no_payload_is_an_empty_event(make: Make, functions: Any) -> None:
    make("f")
    assert payload(functions.invoke(FunctionName="f")) == {}


def test_the_log_tail_comes_back_when_asked_for(make: Make, functions: Any) -> None:
    make("f", "def handler(event, context):\n    print('hello log')\n")
    answer = functions.invoke(FunctionName="f", LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode()
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert log.startswith(f"START RequestId: {request_id} Version: $LATEST\n")
    assert "hello log\n" in log
    assert f"END RequestId: {request_id}\n" in log


def test_a_functions_error_is_its_own(make: Make, functions: Any) -> None:
    make("f", RAISES)
    answer = functions.invoke(FunctionName="f")
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    error = payload(answer)
    assert error["errorType"] == "ValueError"
    assert error["errorMessage"] == "broken"


def test_the_handler_sees_its_context(make: Make, functions: Any, account: str) -> None:
    make(
        "f",
        "def handler(event, context):\n"
        "    return [context.function_name, context.function_version, context.memory_limit_in_mb,\n"
        "            context.aws_request_id, context.invoked_function_arn,\n"
        "            context.client_context.custom]\n",
        MemorySize=256,
    )
    context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    answer = functions.invoke(FunctionName="f", ClientContext=context)
    assert payload(answer) == [
        "f",
        "$LATEST",
        "256",
        answer["ResponseMetadata"]["RequestId"],
        f"arn:aws:lambda:us-east-1:{account}:function:f",
        {"k": "v"},
    ]


def test_a_dry_run_runs_nothing(make: Make, functions: Any) -> None:
    make("f")
    answer = functions.invoke(FunctionName="f", InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    assert answer["Payload"].read() == b""


def test_what_is_not_json_is_refused(make: Make, functions: Any) -> None:
    make("f")
    for bad in (b"not json", b'{"a":', b"\xff\xfe", b"[" * 100_000):
        code, status, message = refused(
            lambda bad=bad: functions.invoke(FunctionName="f", Payload=bad)
        )
        assert (code, status) == ("InvalidRequestContentException", 400)
        assert message.startswith("Could not parse request body into json: ")


@pytest.mark.parametrize(
    ("kind", "size", "message"),
    [
        (
            "RequestResponse",
            6_291_457,
            "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
        ),
        (
            "Event",
            1_048_577,
            "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
        ),
    ],
)
def test_a_payload_over_the_limit_is_refused(
    make: Make, functions: Any, kind: str, size: int, message: str
) -> None:
    make("f")
    big = b'"' + b"x" * (size - 2) + b'"'
    assert refused(
        lambda: functions.invoke(FunctionName="f", InvocationType=kind, Payload=big)
    ) == ("RequestEntityTooLargeException", 413, message)


def test_the_largest_payload_goes_through(make: Make, functions: Any) -> None:
    make("f", "def handler(event, context):\n    return len(event)\n", Timeout=30)
    big = b'"' + b"x" * (6_291_456 - 2) + b'"'
    assert payload(functions.invoke(FunctionName="f", Payload=big)) == 6_291_454


def test_without_reserved_concurrency_nothing_runs(make: Make, functions: Any) -> None:
    make("f")
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    code, status, message = refused(lambda: functions.invoke(FunctionName="f"))
    assert (code, status, message) == ("TooManyRequestsException", 429, "Rate Exceeded.")


def test_an_unknown_qualifier_is_not_found(make: Make, functions: Any, account: str) -> None:
    make("f")
    for qualifier in ("7", "alias"):
        assert refused(
            lambda qualifier=qualifier: functions.invoke(FunctionName="f", Qualifier=qualifier)
        ) == (
            "ResourceNotFoundException",
            404,
            f"Function not found: arn:aws:lambda:us-east-1:{account}:function:f:{qualifier}",
        )


def test_an_asynchronous_invocation_runs_under_its_request_id(
    make: Make, functions: Any, queue: Any
) -> None:
    out: Queue = queue()
    made = make("f", SENDS, Timeout=30, Environment={"Variables": {"QUEUE": out.url}})
    answer = functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"a": 1}')
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
    said = json.loads(out.receive()["Body"])
    assert said == {
        "event": {"a": 1},
        "id": answer["ResponseMetadata"]["RequestId"],
        "arn": made["FunctionArn"],
    }


def test_a_failed_event_goes_to_its_dead_letter_queue(
    make: Make, functions: Any, queue: Any
) -> None:
    dead: Queue = queue("dead")
    make("f", RAISES, DeadLetterConfig={"TargetArn": dead.arn})
    functions.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    answer = functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"a": 1}')
    message = dead.receive()
    assert json.loads(message["Body"]) == {"a": 1}
    attributes = message["MessageAttributes"]
    assert attributes["RequestID"]["StringValue"] == answer["ResponseMetadata"]["RequestId"]
    assert attributes["ErrorCode"]["StringValue"] == "200"
    assert attributes["ErrorCode"]["DataType"] == "Number"
    assert attributes["ErrorMessage"]["StringValue"] == "broken"


def test_a_version_keeps_the_dead_letter_queue_it_was_published_with(
    make: Make, functions: Any, queue: Any
) -> None:
    first: Queue = queue("first")
    second: Queue = queue("second")
    make("f", RAISES, DeadLetterConfig={"TargetArn": first.arn}, Publish=True)
    functions.update_function_configuration(
        FunctionName="f", DeadLetterConfig={"TargetArn": second.arn}
    )
    for qualifier, dead in (("1", first), ("$LATEST", second)):
        functions.put_function_event_invoke_config(
            FunctionName="f", Qualifier=qualifier, MaximumRetryAttempts=0
        )
        functions.invoke(
            FunctionName="f", Qualifier=qualifier, InvocationType="Event", Payload=b"{}"
        )
        assert dead.receive()["Body"] == "{}"


def test_destinations_get_the_record_of_the_invocation(
    make: Make, functions: Any, queue: Any
) -> None:
    good: Queue = queue("good")
    bad: Queue = queue("bad")
    arn = make("f", "def handler(event, context):\n    return {'sum': event['a'] + 1}\n")[
        "FunctionArn"
    ]
    functions.put_function_event_invoke_config(
        FunctionName="f",
        MaximumRetryAttempts=0,
        DestinationConfig={
            "OnSuccess": {"Destination": good.arn},
            "OnFailure": {"Destination": bad.arn},
        },
    )
    answer = functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"a": 1}')
    record = json.loads(good.receive()["Body"])
    assert record.pop("timestamp")
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": answer["ResponseMetadata"]["RequestId"],
            "functionArn": f"{arn}:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"a": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"sum": 2},
    }
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")
    record = json.loads(bad.receive()["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorType"] == "KeyError"


def test_reserved_concurrency_of_zero_goes_straight_to_the_dead_letter_queue(
    make: Make, functions: Any, queue: Any
) -> None:
    dead: Queue = queue("dead")
    make("f", DeadLetterConfig={"TargetArn": dead.arn})
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'"x"')
    assert dead.receive()["Body"] == '"x"'


def test_event_invoke_configs_are_kept_by_qualifier(make: Make, functions: Any) -> None:
    arn = make("f", Publish=True)["FunctionArn"].removesuffix(":1")
    code, _, message = refused(lambda: functions.get_function_event_invoke_config(FunctionName="f"))
    assert code == "ResourceNotFoundException"
    assert message == f"The function {arn}:$LATEST doesn't have an EventInvokeConfig"
    functions.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=1)
    functions.update_function_event_invoke_config(FunctionName="f", MaximumEventAgeInSeconds=60)
    functions.put_function_event_invoke_config(
        FunctionName="f", Qualifier="1", MaximumEventAgeInSeconds=120
    )
    found = functions.get_function_event_invoke_config(FunctionName="f")
    assert found["FunctionArn"] == f"{arn}:$LATEST"
    assert found["MaximumRetryAttempts"] == 1
    assert found["MaximumEventAgeInSeconds"] == 60
    assert found["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    listed = functions.list_function_event_invoke_configs(FunctionName="f")
    assert len(listed["FunctionEventInvokeConfigs"]) == 2
    functions.delete_function_event_invoke_config(FunctionName="f")
    refused(lambda: functions.get_function_event_invoke_config(FunctionName="f"))


def test_the_wire_form_of_an_error_names_its_type(raw: Raw) -> None:
    answer = raw("POST", "/2015-03-31/functions/none/invocations", b"{}", sign="lambda")
    assert answer.status == 404
    body = json.loads(answer.body)
    assert body["Type"] == "User"
    assert body["Message"].startswith("Function not found: arn:aws:lambda:")


def test_one_slow_function_does_not_hold_up_another(make: Make, functions: Any, queue: Any) -> None:
    out: Queue = queue()
    make("slow", "import time\ndef handler(event, context):\n    time.sleep(2)\n")
    make("fast", SENDS, Timeout=30, Environment={"Variables": {"QUEUE": out.url}})
    for _ in range(3):
        functions.invoke(FunctionName="slow", InvocationType="Event")
    functions.invoke(FunctionName="fast", InvocationType="Event", Payload=b"1")
    assert json.loads(out.receive()["Body"])["event"] == 1


def test_new_code_is_used_by_events_that_wait(make: Make, functions: Any, queue: Any) -> None:
    out: Queue = queue()
    make("f", RAISES, Timeout=30, Environment={"Variables": {"QUEUE": out.url}})
    functions.update_function_code(FunctionName="f", ZipFile=archive(SENDS))
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=b"2")
    assert until(lambda: out.receive())
