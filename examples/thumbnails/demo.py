"""The main job on real input: photos dropped in a bucket become thumbnails and table rows.

Starts a node of its own on a free port, deploys template.yaml, uploads the photos, watches the
stages, and shows what came of it. All data lies in .demo/, in a fresh folder for each run, or
in the folder that is named on the command line.
The exit status is 0 when every photo is accounted for exactly once.

pipeline.py is plain boto3 and knows nothing of Lambent; show.py prints.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import boto3
from pipeline import Pipeline
from show import Display, contact_sheet

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
LAMBENT = Path(sys.executable).with_name("lambent")
PHOTOS = sorted(path for path in (HERE / "photos").iterdir() if path.suffix in (".jpg", ".png"))
PATIENCE = 60  # seconds without any progress

# A local node takes any key; one of twelve digits names the account.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "000000000000", "AWS_SECRET_ACCESS_KEY": "local"}


def main() -> int:
    os.chdir(CHECKOUT)
    run = Path(*sys.argv[1:2] or [".demo", time.strftime("%Y-%m-%d-%H%M%S")])
    show = Display()
    with running_node(run / "data") as endpoint:
        show.step(f"A node is up at {endpoint}")
        show.step("Deploying examples/thumbnails/template.yaml")
        pipeline = deploy(endpoint)
        show.step(f"Uploading {len(PHOTOS)} photos to s3://{pipeline.photos}")
        upload_and_watch(pipeline, show)
        rows, dead_letters = pipeline.rows(), pipeline.dead_letters()
        thumbnails = pipeline.download(run / "thumbnails")
    show.rows(rows)
    for letter in dead_letters:
        show.dead_letter(letter)
    show.step(f"The {len(thumbnails)} thumbnails are in {run}/thumbnails")
    show.note(f"on one sheet: {contact_sheet(thumbnails, run / 'thumbnails.png')}")
    astray = not_exactly_once([row.photo for row in rows], [dead.photo for dead in dead_letters])
    if astray:
        show.failure(f"Not accounted for exactly once: {', '.join(astray)}")
        return 1
    show.success(
        f"Every photo is accounted for exactly once: {len(rows)} rows, "
        f"{len(dead_letters)} dead letter{'s' * (len(dead_letters) != 1)}."
    )
    show.commands(
        "The node has stopped and its data stays. To go on from here:", go_on(run, pipeline)
    )
    return 0


@contextmanager
def running_node(data: Path) -> Iterator[str]:
    """A Lambent node on a free port; drained and stopped at the end."""
    command = [LAMBENT, "up", "--json", "--port", "0", "--data-dir", data]
    # In a session of its own, so that Ctrl-C reaches this program alone.
    node = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    banner = node.stdout.readline()
    if not banner:
        sys.exit(node.wait())
    try:
        yield json.loads(banner)["endpoint"]
    finally:
        node.terminate()
        node.wait()


def deploy(endpoint: str) -> Pipeline:
    """Deploy the template as a user would."""
    command = [LAMBENT, "deploy", HERE / "template.yaml", "--endpoint", endpoint]
    subprocess.run(command, env=os.environ | CREDENTIALS, check=True)
    session = boto3.Session(*CREDENTIALS.values(), region_name="us-east-1")
    return Pipeline(lambda service: session.client(service, endpoint_url=endpoint), "thumbnails")


def upload_and_watch(pipeline: Pipeline, show: Display) -> None:
    """Upload all photos at once, and show how far they are until all are through."""
    pause, last, quiet_since = Event(), None, time.monotonic()
    with ThreadPoolExecutor(8) as pool, show.stages(len(PHOTOS)) as stages:
        uploads = [pool.submit(pipeline.upload, path) for path in PHOTOS]
        while True:
            progress = pipeline.progress(sum(upload.done() for upload in uploads))
            stages.update(progress)
            if progress != last:
                last, quiet_since = progress, time.monotonic()
            through = progress["stored"] + progress["dead-lettered"] >= len(PHOTOS)
            if through or time.monotonic() - quiet_since > PATIENCE:
                break
            pause.wait(0.05)
    for upload in uploads:
        upload.result()


def not_exactly_once(rows: list[str], dead_letters: list[str]) -> list[str]:
    """The photos that are missing or are there twice."""
    found, wanted = Counter(rows + dead_letters), Counter(path.name for path in PHOTOS)
    return sorted(photo for photo in found | wanted if found[photo] != wanted[photo])


def go_on(run: Path, pipeline: Pipeline) -> list[tuple[str, str]]:
    """Commands, and what they do."""
    here = LAMBENT.parent
    bin = here.relative_to(CHECKOUT) if here.is_relative_to(CHECKOUT) else here
    # The node listens on Lambent's own port then. The AWS CLI's version 1 knows no
    # AWS_ENDPOINT_URL for SQS, so that one is told.
    queue = urlsplit(pipeline.dead_letter_queue)._replace(netloc="127.0.0.1:4566").geturl()
    sqs = f"{bin}/aws --endpoint-url $AWS_ENDPOINT_URL sqs"
    return [
        ("start the node again", f"{bin}/lambent up --data-dir {run}/data"),
        ("then, in another shell", f'eval "$({bin}/lambent env)"'),
        ("what is deployed and how it does", f"{bin}/lambent status"),
        ("the function's log, live", f"{bin}/lambent logs {pipeline.function} -f"),
        ("the thumbnails", f"{bin}/aws s3 ls s3://{pipeline.thumbnails}"),
        ("a photo of yours", f"{bin}/aws s3 cp PHOTO.jpg s3://{pipeline.photos}"),
        ("the rows", f"{bin}/aws dynamodb scan --table-name {pipeline.table} --output table"),
        ("the dead letter", f"{sqs} receive-message --queue-url {queue}"),
    ]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
