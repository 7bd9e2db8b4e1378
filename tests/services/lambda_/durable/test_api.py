"""The API on durable executions: what it takes, what it refuses, and how it shows them."""

from __future__ import annotations

import base64
import datetime
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import ECHO, Make, Queue, open_url, until
from tests.support.http import Raw

PENDING = "def handler(event, context):\n    return {'Status': 'PENDING'}\n"
TELLS = """
import boto3, json
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl="{url}", MessageBody=json.dumps(event))
    boto3.client("lambda").checkpoint_durable_execution(
        DurableExecutionArn=event["DurableExecutionArn"],
        CheckpointToken=event["CheckpointToken"],
        Updates=[{{"Id": "w", "Type": "WAIT", "Action": "START",
                   "WaitOptions": {{"WaitSeconds": 100}}}}])
    return {{"Status": "PENDING"}}
"""
DURABLE = {"ExecutionTimeout": 600}


def refused(call: Any, code: str, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code
    message: str = caught.value.response["Error"]["Message"]
    return message


def test_a_function_is_durable_from_its_creation_on_or_never(functions: Any, make: Make) -> None:
    made = make("f", DurableConfig={"ExecutionTimeout": 60})
    assert made["DurableConfig"] == {"ExecutionTimeout": 60, "RetentionPeriodInDays": 14}
    functions.update_function_configuration(
        FunctionName="f", DurableConfig={"RetentionPeriodInDays": 3}
    )
    shown = functions.get_function_configuration(FunctionName="f")["DurableConfig"]
    assert shown == {"ExecutionTimeout": 60, "RetentionPeriodInDays": 3}
    make("plain")
    refused(
        functions.update_function_configuration,
        "InvalidParameterValueException",
        FunctionName="plain",
        DurableConfig={"ExecutionTimeout": 60},
    )
    assert "DurableConfig" not in functions.get_function_configuration(FunctionName="plain")


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"RetentionPeriodInDays": 3}, "InvalidParameterValueException"),
        ({"ExecutionTimeout": 31_622_401}, "ValidationException"),
        ({"ExecutionTimeout": 60, "RetentionPeriodInDays": 91}, "ValidationException"),
    ],
    ids=["no timeout", "timeout", "retention"],
)
def test_configurations_that_cannot_be_are_refused(
    make: Make, config: dict[str, Any], code: str
) -> None:
    refused(make, code, name="f", DurableConfig=config)


def test_a_durable_function_is_invoked_by_version_or_alias_alone(
    functions: Any, make: Make
) -> None:
    make("f", DurableConfig={"ExecutionTimeout": 901})
    message = refused(
        functions.invoke, "InvalidParameterValueException", FunctionName="f", InvocationType="Event"
    )
    assert message == "You cannot invoke a durable function using an unqualified ARN."
    refused(
        functions.invoke,
        "InvalidParameterValueException",
        FunctionName="f:$LATEST",  # it may run longer than anyone waits
    )
    answer = functions.invoke(FunctionName="f:$LATEST", InvocationType="Event")
    assert ":function:f:$LATEST/durable-execution/" in answer["DurableExecutionArn"]
    make("plain")
    refused(
        functions.invoke,
        "InvalidParameterValueException",
        FunctionName="plain",
        DurableExecutionName="a",
    )


def test_a_name_is_one_execution_of_one_payload(functions: Any, make: Make) -> None:
    make("f", source=PENDING, DurableConfig=DURABLE)
    asked = {"FunctionName": "f:$LATEST", "InvocationType": "Event", "DurableExecutionName": "a"}
    first = functions.invoke(**asked, Payload=b'{"n":1}')["DurableExecutionArn"]
    assert functions.invoke(**asked, Payload=b'{"n":1}')["DurableExecutionArn"] == first
    assert first.split("/")[-2] == "a"
    refused(
        functions.invoke, "DurableExecutionAlreadyStartedException", **asked, Payload=b'{"n":2}'
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{'Status': 'PENDING'}", "Cannot return PENDING status with no pending operations."),
        ("{'Status': 'DONE'}", "Invalid Status in invocation output."),
        ("[1]", "Invalid Status in invocation output."),
    ],
    ids=["nothing pending", "unknown", "no object"],
)
def test_an_answer_that_cannot_be_fails_the_execution(
    functions: Any, make: Make, said: str, message: str
) -> None:
    make("f", source=f"def handler(e, c):\n    return {said}\n", DurableConfig=DURABLE)
    answer = functions.invoke(FunctionName="f:$LATEST")
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorMessage"] == message


