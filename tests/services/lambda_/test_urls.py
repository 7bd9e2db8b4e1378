"""Function URLs: configured with boto3, called over plain HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import Make, open_url
from tests.support.http import Answer, Raw

from lambent.services.lambda_ import url_event

RETURNS = "import json\ndef handler(event, context):\n    return json.loads(event['body'])\n"


@pytest.fixture
def url(functions: Any) -> Callable[..., str]:
    """`url("name", Cors=…)`: the id of a new URL of a function, open to all."""

    def create(name: str, auth: str = "NONE", *, public: bool = True, **more: Any) -> str:
        made = functions.create_function_url_config(FunctionName=name, AuthType=auth, **more)
        if public:
            open_url(functions, name, auth)
        host = urlsplit(made["FunctionUrl"]).hostname or ""
        return host.partition(".")[0]

    return create


@pytest.fixture
def call(raw: Raw, functions: Any) -> Callable[..., Answer]:
    """`call(id, "GET", "/path", body, headers)` by the URL's host name."""

    def send(
        id: str, method: str = "GET", path: str = "/", body: bytes = b"", **headers: str
    ) -> Answer:
        port = urlsplit(raw.endpoint).port
        host = f"{id}.lambda-url.us-east-1.localhost:{port}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return raw(method, path, body, {"Host": host, **named})

    return send


def test_a_url_is_created_shown_listed_changed_and_deleted(functions: Any, make: Make) -> None:
    make("f")
    made = functions.create_function_url_config(
        FunctionName="f", AuthType="NONE", Cors={"AllowOrigins": ["*"], "MaxAge": 60}
    )
    place = urlsplit(made["FunctionUrl"])
    assert place.hostname is not None
    assert place.hostname.split(".")[1:] == ["lambda-url", "us-east-1", "localhost"]
    assert made["Cors"] == {"AllowOrigins": ["*"], "MaxAge": 60}
    shown = functions.get_function_url_config(FunctionName="f")
    assert shown["FunctionUrl"] == made["FunctionUrl"]
    assert shown["InvokeMode"] == "BUFFERED"
    changed = functions.update_function_url_config(FunctionName="f", AuthType="AWS_IAM")
    assert (changed["AuthType"], changed["FunctionUrl"]) == ("AWS_IAM", made["FunctionUrl"])
    listed = functions.list_function_url_configs(FunctionName="f")["FunctionUrlConfigs"]
    assert [one["FunctionArn"] for one in listed] == [made["FunctionArn"]]
    functions.delete_function_url_config(FunctionName="f")
    with pytest.raises(ClientError) as raised:
        functions.get_function_url_config(FunctionName="f")
    assert raised.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_second_url_of_one_function_is_a_conflict(functions: Any, make: Make) -> None:
    make("f")
    functions.create_function_url_config(FunctionName="f", AuthType="NONE")
    with pytest.raises(ClientError) as raised:
        functions.create_function_url_config(FunctionName="f", AuthType="NONE")
    assert raised.value.response["Error"]["Code"] == "ResourceConflictException"


def test_the_function_gets_the_request_as_an_event_of_format_2(
    make: Make, url: Callable[..., str], call: Callable[..., Answer]
) -> None:
    make("f")
    id = url("f")
    answer = call(
        id,
        "POST",
        "/my%20own/path?a=1&a=2&b=%20x",
        b'{"k": 1}',
        content_type="application/json",
        cookie="one=1; two=2",
        x_own="yes",
    )
    event = json.loads(answer.body)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert event["version"] == "2.0"
    assert (event["rawPath"], event["rawQueryString"]) == ("/my%20own/path", "a=1&a=2&b=%20x")
    assert event["queryStringParameters"] == {"a": "1,2", "b": " x"}
    assert event["cookies"] == ["one=1", "two=2"]
    assert event["headers"]["x-own"] == "yes"
    assert event["headers"]["x-amzn-trace-id"].startswith("Root=1-")
    assert (event["body"], event["isBase64Encoded"]) == ('{"k": 1}', False)
    context = event["requestContext"]
    assert context["http"]["method"] == "POST"
    assert context["http"]["path"] == "/my own/path"
    assert context["http"]["sourceIp"] == "127.0.0.1"
    assert (context["domainPrefix"], context["accountId"]) == (id, "anonymous")
    assert context["requestId"] == answer.headers["x-amzn-requestid"]


