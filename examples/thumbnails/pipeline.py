"""The deployed application seen from outside, in plain boto3: it works against AWS as well."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus


@dataclass
class Row:
    photo: str
    width: int
    height: int
    bytes_in: int
    bytes_out: int
    attempts: int
    seconds: float  # from upload to row


@dataclass
class DeadLetter:
    photo: str
    queue: str
    message_id: str
    errors: list[str]  # one for each attempt


class Pipeline:
    def __init__(self, client: Callable[[str], Any], stack: str):
        self.s3, self.sqs = client("s3"), client("sqs")
        self.dynamodb, self.logs = client("dynamodb"), client("logs")
        described = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        outputs = {item["OutputKey"]: item["OutputValue"] for item in described["Outputs"]}
        self.photos = outputs["PhotosBucket"]
        self.thumbnails = outputs["ThumbnailsBucket"]
        self.table = outputs["CatalogueTable"]
        self.queue = outputs["UploadsQueue"]
        self.dead_letter_queue = outputs["UnreadableQueue"]
        self.function = outputs["FunctionName"]

    def upload(self, photo: Path) -> None:
        self.s3.upload_file(str(photo), self.photos, photo.name)

    def progress(self, uploaded: int) -> dict[str, int]:
        """How many photos have reached each stage."""
        # The queue before what leaves it, so that no photo is between the two counts.
        waiting = self._depth(self.queue)
        dead = self._depth(self.dead_letter_queue)
        stored = self.dynamodb.scan(TableName=self.table, Select="COUNT")["Count"]
        processed = dead + self.s3.list_objects_v2(Bucket=self.thumbnails)["KeyCount"]
        return {
            "uploaded": uploaded,
            "queued": max(processed, min(uploaded, waiting + dead + stored)),
            "processed": processed,
            "stored": stored,
            "dead-lettered": dead,
        }

    def _depth(self, queue: str) -> int:
        """How many messages wait or are being worked on."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        depths = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(depth) for depth in depths.values())

    def rows(self) -> list[Row]:
        rows = []
        for item in self.dynamodb.scan(TableName=self.table)["Items"]:
            text = {name: next(iter(value.values())) for name, value in item.items()}
            uploaded = datetime.fromisoformat(text["uploaded_at"])
            rows.append(
                Row(
                    photo=text["photo"],
                    width=int(text["width"]),
                    height=int(text["height"]),
                    bytes_in=int(text["bytes"]),
                    bytes_out=int(text["thumbnail_bytes"]),
                    attempts=int(text["attempts"]),
                    seconds=(datetime.fromisoformat(text["stored_at"]) - uploaded).total_seconds(),
                )
            )
        return sorted(rows, key=lambda row: row.photo)

    def dead_letters(self) -> list[DeadLetter]:
        """The uploads that were given up, left where they are."""
        received = self.sqs.receive_message(
            QueueUrl=self.dead_letter_queue, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        letters = []
        for message in received.get("Messages", []):
            upload = json.loads(message["Body"])["Records"][0]
            logged = self.logs.filter_log_events(
                logGroupName=f"/aws/lambda/{self.function}",
                filterPattern=f'"{message["MessageId"]} failed"',
            )
            letters.append(
                DeadLetter(
                    photo=unquote_plus(upload["s3"]["object"]["key"]),
                    queue=self.dead_letter_queue.rsplit("/", 1)[-1],
                    message_id=message["MessageId"],
                    errors=[
                        event["message"].strip().partition(" failed: ")[2]
                        for event in logged["events"]
                    ],
                )
            )
        return letters

    def download(self, folder: Path) -> list[Path]:
        folder.mkdir(parents=True)
        paths = []
        for item in self.s3.list_objects_v2(Bucket=self.thumbnails).get("Contents", []):
            path = (folder / item["Key"]).with_suffix(".jpg")  # whatever the photo was
            self.s3.download_file(self.thumbnails, item["Key"], str(path))
            paths.append(path)
        return paths