@pytest.fixture
def told(functions: Any, make: Make, queue: Any) -> dict[str, Any]:
    """What a function was invoked with that waits now for 100 seconds."""
    events: Queue = queue("events")
    make("f", source=TELLS.format(url=events.url), Timeout=20, DurableConfig=DURABLE)
    functions.invoke(FunctionName="f:$LATEST", InvocationType="Event", Payload=b'{"n":1}')
    event: dict[str, Any] = json.loads(events.receive()["Body"])
    arn = event["DurableExecutionArn"]
    until(
        lambda: any(
            one["EventType"] == "InvocationCompleted"
            for one in functions.get_durable_execution_history(DurableExecutionArn=arn)["Events"]
        )
    )
    return event


def test_the_function_is_given_its_state(told: dict[str, Any]) -> None:
    (root,) = told["InitialExecutionState"]["Operations"]
    assert root["Id"] == told["DurableExecutionArn"].split("/")[-1]
    assert root["ExecutionDetails"] == {"InputPayload": '{"n":1}'}
    assert isinstance(root["StartTimestamp"], int)
    assert told["UpdatedOperationIds"] == []


def test_a_token_is_good_for_one_checkpoint(functions: Any, told: dict[str, Any]) -> None:
    asked = {
        "DurableExecutionArn": told["DurableExecutionArn"],
        "CheckpointToken": told["CheckpointToken"],
    }
    for call in (functions.checkpoint_durable_execution, functions.get_durable_execution_state):
        message = refused(call, "InvalidParameterValueException", **asked)
        assert message == "Invalid checkpoint token"


RUNS = """
import json, urllib.request
def handler(event, context):
    urllib.request.urlopen("http://{host}:{port}/", json.dumps(event).encode()).read()
"""


@pytest.fixture
def running(functions: Any, make: Make, gate: Any) -> Any:
    """A function that runs until the test ends, and the token of its first checkpoint."""
    host, port = gate.address
    make("f", source=RUNS.format(host=host, port=port), Timeout=30, DurableConfig=DURABLE)
    arn = functions.invoke(FunctionName="f:$LATEST", InvocationType="Event")["DurableExecutionArn"]
    id = arn.split("/")[-1]
    token = base64.b64encode(f"{id}:1:0".encode()).decode()

    def ready() -> Any:
        try:
            return functions.get_durable_execution_state(
                DurableExecutionArn=arn, CheckpointToken=token
            )
        except ClientError:
            return None

    until(ready)
    return {"DurableExecutionArn": arn, "CheckpointToken": token}


def step(id: str, action: str = "SUCCEED", **more: Any) -> dict[str, Any]:
    return {"Id": id, "Type": "STEP", "Action": action, **more}


def test_a_checkpoint_is_repeated_without_being_made_twice(functions: Any, running: Any) -> None:
    asked = {**running, "Updates": [step("a", Payload="1")], "ClientToken": "once"}
    first = functions.checkpoint_durable_execution(**asked)
    again = functions.checkpoint_durable_execution(**asked)
    assert again["CheckpointToken"] == first["CheckpointToken"] != running["CheckpointToken"]
    assert again["NewExecutionState"] == first["NewExecutionState"]
    (told,) = first["NewExecutionState"]["Operations"]
    assert told["Status"] == "SUCCEEDED" and told["StepDetails"] == {"Attempt": 1, "Result": "1"}
    history = functions.get_durable_execution_history(
        DurableExecutionArn=running["DurableExecutionArn"]
    )
    assert [one["EventType"] for one in history["Events"]] == ["ExecutionStarted", "StepSucceeded"]


@pytest.mark.parametrize(
    "update",
    [
        {"Id": "a", "Type": "WAIT", "Action": "SUCCEED"},
        {"Id": "a", "Type": "WAIT", "Action": "START"},
        {"Id": "a", "Type": "WAIT", "Action": "CANCEL"},
        {"Id": "done", "Type": "STEP", "Action": "SUCCEED"},
        {"Id": "done", "Type": "CONTEXT", "Action": "START"},
        {"Id": "a", "Type": "STEP", "Action": "RETRY"},
        {"Id": "a", "Type": "STEP", "Action": "SUCCEED", "Payload": "x" * 1_048_577},
        {"Id": "a", "Type": "CHAINED_INVOKE", "Action": "START"},
    ],
    ids=[
        *("action", "no seconds", "nothing to cancel", "over", "another type"),
        *("no delay", "too large", "no function"),
    ],
)
def test_a_checkpoint_with_one_bad_update_changes_nothing(
    functions: Any, running: Any, update: dict[str, Any]
) -> None:
    made = functions.checkpoint_durable_execution(**running, Updates=[step("done", Payload="1")])
    asked = {**running, "CheckpointToken": made["CheckpointToken"]}
    refused(
        functions.checkpoint_durable_execution,
        "InvalidParameterValueException",
        **asked,
        Updates=[step("good", Payload="2"), update],
    )
    state = functions.get_durable_execution_state(**asked)["Operations"]
    assert [one["Type"] for one in state] == ["EXECUTION", "STEP"]


