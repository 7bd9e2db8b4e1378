"""Functions through boto3: create, update, show, list, delete."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import ECHO, ROLE, Make, archive, payload


def refused(call: Callable[[], Any]) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    error = response["Error"]
    return error["Code"], response["ResponseMetadata"]["HTTPStatusCode"], error["Message"]


def test_a_new_function_has_lambdas_defaults(make: Make, functions: Any, account: str) -> None:
    code = archive(ECHO)
    made = make("f", Code={"ZipFile": code})
    arn = f"arn:aws:lambda:us-east-1:{account}:function:f"
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["FunctionArn"] == arn
    assert made["State"] == "Pending"
    assert made["StateReasonCode"] == "Creating"
    shown = functions.get_function_configuration(FunctionName="f")
    assert shown["State"] == "Active"
    assert shown["LastUpdateStatus"] == "Successful"
    assert shown["Timeout"] == 3
    assert shown["MemorySize"] == 128
    assert shown["Description"] == ""
    assert shown["Version"] == "$LATEST"
    assert shown["PackageType"] == "Zip"
    assert shown["Architectures"] == ["x86_64"]
    assert shown["EphemeralStorage"] == {"Size": 512}
    assert shown["TracingConfig"] == {"Mode": "PassThrough"}
    assert shown["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}
    assert shown["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}
    assert shown["CodeSize"] == len(code)
    assert shown["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", shown["LastModified"])
    assert "Environment" not in shown
    assert "VpcConfig" not in shown


def test_the_waiters_of_the_sdk_end(make: Make, functions: Any) -> None:
    make("f")
    functions.get_waiter("function_active_v2").wait(FunctionName="f")
    functions.get_waiter("function_updated_v2").wait(FunctionName="f")
    functions.get_waiter("function_exists").wait(FunctionName="f")


def test_the_code_can_be_downloaded_again(make: Make, functions: Any) -> None:
    make("f")
    found = functions.get_function(FunctionName="f")
    assert found["Code"]["RepositoryType"] == "S3"
    with urllib.request.urlopen(found["Code"]["Location"]) as response:
        body = io.BytesIO(response.read())
    assert zipfile.ZipFile(body).read("index.py").decode() == ECHO


def test_a_wrong_download_path_gives_nothing_away(make: Make, functions: Any) -> None:
    make("f")
    location = functions.get_function(FunctionName="f")["Code"]["Location"]
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(location[:-1] + ("0" if location[-1] != "0" else "1"))
    assert caught.value.code == 404


def test_code_can_come_from_s3(make: Make, functions: Any, client: Callable[..., Any]) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="code-bucket-of-test")
    s3.put_object(Bucket="code-bucket-of-test", Key="f.zip", Body=archive(ECHO))
    make("f", Code={"S3Bucket": "code-bucket-of-test", "S3Key": "f.zip"})
    assert payload(functions.invoke(FunctionName="f", Payload=b"1")) == 1
    code, status, message = refused(
        lambda: make("g", Code={"S3Bucket": "code-bucket-of-test", "S3Key": "missing"})
    )
    assert (code, status) == ("InvalidParameterValueException", 400)
    assert message == (
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. "
        "S3 Error Message: The specified key does not exist."
    )


def test_a_name_is_taken_once(make: Make) -> None:
    make("f")
    assert refused(lambda: make("f")) == (
        "ResourceConflictException",
        409,
        "Function already exist: f",
    )


def test_what_is_not_there_is_not_found(functions: Any, account: str) -> None:
    message = f"Function not found: arn:aws:lambda:us-east-1:{account}:function:nothing"
    for call in (
        functions.get_function,
        functions.get_function_configuration,
        functions.delete_function,
        functions.invoke,
        functions.list_versions_by_function,
        functions.get_policy,
    ):
        assert refused(lambda call=call: call(FunctionName="nothing")) == (
            "ResourceNotFoundException",
            404,
            message,
        )


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (
            {"Runtime": "cobol"},
            "InvalidParameterValueException",
            r"Value cobol at 'runtime' failed to satisfy constraint: Member must satisfy enum "
            r"value set: \[.*python3.13.*\] or be a valid ARN",
        ),
        (
            {"Role": "nobody"},
            "ValidationException",
            r"1 validation error detected: Value 'nobody' at 'role' failed to satisfy "
            r"constraint: Member must satisfy regular expression pattern: "
            r"arn:\(aws\[a-zA-Z-\]\*\)\?:iam::.*",
        ),
        (
            {"Code": {"ZipFile": b"no zip"}},
            "InvalidParameterValueException",
            r"Could not unzip uploaded file\. Please check your file, then try to upload again\.",
        ),
        (
            {"Code": {}},
            "InvalidParameterValueException",
            r"Please provide a source for function code\.",
        ),
        (
            {"Timeout": 901},
            "ValidationException",
            r"1 validation error detected: Value '901' at 'timeout' failed to satisfy "
            r"constraint: Member must have value less than or equal to 900",
        ),
        (
            {"MemorySize": 10241},
            "ValidationException",
            r"1 validation error detected: Value '10241' at 'memorySize' failed to satisfy "
            r"constraint: Member must have value less than or equal to 10240",
        ),
        (
            {"Environment": {"Variables": {"AWS_REGION": "x"}}},
            "InvalidParameterValueException",
            r"Lambda was unable to configure your environment variables because .* Reserved "
            r"keys used in this request: AWS_REGION",
        ),
        (
            {"Environment": {"Variables": {"BIG": "x" * 4096}}},
            "InvalidParameterValueException",
            r"Lambda was unable to configure your environment variables because .* exceeded "
            r"the 4KB limit\. String measured: .*",
        ),
        (
            {"FunctionName": "x" * 65},
            "ValidationException",
            r".*Member must have length less than or equal to 64",
        ),
        (
            {"EphemeralStorage": {"Size": 10241}},
            "ValidationException",
            r".*Value '10241' at 'ephemeralStorage.size' .* less than or equal to 10240",
        ),
        (
            {"Runtime": "python2.7"},
            "InvalidParameterValueException",
            r"The runtime parameter of python2\.7 is no longer supported for creating .*",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    make: Make, functions: Any, change: dict[str, Any], code: str, message: str
) -> None:
    arguments = {"FunctionName": "f", **change}
    name = arguments.pop("FunctionName")
    found = refused(lambda: make(name, **arguments))
    assert found[:2] == (code, 400)
    assert re.fullmatch(message, found[2]), found[2]
    assert functions.list_functions()["Functions"] == []


def test_runtime_and_handler_are_mandatory_for_archives(functions: Any) -> None:
    found = refused(
        lambda: functions.create_function(
            FunctionName="f", Role=ROLE, Code={"ZipFile": archive(ECHO)}
        )
    )
    assert found == (
        "InvalidParameterValueException",
        400,
        "Runtime and Handler are mandatory parameters for functions created with deployment "
        "packages.",
    )


def test_new_code_runs_from_the_next_invocation(make: Make, functions: Any) -> None:
    before = make("f", "def handler(event, context):\n    return 'old'\n")
    assert payload(functions.invoke(FunctionName="f")) == "old"
    after = functions.update_function_code(
        FunctionName="f", ZipFile=archive("def handler(event, context):\n    return 'new'\n")
    )
    assert after["LastUpdateStatus"] == "InProgress"
    assert after["RevisionId"] != before["RevisionId"]
    assert after["CodeSha256"] != before["CodeSha256"]
    assert payload(functions.invoke(FunctionName="f")) == "new"


def test_a_dry_run_changes_nothing(make: Make, functions: Any) -> None:
    make("f", "def handler(event, context):\n    return 'old'\n")
    functions.update_function_code(FunctionName="f", ZipFile=archive(ECHO), DryRun=True)
    assert payload(functions.invoke(FunctionName="f")) == "old"


def test_new_settings_hold_from_the_next_invocation(make: Make, functions: Any) -> None:
    make("f", "import os\ndef handler(event, context):\n    return os.environ.get('COLOUR')\n")
    assert payload(functions.invoke(FunctionName="f")) is None
    after = functions.update_function_configuration(
        FunctionName="f",
        Environment={"Variables": {"COLOUR": "blue"}},
        Timeout=7,
        Description="changed",
    )
    assert after["Timeout"] == 7
    assert after["Environment"] == {"Variables": {"COLOUR": "blue"}}
    assert payload(functions.invoke(FunctionName="f")) == "blue"
    functions.update_function_configuration(FunctionName="f", Environment={"Variables": {}})
    shown = functions.get_function_configuration(FunctionName="f")
    assert "Environment" not in shown
    assert shown["Description"] == "changed"


def test_an_old_revision_id_is_refused(make: Make, functions: Any) -> None:
    made = make("f")
    functions.update_function_configuration(FunctionName="f", Timeout=5)
    code, status, message = refused(
        lambda: functions.update_function_configuration(
            FunctionName="f", Timeout=6, RevisionId=made["RevisionId"]
        )
    )
    assert (code, status) == ("PreconditionFailedException", 412)
    assert message.startswith("The Revision Id provided does not match the latest Revision Id.")


@pytest.mark.parametrize(
    "form", ["{name}", "{arn}", "{account}:function:{name}", "function:{name}"]
)
def test_functions_are_found_by_name_and_by_arn(
    make: Make, functions: Any, account: str, form: str
) -> None:
    arn = make("my-function_1")["FunctionArn"]
    reference = form.format(name="my-function_1", arn=arn, account=account)
    found = functions.get_function_configuration(FunctionName=reference)
    assert found["FunctionArn"] == arn
    found = functions.get_function_configuration(FunctionName=f"{reference}:$LATEST")
    assert found["FunctionArn"] == f"{arn}:$LATEST"


def test_two_qualifiers_must_agree(make: Make, functions: Any) -> None:
    make("f")
    assert refused(lambda: functions.get_function(FunctionName="f:1", Qualifier="2")) == (
        "InvalidParameterValueException",
        400,
        "The derived qualifier from the function name does not match the specified qualifier.",
    )


def test_functions_are_listed_in_pages(make: Make, functions: Any) -> None:
    for name in ("c", "a", "b"):
        make(name)
    first = functions.list_functions(MaxItems=2)
    assert [one["FunctionName"] for one in first["Functions"]] == ["a", "b"]
    assert "State" not in first["Functions"][0]
    second = functions.list_functions(MaxItems=2, Marker=first["NextMarker"])
    assert [one["FunctionName"] for one in second["Functions"]] == ["c"]
    assert "NextMarker" not in second


def test_a_deleted_function_is_gone(make: Make, functions: Any) -> None:
    make("f")
    functions.invoke(FunctionName="f")
    answer = functions.delete_function(FunctionName="f")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refused(lambda: functions.invoke(FunctionName="f"))[0] == "ResourceNotFoundException"
    make("f", "def handler(event, context):\n    return 'again'\n")
    assert payload(functions.invoke(FunctionName="f")) == "again"


def test_tags_are_kept_and_changed(make: Make, functions: Any) -> None:
    arn = make("f", Tags={"a": "1"})["FunctionArn"]
    functions.tag_resource(Resource=arn, Tags={"b": "2", "c": "3"})
    functions.untag_resource(Resource=arn, TagKeys=["a", "c"])
    assert functions.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    assert functions.get_function(FunctionName="f")["Tags"] == {"b": "2"}


def test_reserved_concurrency_is_kept_within_the_accounts_limit(make: Make, functions: Any) -> None:
    make("f")
    assert "ReservedConcurrentExecutions" not in functions.get_function_concurrency(
        FunctionName="f"
    )
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=5)
    found = functions.get_function(FunctionName="f")
    assert found["Concurrency"] == {"ReservedConcurrentExecutions": 5}
    limits = functions.get_account_settings()["AccountLimit"]
    assert limits["ConcurrentExecutions"] == 1000
    assert limits["UnreservedConcurrentExecutions"] == 995
    assert refused(
        lambda: functions.put_function_concurrency(
            FunctionName="f", ReservedConcurrentExecutions=901
        )
    ) == (
        "InvalidParameterValueException",
        400,
        "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100].",
    )
    functions.delete_function_concurrency(FunctionName="f")
    assert "Concurrency" not in functions.get_function(FunctionName="f")


def test_the_account_is_shown_what_it_has_and_may_have(make: Make, functions: Any) -> None:
    one = make("one", Publish=True)["CodeSize"]
    functions.update_function_code(FunctionName="one", ZipFile=archive(ECHO + "# more"))
    grown = functions.get_function_configuration(FunctionName="one")["CodeSize"]
    two = make("two")["CodeSize"]
    layer = functions.publish_layer_version(
        LayerName="shared", Content={"ZipFile": archive("X = 1", "python/x.py")}
    )["Content"]["CodeSize"]
    settings = functions.get_account_settings()
    assert settings["AccountUsage"] == {
        "FunctionCount": 2,
        "TotalCodeSize": one + grown + two + layer,
    }
    assert settings["AccountLimit"] == {
        "TotalCodeSize": 80_530_636_800,
        "CodeSizeUnzipped": 262_144_000,
        "CodeSizeZipped": 52_428_800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 1000,
    }
