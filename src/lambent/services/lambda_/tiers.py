"""Functions' tiers over Lambent's own API, below `/_lambent/tiers/`.

| request | what it does |
| --- | --- |
| GET tiers/NAME | the tier of $LATEST |
| PUT tiers/NAME | set it: `{"tier": "hot"}`, "warm" or "cold" |

A version keeps the tier that $LATEST had when it was published.
"""

from __future__ import annotations

import json
from typing import Any

from lambent.core.errors import AwsError
from lambent.core.web import PREFIX, Asked
from lambent.services.lambda_ import own_settings
from lambent.services.lambda_.functions import FunctionOperations

PATH = "tiers/"


class TierRoutes:
    """Answers the requests."""

    def __init__(self, operations: FunctionOperations) -> None:
        self._operations = operations

    async def one(self, asked: Asked) -> tuple[int, Any]:
        """Everything below tiers/."""
        name = asked.path.removeprefix(PREFIX + PATH)
        function = {"FunctionName": name}
        own = dict(await self._operations.own_settings(asked.context, function) or {})
        if asked.method == "PUT":
            own["Tier"] = _tier(asked.body)
            own = own_settings.parse({own_settings.MEMBER: own})
            await self._operations.update_function_configuration(
                asked.context, {**function, own_settings.MEMBER: own}
            )
        elif asked.method != "GET":
            raise AwsError("MethodNotAllowed", "Ask with GET or PUT.", 405)
        return 200, {"function": name, "tier": own.get("Tier", "cold")}


def _tier(body: bytes) -> Any:
    try:
        return json.loads(body)["tier"]
    except (ValueError, LookupError, TypeError):
        raise AwsError("ValidationError", 'The body must be {"tier": ...}.', 400) from None