def test_state_comes_in_pages_without_what_lies_in_completed_contexts(
    functions: Any, running: Any
) -> None:
    context = {"Id": "c", "Type": "CONTEXT"}
    made = functions.checkpoint_durable_execution(
        **running,
        Updates=[
            {**context, "Action": "START"},
            step("hidden", ParentId="c"),
            {"Id": "inner", "Type": "CONTEXT", "Action": "START", "ParentId": "c"},
            step("deep", ParentId="inner"),
            {**context, "Action": "SUCCEED", "Payload": "3"},
            {"Id": "r", "Type": "CONTEXT", "Action": "START"},
            step("seen", ParentId="r"),
            {
                "Id": "r",
                "Type": "CONTEXT",
                "Action": "SUCCEED",
                "ContextOptions": {"ReplayChildren": True},
            },
        ],
    )
    asked = {**running, "CheckpointToken": made["CheckpointToken"], "MaxItems": 2}
    first = functions.get_durable_execution_state(**asked)
    second = functions.get_durable_execution_state(**asked, Marker=first["NextMarker"])
    assert "NextMarker" not in second
    ids = [one["Id"] for page in (first, second) for one in page["Operations"]]
    assert ids[1:] == ["c", "r", "seen"]


def test_an_execution_that_ends_by_a_checkpoint_gives_no_token(
    functions: Any, running: Any
) -> None:
    made = functions.checkpoint_durable_execution(
        **running,
        Updates=[{"Id": "e", "Type": "EXECUTION", "Action": "SUCCEED", "Payload": '"done"'}],
    )
    assert "CheckpointToken" not in made
    shown = functions.get_durable_execution(DurableExecutionArn=running["DurableExecutionArn"])
    assert shown["Status"] == "SUCCEEDED" and shown["Result"] == '"done"'


def test_an_execution_is_stopped_and_then_deleted(functions: Any, told: dict[str, Any]) -> None:
    arn = told["DurableExecutionArn"]
    refused(
        functions.delete_durable_execution, "ResourceConflictException", DurableExecutionArn=arn
    )
    error = {"ErrorType": "Operator", "ErrorMessage": "enough"}
    stopped = functions.stop_durable_execution(DurableExecutionArn=arn, Error=error)
    shown = functions.get_durable_execution(DurableExecutionArn=arn)
    assert shown["Status"] == "STOPPED" and shown["Error"] == error
    assert shown["EndTimestamp"] == stopped["StopTimestamp"]
    bare = functions.get_durable_execution(DurableExecutionArn=arn, IncludeExecutionData=False)
    assert not bare["ExecutionDataIncluded"] and not {"Error", "InputPayload"} & bare.keys()
    functions.delete_durable_execution(DurableExecutionArn=arn)
    refused(functions.get_durable_execution, "ResourceNotFoundException", DurableExecutionArn=arn)


def test_a_history_is_read_in_pages_both_ways_and_without_data(
    functions: Any, told: dict[str, Any]
) -> None:
    asked = {"DurableExecutionArn": told["DurableExecutionArn"], "MaxItems": 2}
    for backwards in (False, True):
        first = functions.get_durable_execution_history(**asked, ReverseOrder=backwards)
        second = functions.get_durable_execution_history(
            **asked, ReverseOrder=backwards, Marker=first["NextMarker"]
        )
        ids = [one["EventId"] for page in (first, second) for one in page["Events"]]
        assert ids == ([3, 2, 1] if backwards else [1, 2, 3])
        assert "NextMarker" not in second
    bare = functions.get_durable_execution_history(**asked, IncludeExecutionData=False)
    assert bare["Events"][0]["ExecutionStartedDetails"]["Input"] == {"Truncated": True}


def test_executions_are_listed_newest_first_as_filters_say(functions: Any, make: Make) -> None:
    make("f", source=PENDING, DurableConfig=DURABLE, Publish=True)
    for number in range(5):
        functions.invoke(
            FunctionName="f:1" if number % 2 else "f:$LATEST",
            InvocationType="Event",
            DurableExecutionName=f"e{number}",
        )
    listed = functions.list_durable_executions_by_function

    def names(**filters: Any) -> list[str]:
        found = listed(FunctionName="f", **filters)["DurableExecutions"]
        return [one["DurableExecutionName"] for one in found]

    until(lambda: len(names(Statuses=["FAILED"])) == 5)
    assert names() == ["e4", "e3", "e2", "e1", "e0"]
    assert names(ReverseOrder=True, MaxItems=2) == ["e0", "e1"]
    assert names(Qualifier="1") == ["e3", "e1"]
    assert names(DurableExecutionName="e2") == ["e2"]
    assert names(Statuses=["RUNNING", "STOPPED"]) == []
    ahead = functions.get_durable_execution(
        DurableExecutionArn=listed(FunctionName="f")["DurableExecutions"][0]["DurableExecutionArn"]
    )["StartTimestamp"] + datetime.timedelta(hours=1)
    assert names(StartedAfter=ahead) == [] and len(names(StartedBefore=ahead)) == 5
    pages = functions.get_paginator("list_durable_executions_by_function")
    paged = pages.paginate(FunctionName="f", PaginationConfig={"PageSize": 2})
    assert [one["DurableExecutionName"] for page in paged for one in page["DurableExecutions"]] == (
        names()
    )
    refused(listed, "ResourceNotFoundException", FunctionName="nobody")


