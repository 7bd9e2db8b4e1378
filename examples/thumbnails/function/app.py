"""Turns uploaded photos into thumbnails and table rows. Plain boto3 and Pillow."""

import io
import json
import os
from datetime import UTC, datetime
from urllib.parse import unquote_plus

import boto3
from PIL import Image, ImageOps

SIZE = int(os.environ["SIZE"])
RETRY_AFTER = 1  # seconds; a broken upload is given up quickly

s3 = boto3.client("s3")
sqs = boto3.client("sqs")
catalogue = boto3.resource("dynamodb").Table(os.environ["CATALOGUE"])


def handler(event, context):
    failures = []
    for message in event["Records"]:
        try:
            for upload in json.loads(message["body"]).get("Records", []):
                process(upload, int(message["attributes"]["ApproximateReceiveCount"]))
        except Exception as error:
            print(f"{message['messageId']} failed: {type(error).__name__}: {error}")
            failures.append({"itemIdentifier": message["messageId"]})
            sqs.change_message_visibility(
                QueueUrl=os.environ["QUEUE_URL"],
                ReceiptHandle=message["receiptHandle"],
                VisibilityTimeout=RETRY_AFTER,
            )
    return {"batchItemFailures": failures}


def process(upload, attempts):
    bucket = upload["s3"]["bucket"]["name"]
    key = unquote_plus(upload["s3"]["object"]["key"])
    original = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(original)))
    width, height = image.size
    image.thumbnail((SIZE, SIZE))
    encoded = io.BytesIO()
    image.convert("RGB").save(encoded, "JPEG", quality=85)
    s3.put_object(
        Bucket=os.environ["THUMBNAILS"],
        Key=key,
        Body=encoded.getvalue(),
        ContentType="image/jpeg",
    )
    # The key names the row, so an upload that is delivered twice still is one row.
    catalogue.put_item(
        Item={
            "photo": key,
            "width": width,
            "height": height,
            "bytes": len(original),
            "thumbnail_bytes": len(encoded.getvalue()),
            "attempts": attempts,
            "uploaded_at": upload["eventTime"],
            "stored_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
    )
