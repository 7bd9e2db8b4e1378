"""`/_lambent/metrics`: what a scraper gets, and who may scrape."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from tests.support.nodes import ThreadNode

TOKEN = "a-long-enough-scrape-token"


def scraped(endpoint: str, path: str = "metrics", **headers: str) -> tuple[int, str, str]:
    request = urllib.request.Request(f"{endpoint}/_lambent/{path}", headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, "", error.read().decode()


def test_requests_are_counted_by_operation_and_outcome(
    fresh_node: Callable[..., ThreadNode], connect: Callable[..., Any]
) -> None:
    node = fresh_node()
    connect(node.endpoint, "sqs").list_queues()
    status, kind, text = scraped(node.endpoint)
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    counted = 'lambent_requests_total{service="sqs",operation="ListQueues",outcome="ok"} 1'
    assert counted in text.splitlines()
    (commits,) = [line for line in text.splitlines() if line.startswith("lambent_store_commits_")]
    assert float(commits.split()[1]) >= 1
    assert 'lambent_request_seconds_count{service="sqs",operation="ListQueues"} 1' in text


def test_openmetrics_is_given_to_those_who_ask(node: ThreadNode) -> None:
    _, kind, text = scraped(node.endpoint, Accept="application/openmetrics-text;version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


def test_in_server_mode_the_scrape_token_opens_the_metrics_and_nothing_else(
    fresh_node: Callable[..., ThreadNode],
) -> None:
    node = fresh_node(auth=True, scrape_token=TOKEN)
    assert scraped(node.endpoint)[0] == 403
    assert scraped(node.endpoint, Authorization="Bearer wrong-wrong-wrong-wrong")[0] == 403
    assert scraped(node.endpoint, Authorization=f"Bearer {TOKEN}")[0] == 200
    assert scraped(node.endpoint, "functions", Authorization=f"Bearer {TOKEN}")[0] in (400, 403)