@pytest.mark.parametrize("succeeds", [True, False], ids=["success", "failure"])
def test_destinations_hear_of_the_end_of_an_execution(
    functions: Any, make: Make, queue: Any, succeeds: bool
) -> None:
    said = '{"Status": "SUCCEEDED", "Result": "[1]"}'
    if not succeeds:
        said = '{"Status": "FAILED", "Error": {"ErrorType": "E", "ErrorMessage": "m"}}'
    make(
        "f",
        source=f"def handler(e, c):\n    return {said}\n",
        DurableConfig=DURABLE,
        DeadLetterConfig={"TargetArn": queue("dead").arn},
        Publish=True,
    )
    good, bad = queue("good"), queue("bad")
    functions.put_function_event_invoke_config(
        FunctionName="f",
        Qualifier="1",
        DestinationConfig={
            "OnSuccess": {"Destination": good.arn},
            "OnFailure": {"Destination": bad.arn},
        },
    )
    functions.invoke(FunctionName="f:1", InvocationType="Event", Payload=b'{"n":1}')
    record = json.loads((good if succeeds else bad).receive()["Body"])
    assert record["requestPayload"] == {"n": 1}
    if succeeds:
        assert record["responsePayload"] == [1]
        assert record["requestContext"]["condition"] == "Success"
    else:
        assert record["responsePayload"] == {"errorType": "E", "errorMessage": "m"}
        assert queue("dead").receive()["Body"] == '{"n":1}'


def test_queues_and_events_start_executions(functions: Any, make: Make, queue: Any) -> None:
    make(
        "f",
        source="def handler(e, c):\n    return {'Status': 'SUCCEEDED'}\n",
        DurableConfig={"ExecutionTimeout": 60},
        Publish=True,
    )
    source = queue("source")
    functions.create_event_source_mapping(FunctionName="f:1", EventSourceArn=source.arn)
    source.send("hello")
    listed = functions.list_durable_executions_by_function
    found = until(lambda: listed(FunctionName="f", Statuses=["SUCCEEDED"])["DurableExecutions"])
    shown = functions.get_durable_execution(DurableExecutionArn=found[0]["DurableExecutionArn"])
    assert json.loads(shown["InputPayload"])["Records"][0]["body"] == "hello"
    until(lambda: source.left() == (0, 0))


def test_urls_and_streams_answer_with_an_execution_s_result(
    functions: Any, make: Make, raw: Raw
) -> None:
    make(
        "f",
        source="def handler(e, c):\n    return {'Status': 'SUCCEEDED', 'Result': '\"done\"'}\n",
        DurableConfig=DURABLE,
        Publish=True,
    )
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    url = functions.create_function_url_config(FunctionName="f", Qualifier="live", AuthType="NONE")[
        "FunctionUrl"
    ]
    open_url(functions, "f", Qualifier="live")
    host = urlsplit(url).hostname or ""
    assert raw("GET", "/", headers={"Host": host}).body == b'"done"'
    streamed = functions.invoke_with_response_stream(FunctionName="f:live")
    payload, complete = streamed["EventStream"]
    assert payload["PayloadChunk"]["Payload"] == b'"done"'
    assert complete == {"InvokeComplete": {}}
    found = functions.list_durable_executions_by_function(FunctionName="f", Qualifier="live")
    assert len(found["DurableExecutions"]) == 2


def test_what_a_deleted_function_had_is_gone(
    functions: Any, make: Make, told: dict[str, Any]
) -> None:
    functions.delete_function(FunctionName="f")
    arn = told["DurableExecutionArn"]
    refused(functions.get_durable_execution, "ResourceNotFoundException", DurableExecutionArn=arn)
    make("f", source=ECHO, DurableConfig=DURABLE)
    assert not functions.list_durable_executions_by_function(FunctionName="f")["DurableExecutions"]


def test_ids_that_mean_nothing_are_refused(functions: Any) -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:f:1/durable-execution/a/b"
    refused(functions.get_durable_execution, "ResourceNotFoundException", DurableExecutionArn=arn)
    refused(functions.get_durable_execution, "ValidationException", DurableExecutionArn="x")
    refused(
        functions.send_durable_execution_callback_success,
        "InvalidParameterValueException",
        CallbackId="aGVsbG8=",
    )
