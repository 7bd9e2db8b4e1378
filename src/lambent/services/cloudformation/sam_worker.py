"""Translates one SAM template and exits: `python -m ...sam_worker`, JSON on stdin.

The official translator loads pydantic, boto3 and 50 MB; it lives in this process only
(decision: docs/decisions). Input: {"template", "parameters", "region"}. Output: {"template"}
or {"error"} on standard output.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def translate(request: dict[str, Any]) -> dict[str, Any]:
    """The template in plain CloudFormation, or why it cannot be."""
    from samtranslator.internal.managed_policies import get_bundled_managed_policy_map
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.translator.transform import transform

    class Policies:
        """The AWS managed policies that come with the translator."""

        def load(self) -> dict[str, str]:
            """Policy name to ARN."""
            known: dict[str, str] = get_bundled_managed_policy_map("aws") or {}
            return known

    try:
        return {
            "template": transform(
                request["template"],
                request["parameters"],
                Policies(),
                passthrough_metadata=True,
            )
        }
    except InvalidDocumentException as error:
        causes = " ".join(str(cause.message) for cause in error.causes)
        return {"error": f"{error.message} {causes}".strip()}


def main() -> None:
    """Serve one request."""
    request = json.load(sys.stdin)
    os.environ["AWS_DEFAULT_REGION"] = request["region"]
    json.dump(translate(request), sys.stdout)


if __name__ == "__main__":
    main()
