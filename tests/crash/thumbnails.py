"""The example's pipeline with a light handler in place of Pillow's, under a caller's eyes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from tests.crash.killing import persist, until

from lambent.services.cloudformation.template import parse

EXAMPLE = Path(__file__).parents[2] / "examples" / "thumbnails"
BROKEN = "broken.jpg"
PHOTOS = {f"photo {n}+ü.jpg": b"a photo" * n for n in range(1, 13)} | {BROKEN: b"broken"}

HANDLER = """
import json, os, boto3
from urllib.parse import unquote_plus

s3, sqs = boto3.client("s3"), boto3.client("sqs")
table = boto3.resource("dynamodb").Table(os.environ["CATALOGUE"])

def handler(event, context):
    failures = []
    for message in event["Records"]:
        try:
            for upload in json.loads(message["body"]).get("Records", []):
                process(upload)
        except ValueError as error:
            failures.append({"itemIdentifier": message["messageId"]})
            sqs.change_message_visibility(QueueUrl=os.environ["QUEUE_URL"],
                ReceiptHandle=message["receiptHandle"], VisibilityTimeout=0)
    return {"batchItemFailures": failures}

def process(upload):
    key = unquote_plus(upload["s3"]["object"]["key"])
    body = s3.get_object(Bucket=upload["s3"]["bucket"]["name"], Key=key)["Body"].read()
    if body == b"broken":
        raise ValueError("not a photo")
    s3.put_object(Bucket=os.environ["THUMBNAILS"], Key=key, Body=body[:7])
    table.put_item(Item={"photo": key, "bytes": len(body)})
"""


def light_template() -> str:
    """The example's template as it stands, but for the function's code."""
    template = parse((EXAMPLE / "template.yaml").read_text("utf-8"))
    function = template["Resources"]["MakeThumbnail"]["Properties"]
    del function["CodeUri"]
    function["InlineCode"] = HANDLER
    function["Handler"] = "index.handler"
    return json.dumps(template)


class Thumbnails:
    """One stack of it. Every method bears with a node that is killed meanwhile."""

    def __init__(self, client: Callable[[str], Any], stack: str) -> None:
        self.stack = stack
        self.cloudformation, self.s3 = client("cloudformation"), client("s3")
        self.sqs, self.dynamodb = client("sqs"), client("dynamodb")
        self.outputs: dict[str, str] = {}

    def create(self, template: str) -> None:
        try:
            persist(
                lambda: self.cloudformation.create_stack(
                    StackName=self.stack,
                    TemplateBody=template,
                    Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
                )
            )
        except ClientError as error:
            # It was acknowledged in a connection that was cut.
            if error.response["Error"]["Code"] != "AlreadyExistsException":
                raise

    def wait_until_created(self) -> None:
        describe = lambda: self.cloudformation.describe_stacks(StackName=self.stack)  # noqa: E731
        stack = until(
            lambda: persist(describe)["Stacks"][0],
            lambda stack: not stack["StackStatus"].endswith("IN_PROGRESS"),
        )
        if stack["StackStatus"] != "CREATE_COMPLETE":
            events = persist(
                lambda: self.cloudformation.describe_stack_events(StackName=self.stack)
            )["StackEvents"]
            told = [
                (e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason"))
                for e in reversed(events)
            ]
            raise AssertionError(f"{stack['StackStatus']}: {told}")
        self.outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}

    def upload(self, photos: dict[str, bytes]) -> None:
        for key, body in photos.items():
            persist(lambda key=key, body=body: self._put_once(key, body))  # type: ignore[misc]

    def _put_once(self, key: str, body: bytes) -> str:
        """Upload, unless an earlier try came through without its answer."""
        bucket = self.outputs["PhotosBucket"]
        try:
            return str(self.s3.head_object(Bucket=bucket, Key=key)["ETag"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "404":
                raise
        return str(self.s3.put_object(Bucket=bucket, Key=key, Body=body)["ETag"])

    def state(self) -> dict[str, Any]:
        """Where every photo is."""
        out = self.outputs
        return {
            "rows": Counter(
                item["photo"]["S"]
                for item in persist(
                    lambda: self.dynamodb.scan(TableName=out["CatalogueTable"], ConsistentRead=True)
                )["Items"]
            ),
            "thumbnails": Counter(
                item["Key"]
                for item in persist(
                    lambda: self.s3.list_objects_v2(Bucket=out["ThumbnailsBucket"])
                ).get("Contents", ())
            ),
            "waiting": self._depth(out["UploadsQueue"]),
            "dead": self._depth(out["UnreadableQueue"]),
        }

    def _depth(self, queue: str) -> int:
        attributes = persist(
            lambda: self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
        )["Attributes"]
        return sum(int(n) for name, n in attributes.items() if name.startswith("ApproximateN"))

    def wait_until_through(self, photos: dict[str, bytes], broken: str = BROKEN) -> None:
        """Each photo once in the table and once among the thumbnails, the broken one once in
        the dead-letter queue, and nothing anywhere else."""
        good = Counter(key for key in photos if key != broken)
        wanted = {"rows": good, "thumbnails": good, "waiting": 0, "dead": 1}
        until(self.state, lambda state: state == wanted)
        answer = persist(
            lambda: self.sqs.receive_message(
                QueueUrl=self.outputs["UnreadableQueue"], VisibilityTimeout=0
            )
        )
        (record,) = json.loads(answer["Messages"][0]["Body"])["Records"]
        assert record["s3"]["object"]["key"] == broken
