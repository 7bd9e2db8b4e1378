"""SAM templates become CloudFormation ones, in a short-lived process of their own.

The official translator takes 50 MB and 0.6 s to load, which the node must not carry.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from lambent.core.errors import AwsError
from lambent.services.cloudformation.template import invalid

TRANSFORM = "AWS::Serverless-2016-10-31"
_WORKER = "lambent.services.cloudformation.sam_worker"
_LIMIT = 120.0
"""Seconds after which a translation is given up."""


class TransformFailed(Exception):
    """The translator refused the template; the message says why."""


async def translate(
    template: dict[str, Any], parameters: dict[str, Any], region: str
) -> dict[str, Any]:
    """The template in plain CloudFormation. TransformFailed when it is no valid SAM."""
    request = {"template": template, "parameters": parameters, "region": region}
    environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        _WORKER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        async with asyncio.timeout(_LIMIT):
            out, err = await process.communicate(json.dumps(request).encode())
    except TimeoutError:
        raise AwsError("InternalFailure", "The SAM translation took too long.", 500) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        last = err.decode(errors="replace").strip().rsplit("\n", 1)[-1]
        raise TransformFailed(f"Transform {TRANSFORM} failed with: {last}")
    answer: dict[str, Any] = json.loads(out)
    if "error" in answer:
        raise TransformFailed(f"Transform {TRANSFORM} failed with: {answer['error']}")
    translated: dict[str, Any] = answer["template"]
    return translated


_PASSED = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "HOME", "SYSTEMROOT")


def unknown_transform(name: str) -> AwsError:
    """What CloudFormation answers to a transform that it does not have."""
    return invalid(f"No transform named {name} found.")
