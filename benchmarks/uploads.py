"""From upload to table row through examples/thumbnails, one photo at a time, as users see it.

The application is deployed as it is: packaged by Lambent's own packer, uploaded to the
system under test, deployed by its CloudFormation. The clock runs from before the upload to
the first GetItem that finds the row. The handler's own time is its REPORT line's duration.
"""

from __future__ import annotations

import re
import threading
import time
from statistics import median
from typing import Any

from benchmarks.systems import CHECKOUT, Running
from benchmarks.throughput import Figures, Scale
from lambent.cli.package import package_file

APPLICATION = CHECKOUT / "examples" / "thumbnails"
PHOTO = APPLICATION / "photos" / "clock.png"
STACK = "thumbnails"
DEPLOY_SECONDS = 30.0
FIRST_ROW_SECONDS = 10.0
ROW_SECONDS = 10.0
_REPORT = re.compile(r"REPORT RequestId: \S+\s+Duration: ([\d.]+) ms")


class UploadFailed(Exception):
    """The application was not deployed, or no row came of a photo."""


def upload_to_row(running: Running, scale: Scale, figures: Figures) -> None:
    """The median over some uploads, after one that starts the function."""
    outputs = _deploy(running)
    s3, dynamodb = running.client("s3"), running.client("dynamodb")
    photo = PHOTO.read_bytes()
    _row_of("first", s3, dynamodb, outputs, photo, FIRST_ROW_SECONDS)
    times = [
        _row_of(f"photo-{number}", s3, dynamodb, outputs, photo, ROW_SECONDS) * 1e3
        for number in range(scale.uploads)
    ]
    figures["uploads.row"] = median(times)
    if running.system.name == "Lambent":
        # What a REPORT line counts as the handler's own time differs between systems.
        handler = _durations(running, f"/aws/lambda/{outputs['FunctionName']}", scale.uploads)
        figures["uploads.handler"] = median(handler)
        figures["uploads.beyond"] = median(times) - median(handler)


def _deploy(running: Running) -> dict[str, str]:
    stacks = running.client("cloudformation")
    template = package_file(APPLICATION / "template.yaml", running.client)
    stacks.create_stack(
        StackName=STACK,
        TemplateBody=template,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    ends = time.perf_counter() + DEPLOY_SECONDS
    pause = threading.Event()
    while True:
        stack = stacks.describe_stacks(StackName=STACK)["Stacks"][0]
        status = stack["StackStatus"]
        if status == "CREATE_COMPLETE":
            return {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}
        if status != "CREATE_IN_PROGRESS" or time.perf_counter() > ends:
            raise UploadFailed(f"{status}: {stack.get('StackStatusReason', 'no reason given')}")
        pause.wait(0.05)


def _row_of(
    key: str, s3: Any, dynamodb: Any, outputs: dict[str, str], photo: bytes, patience: float
) -> float:
    """Seconds from the upload of a photo to its row."""
    pause = threading.Event()
    began = time.perf_counter()
    s3.put_object(Bucket=outputs["PhotosBucket"], Key=key, Body=photo)
    while True:
        found = dynamodb.get_item(TableName=outputs["CatalogueTable"], Key={"photo": {"S": key}})
        passed = time.perf_counter() - began
        if "Item" in found:
            return passed
        if passed > patience:
            raise UploadFailed(f"no row within {patience:.0f} s")
        pause.wait(0.002)


def _durations(running: Running, group: str, count: int) -> list[float]:
    """The milliseconds of the function's last `count` invocations, as its log tells them."""
    pages = running.client("logs").get_paginator("filter_log_events")
    pause = threading.Event()
    ends = time.perf_counter() + ROW_SECONDS
    while True:
        found = [
            float(report[1])
            for page in pages.paginate(logGroupName=group)
            for event in page["events"]
            if (report := _REPORT.search(event["message"]))
        ]
        if len(found) > count:  # the one that started the function came before
            return found[-count:]
        if time.perf_counter() > ends:
            raise UploadFailed(f"{len(found)} REPORT lines of {count + 1} in the log")
        pause.wait(0.05)
