"""Figures of invocations, as the node serves them."""

from __future__ import annotations

import json
from typing import Any

from tests.services.lambda_.conftest import RAISES, Make, until
from tests.support.http import Raw


def test_the_node_serves_what_invocations_took_and_cost(
    functions: Any, make: Make, raw: Raw, account: str
) -> None:
    make("f", Architectures=["arm64"])
    for _ in range(3):
        functions.invoke(FunctionName="f")
    answer = raw("GET", "/_lambent/functions/f/invocations", sign="lambent")
    shown = json.loads(answer.body)
    assert [one["tier"] for one in shown["invocations"]] == ["cold", "hot", "hot"]
    assert all(one["cost"] > 2e-7 for one in shown["invocations"])
    assert shown["invocations"][0]["init_ms"] > 0
    assert sum(minute["last_hour"] for minute in shown["minutes"]) == 3
    assert shown["prices"]["source"].startswith("https://")
    summary = json.loads(raw("GET", "/_lambent/functions", sign="lambent").body)
    mine = summary[f"arn:aws:lambda:us-east-1:{account}:function:f"]
    assert (mine["last_hour"], mine["invocations"], mine["errors"]) == (3, 3, 0)
    assert mine["cost_per_million"] > 0.2


def test_errors_are_counted(functions: Any, make: Make, raw: Raw) -> None:
    make("f", RAISES)
    functions.invoke(FunctionName="f")

    def noted() -> Any:
        answer = raw("GET", "/_lambent/functions/f/invocations", sign="lambent")
        return json.loads(answer.body)["invocations"]

    assert until(noted)[0]["error"] is True