def test_binary_bodies_are_base64_both_ways(
    make: Make, url: Callable[..., str], call: Callable[..., Answer]
) -> None:
    source = (
        "def handler(event, context):\n"
        "    return {'statusCode': 201, 'body': event['body'], 'isBase64Encoded': True,\n"
        "            'headers': {'Content-Type': 'image/png'}, 'cookies': ['a=1', 'b=2']}\n"
    )
    make("f", source)
    answer = call(url("f"), "PUT", "/", b"\x00\xff\x01", content_type="image/png")
    assert (answer.status, answer.body) == (201, b"\x00\xff\x01")
    assert answer.headers["content-type"] == "image/png"


def test_a_url_answers_below_a_path_too(make: Make, url: Callable[..., str], raw: Raw) -> None:
    make("f")
    answer = raw("GET", f"/_lambent/url/{url('f')}/deep/er?x=1")
    assert json.loads(answer.body)["rawPath"] == "/deep/er"


def test_without_permission_a_url_is_forbidden(
    make: Make, url: Callable[..., str], call: Callable[..., Answer]
) -> None:
    make("f")
    answer = call(url("f", public=False))
    assert answer.status == 403
    assert answer.headers["x-amzn-errortype"] == "AccessDeniedException"
    assert json.loads(answer.body)["Message"].startswith("Forbidden")
    assert call("nosuchurl").status == 403


