"""The thumbnails example: by `./dev demo`'s program, and by the real AWS CLI."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from tests.conftest import ClientFactory
from tests.crash.killing import until
from tests.support.nodes import ThreadNode

from lambent.host.build import build

EXAMPLE = Path(__file__).parents[2] / "examples" / "thumbnails"
BIN = Path(sys.executable).parent
GOOD = sorted(p.name for p in (EXAMPLE / "photos").iterdir() if p.suffix in (".png", ".jpg"))
GOOD.remove("broken.jpg")


def test_the_demo_accounts_for_every_photo_and_shows_it(tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, EXAMPLE / "demo.py", run], capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "13 uploaded, 13 queued, 13 processed, 12 stored, 1 dead-lettered" in done.stdout
    for photo in GOOD:
        assert re.search(rf"{re.escape(photo)} +\d+ × \d+ +[\d,]+ +[\d,]+ +1 +\d+", done.stdout)
    assert "broken.jpg was given up after 3 attempts" in done.stdout
    assert "UnidentifiedImageError" in done.stdout
    assert "Every photo is accounted for exactly once: 12 rows, 1 dead letter." in done.stdout
    thumbnails = sorted((run / "thumbnails").iterdir())
    assert [path.stem for path in thumbnails] == [Path(name).stem for name in GOOD]
    for path in thumbnails:
        with Image.open(path) as picture:
            assert picture.format == "JPEG"
            assert max(picture.size) == 256
    with Image.open(run / "thumbnails.png") as sheet:
        assert sheet.width > 4 * 256


def test_the_aws_cli_packages_and_deploys_it(
    node: ThreadNode, account: str, connect: ClientFactory, tmp_path: Path
) -> None:
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
        "AWS_ENDPOINT_URL": node.endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }

    def aws(*arguments: str | Path) -> str:
        command = [BIN / "aws", *arguments]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    # As `sam build` leaves it: the code with its requirements beside it.
    shutil.copy(EXAMPLE / "template.yaml", tmp_path / "template.yaml")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lambent" / "builds"
    built = asyncio.run(build(EXAMPLE / "function", "python3.11", cache))
    (tmp_path / "function").symlink_to(built)

    aws("s3", "mb", "s3://artefacts-" + account)
    packaged = ("--template-file", "template.yaml", "--output-template-file", "packaged.yaml")
    aws("cloudformation", "package", *packaged, "--s3-bucket", "artefacts-" + account)
    deploy = ("cloudformation", "deploy", "--template-file", "packaged.yaml", "--stack-name")
    deploy += ("photos", "--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset")
    deploy += ("--parameter-overrides", "ThumbnailSize=64")
    assert "Successfully created/updated stack - photos" in aws(*deploy)
    assert "No changes to deploy" in aws(*deploy)
    stack: dict[str, Any] = connect(node.endpoint, "cloudformation").describe_stacks()["Stacks"][0]
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
    photo = EXAMPLE / "photos" / "chelsea the cat.png"
    aws("s3", "cp", photo, f"s3://{outputs['PhotosBucket']}/")

    table = {"TableName": outputs["CatalogueTable"]}
    (row,) = until(lambda: connect(node.endpoint, "dynamodb").scan(**table)["Items"], bool)
    assert row["photo"] == {"S": "chelsea the cat.png"}
    assert (row["width"], row["height"]) == ({"N": "451"}, {"N": "300"})
    aws("s3", "cp", f"s3://{outputs['ThumbnailsBucket']}/chelsea the cat.png", "thumbnail.jpg")
    with Image.open(tmp_path / "thumbnail.jpg") as picture:
        assert max(picture.size) == 64