@pytest.mark.parametrize(
    ("granted", "status"),
    [
        ([{"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"}], 403),
        ([{"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True}], 403),
        (
            [
                {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
                {"Action": "lambda:InvokeFunction"},
            ],
            200,
        ),
        (
            [
                {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "AWS_IAM"},
                {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
            ],
            403,
        ),
        (
            [
                {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
                {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": False},
            ],
            403,
        ),
        ([{"Action": "lambda:*"}], 200),
    ],
    ids=range(6),
)
def test_a_public_url_takes_permission_for_itself_and_for_the_function(
    functions: Any,
    make: Make,
    url: Callable[..., str],
    call: Callable[..., Answer],
    granted: list[dict[str, Any]],
    status: int,
) -> None:
    make("f")
    id = url("f", public=False)
    for number, one in enumerate(granted):
        functions.add_permission(FunctionName="f", StatementId=f"s{number}", Principal="*", **one)
    assert call(id).status == status


def test_a_url_with_iam_wants_a_signature_and_tells_the_function_who_signed(
    make: Make, url: Callable[..., str], call: Callable[..., Answer], raw: Raw, account: str
) -> None:
    make("f")
    id = url("f", "AWS_IAM", public=False)
    assert call(id).status == 403
    answer = raw("GET", f"/_lambent/url/{id}/", sign="lambda")
    assert answer.status == 200
    authorizer = json.loads(answer.body)["requestContext"]["authorizer"]["iam"]
    assert authorizer["accountId"] == account


def test_in_server_mode_a_wrong_signature_is_refused(
    fresh_node: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    node = fresh_node(auth=True)
    key = node.administrator
    functions = connect(node.endpoint, "lambda", access_key=key.id, secret=key.secret)
    from tests.services.lambda_.conftest import ECHO, archive
    from tests.services.lambda_.test_roles import TRUST

    iam = connect(node.endpoint, "iam", access_key=key.id, secret=key.secret)
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    functions.create_function(
        FunctionName="f",
        Runtime="python3.11",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": archive(ECHO)},
    )
    made = functions.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")
    id = urlsplit(made["FunctionUrl"]).netloc.partition(".")[0]
    good = Raw(node.endpoint, key.id, key.secret)
    bad = Raw(node.endpoint, key.id, "wrong")
    assert good("GET", f"/_lambent/url/{id}/", sign="lambda").status == 200
    assert bad("GET", f"/_lambent/url/{id}/", sign="lambda").status == 403


def test_cors_is_answered_for_the_origins_that_are_allowed(
    make: Make, url: Callable[..., str], call: Callable[..., Answer]
) -> None:
    make("f")
    cors = {
        "AllowOrigins": ["https://a.example"],
        "AllowMethods": ["GET", "POST"],
        "AllowHeaders": ["x-own"],
        "ExposeHeaders": ["x-out"],
        "AllowCredentials": True,
        "MaxAge": 300,
    }
    id = url("f", Cors=cors)
    preflight = call(
        id, "OPTIONS", origin="https://a.example", access_control_request_method="POST"
    )
    assert (preflight.status, preflight.body) == (200, b"")
    assert preflight.headers["access-control-allow-origin"] == "https://a.example"
    assert preflight.headers["access-control-allow-methods"] == "GET,POST"
    assert preflight.headers["access-control-allow-headers"] == "x-own"
    assert preflight.headers["access-control-max-age"] == "300"
    asked = call(id, origin="https://a.example")
    assert asked.headers["access-control-allow-credentials"] == "true"
    assert asked.headers["access-control-expose-headers"] == "x-out"
    assert "access-control-allow-origin" not in call(id, origin="https://b.example").headers


def test_what_is_no_response_is_a_bad_gateway(
    make: Make, url: Callable[..., str], call: Callable[..., Answer]
) -> None:
    make("f", RETURNS)
    id = url("f")
    for body in (
        b'{"statusCode": "many"}',
        b'{"statusCode": 200, "headers": [1]}',
        b'{"statusCode": 200, "body": "%", "isBase64Encoded": true}',
        b"not json",
    ):
        answer = call(id, "POST", "/", body, content_type="application/json")
        assert (answer.status, answer.body) == (502, b"Internal Server Error")


def test_more_than_six_megabytes_are_too_large(
    make: Make, url: Callable[..., str], call: Callable[..., Answer]
) -> None:
    make("f")
    answer = call(url("f"), "POST", "/", b"x" * 6_291_457, content_type="text/plain")
    assert answer.status == 413


def test_an_alias_has_a_url_of_its_own(
    functions: Any, make: Make, url: Callable[..., str], call: Callable[..., Answer]
) -> None:
    make("f", "def handler(event, context):\n    return context.invoked_function_arn\n")
    version = functions.publish_version(FunctionName="f")["Version"]
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion=version)
    answer = call(url("f", Qualifier="live", public=False))
    assert answer.status == 403
    open_url(functions, "f", Qualifier="live")
    shown = functions.get_function_url_config(FunctionName="f", Qualifier="live")
    id = urlsplit(shown["FunctionUrl"]).netloc.partition(".")[0]
    assert json.loads(call(id).body).endswith(":f:live")


@pytest.mark.parametrize(
    ("payload", "status", "body"),
    [
        (b'"Hello, world!"', 200, b'"Hello, world!"'),
        (b"null", 200, b"null"),
        (b'{"message": "hi"}', 200, b'{"message": "hi"}'),
        (b'{"statusCode": 404, "body": "gone"}', 404, b"gone"),
        (b'{"statusCode": 200, "body": {"a": 1}}', 200, b'{"a":1}'),
        (b'{"statusCode": 204}', 204, b""),
    ],
)
def test_a_result_means_a_response(payload: bytes, status: int, body: bytes) -> None:
    reply = url_event.reply(payload)
    assert (reply.status, reply.body) == (status, body)


def test_a_template_makes_a_url(client: Callable[..., Any], raw: Raw) -> None:
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "F": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "InlineCode": "def handler(e, c):\n    return e['rawPath']\n",
                    "Handler": "index.handler",
                    "Runtime": "python3.11",
                    "FunctionUrlConfig": {"AuthType": "NONE", "Cors": {"AllowOrigins": ["*"]}},
                },
            }
        },
        "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["FUrl", "FunctionUrl"]}}},
    }
    stacks = client("cloudformation")
    stacks.create_stack(
        StackName="s",
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    stacks.get_waiter("stack_create_complete").wait(
        StackName="s", WaiterConfig={"Delay": 0.2, "MaxAttempts": 50}
    )
    outputs = stacks.describe_stacks(StackName="s")["Stacks"][0]["Outputs"]
    id = urlsplit(outputs[0]["OutputValue"]).netloc.partition(".")[0]
    assert raw("GET", f"/_lambent/url/{id}/here").body == b'"/here"'
