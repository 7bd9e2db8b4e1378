"""Dead letters: filtered, replayed at a rate and exactly once, edited, discarded, audited."""

import json

import pytest
from tests.support import postgres
from tests.support.http import Raw

from lambent.core.clock import VirtualClock
from lambent.core.ids import SeededIds
from lambent.services.sqs.recovery import audit, looking
from lambent.store.backends.sqlite import open_sqlite

HOUR = 3600


@pytest.fixture
def desk(virtual):
    desk = virtual()
    desk.die(['{"item": "lamp", "n": 1}', '{"item": "chair", "n": 2}', "not json"])
    return desk


def finished(desk, started, seconds=1):
    desk.advance(seconds)
    return desk.api("GET", f"dlq/tasks/{started['task']}")


def test_every_dead_letter_queue_is_listed_with_its_sources_age_and_growth(desk):
    desk.advance(2 * HOUR)
    desk.die(["new"])
    (queue,) = desk.api("GET", "dlq")["queues"]
    assert (queue["queue"], queue["sources"]) == ("dead", [desk.arn("source")])
    assert (queue["count"], queue["last_hour"], queue["complete"]) == (4, 1, True)
    assert 2 * HOUR <= queue["oldest_seconds"] <= 2 * HOUR + 10
    (group,) = queue["groups"]
    assert (group["fingerprint"], group["function"], group["count"]) == ("-", "", 4)


@pytest.mark.parametrize(
    ("selection", "bodies"),
    [
        ({}, ["lamp", "chair", "not"]),
        ({"contains": "am"}, ["lamp"]),
        ({"body": {"$.item": "chair"}}, ["chair"]),
        ({"body": {"n": 2}}, ["chair"]),
        ({"body": {"n": "2"}}, ["chair"]),
        ({"body": {"$.item": "lamp", "$.n": 2}}, []),
        ({"fingerprint": "-"}, ["lamp", "chair", "not"]),
        ({"fingerprint": "ab"}, []),
        ({"function": "f"}, []),
        ({"error": "ValueError"}, []),
        ({"since": 0}, ["lamp", "chair", "not"]),
        ({"until": 1}, []),
        ({"attributes": {"a": "1"}}, []),
    ],
    ids=str,
)
def test_a_filter_means_the_same_for_every_action(desk, selection, bodies):
    found = desk.act("messages", selection=selection)["messages"]
    assert [one["body"] for one in found] == [
        one["body"] for one in desk.act("messages")["messages"]
        if any(word in one["body"] for word in bodies)
    ]  # fmt: skip
    for action in ("replay", "discard"):
        assert desk.act(action, selection=selection, dry_run=True)["count"] == len(bodies)
    assert desk.depth(desk.dead) == 3


def test_message_attributes_and_arrival_times_select(virtual):
    desk = virtual()
    for tenant in ("a", "b"):
        attribute = {"tenant": {"DataType": "String", "StringValue": tenant}}
        desk.sqs.send_message(QueueUrl=desk.dead, MessageBody=tenant, MessageAttributes=attribute)
        desk.advance(HOUR)
    middle = desk.clock.now() - HOUR - 1

    def bodies(**selection):
        return [one["body"] for one in desk.act("messages", selection=selection)["messages"]]

    assert bodies(attributes={"tenant": "b"}) == ["b"]
    assert bodies(since=middle) == ["b"]
    assert bodies(until=middle) == ["a"]


@pytest.mark.parametrize(
    "body",
    [
        {"selection": {"body": {"$..x": 1}}},
        {"selection": {"body": {"a[": 1}}},
        {"selection": {"unknown": 1}},
        {"selection": []},
        {"selection": {"since": "now"}},
        {"rate": 0},
        {"rate": 501},
        {"max_replays": 0},
        {"to": "dead"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(desk, body):
    assert desk.act("replay", status=400, **body)["code"] == "ValidationException"
    assert desk.depth(desk.dead) == 3


@pytest.mark.parametrize("after", [-1, 1 << 63, "x"])
def test_a_page_begins_after_what_may_be_an_item(desk, after):
    assert desk.act("messages", status=400, after=after)["code"] == "ValidationException"
    assert desk.act("messages", after=(1 << 63) - 1)["messages"] == []


def test_nothing_is_there_under_unknown_names(desk):
    desk.act("replay", name="nowhere", status=404)
    desk.act("replay", to="nowhere", status=404)
    desk.api("GET", "dlq/tasks/12345", status=404)
    desk.api("GET", "dlq/tasks/", status=404)
    desk.act("explode", status=404)
    desk.act("edit", id="x", body="y", status=404)


def test_a_replay_brings_what_is_meant_back_to_its_source(desk):
    selection = {"body": {"$.item": "lamp"}}
    (letter,) = desk.act("messages", selection=selection)["messages"]
    assert letter["receives"] == 1
    started = desk.act("replay", selection=selection)
    assert (started["status"], started["matched"]) == ("RUNNING", 1)
    task = finished(desk, started)
    assert (task["status"], task["done"]) == ("COMPLETED", 1)
    (back,) = desk.receive(desk.source)
    assert json.loads(back["Body"])["item"] == "lamp"
    assert back["Attributes"]["ApproximateReceiveCount"] == "1"
    assert desk.depth(desk.dead) == 2


def test_a_replay_may_go_to_another_queue(desk):
    finished(desk, desk.act("replay", to="other"))
    assert len(desk.bodies(desk.other)) == 3


def test_a_message_is_replayed_so_often_and_no_more(virtual):
    desk = virtual()
    desk.die(["poison"])
    for number in range(2):
        task = finished(desk, desk.act("replay", max_replays=2))
        assert (task["done"], task["capped"]) == (1, 0)
        (letter,) = _die_again(desk)
        assert letter["replays"] == number + 1
    assert desk.act("replay", dry_run=True, max_replays=2)["capped"] == 1
    assert desk.act("replay", dry_run=True, max_replays=3)["capped"] == 0
    task = finished(desk, desk.act("replay", max_replays=2))
    assert (task["status"], task["done"], task["capped"]) == ("COMPLETED", 0, 1)
    assert desk.depth(desk.dead) == 1
    (overview,) = desk.api("GET", "dlq")["queues"]
    assert overview["replayed_before"] == 1


def _die_again(desk):
    for _ in range(2):
        desk.receive(desk.source, VisibilityTimeout=1)
        desk.advance(2)
    return desk.act("messages")["messages"]


def test_a_letter_that_came_from_nowhere_is_left_and_the_others_go(desk):
    desk.send(desk.dead, ["stray"])
    assert desk.act("replay", dry_run=True)["unroutable"] == 1
    assert desk.act("replay", dry_run=True, to="other")["unroutable"] == 0
    task = finished(desk, desk.act("replay"))
    assert (task["status"], task["done"], task["unroutable"]) == ("COMPLETED", 3, 1)
    assert desk.bodies(desk.dead) == ["stray"]


def test_messages_in_flight_are_passed_over_and_counted(desk):
    assert desk.sqs.receive_message(QueueUrl=desk.dead)["Messages"]
    task = finished(desk, desk.act("replay"))
    assert (task["done"], task["in_flight"]) == (2, 1)


def test_a_replay_keeps_its_rate_can_be_paused_resumed_and_cancelled(virtual):
    desk = virtual()
    desk.send(desk.dead, [str(n) for n in range(20)])
    started = desk.act("replay", to="other", rate=1)
    desk.advance(4.5)
    moved = desk.depth(desk.other)
    assert 4 <= moved <= 5
    path = f"dlq/tasks/{started['task'][:8]}"
    assert desk.api("POST", f"{path}/pause")["status"] == "PAUSED"
    desk.api("POST", f"{path}/pause", status=400)
    desk.advance(HOUR)
    assert desk.depth(desk.other) == moved
    desk.act("replay", to="other", status=409)
    assert desk.tasks()[0]["Status"] == "RUNNING"
    assert desk.api("POST", f"{path}/resume")["status"] == "RUNNING"
    desk.advance(3.5)
    assert moved + 3 <= desk.depth(desk.other) <= moved + 4
    desk.api("POST", f"{path}/pause")
    assert desk.api("POST", f"{path}/cancel")["status"] == "CANCELLED"
    desk.advance(60)
    task = desk.api("GET", path)
    assert (task["status"], task["done"]) == ("CANCELLED", desk.depth(desk.other))
    assert desk.depth(desk.dead) + desk.depth(desk.other) == 20
    (entry,) = desk.api("GET", "dlq/audit")["entries"]
    assert [step["step"] for step in entry["steps"]] == ["pause", "resume", "pause", "cancel"]
    assert (entry["status"], entry["moved"]) == ("CANCELLED", task["done"])


def test_a_selective_replay_of_a_large_queue_looks_past_what_is_not_meant(virtual):
    desk = virtual()
    bodies = [str(n) for n in range(250)]
    for start in range(0, 250, 10):
        entries = [{"Id": body, "MessageBody": body} for body in bodies[start : start + 10]]
        desk.sqs.send_message_batch(QueueUrl=desk.dead, Entries=entries)
    started = desk.act("replay", to="other", rate=500, selection={"contains": "49"})
    task = finished(desk, started, 5)
    assert (task["status"], task["done"], task["matched"]) == ("COMPLETED", 3, 3)
    assert sorted(desk.bodies(desk.other)) == ["149", "249", "49"]
    page = desk.act("messages", limit=100)
    rest = desk.act("messages", limit=1000, after=page["next"])
    assert len(page["messages"]) == 100 and len(rest["messages"]) == 147 and rest["next"] is None


def test_a_preview_counts_however_many_there_are(virtual, monkeypatch):
    monkeypatch.setattr(looking, "LOOKED_AT", 100)
    desk = virtual()
    for start in range(0, 250, 10):
        bodies = [str(n) for n in range(start, start + 10)]
        entries = [{"Id": body, "MessageBody": body} for body in bodies]
        desk.sqs.send_message_batch(QueueUrl=desk.dead, Entries=entries)
    assert desk.act("replay", dry_run=True, to="other")["count"] == 250
    whole = desk.api("POST", "dlq/queues/dead", {})
    assert (whole["count"], whole["complete"]) == (250, True)
    (listed,) = desk.api("GET", "dlq")["queues"]
    assert (listed["count"], listed["complete"]) == (100, False)
    first = desk.act("messages", selection={"contains": "24"}, limit=10)
    assert [one["body"] for one in first["messages"]] == ["24"]
    last, after = [], first["next"]
    while after is not None:
        page = desk.act("messages", selection={"contains": "249"}, limit=10, after=after)
        last, after = last + page["messages"], page["next"]
    assert [one["body"] for one in last] == ["249"]
    desk.act("edit", id=last[0]["id"], body="mended")
    task = finished(desk, desk.act("replay", to="other"), 5)
    assert (task["matched"], task["done"]) == (250, 250)


def test_fifo_messages_keep_their_order(virtual):
    desk = virtual(fifo=True)
    desk.send(desk.dead, ["a1", "b1", "a2", "b2"])
    finished(desk, desk.act("replay", to="other.fifo"))
    bodies = desk.bodies(desk.other)
    assert [b for b in bodies if b[0] == "a"] == ["a1", "a2"]
    assert [b for b in bodies if b[0] == "b"] == ["b1", "b2"]


def test_discarding_needs_a_yes_and_is_audited(desk):
    refused = desk.act("discard", selection={"contains": "not"}, status=400)
    assert refused["message"] == "1 messages would be gone for good: say so with confirm."
    started = desk.act("discard", selection={"contains": "not"}, confirm=True, note="test data")
    assert finished(desk, started)["done"] == 1
    assert desk.depth(desk.dead) == 2
    assert desk.tasks() == []
    (entry,) = desk.api("GET", "dlq/audit")["entries"]
    assert (entry["action"], entry["moved"], entry["matched"]) == ("discard", 1, 1)
    assert (entry["selection"], entry["note"]) == ({"contains": "not"}, "test data")
    assert entry["actor"] == f"arn:aws:iam::{desk.account}:root"
    assert entry["status"] == "COMPLETED"


def test_an_edited_letter_is_the_message_that_sqs_shows_and_the_audit_keeps_the_old_body(desk):
    (letter,) = desk.act("messages", selection={"contains": "not json"})["messages"]
    edited = desk.act("edit", id=letter["id"], body='{"item": "table"}')
    assert edited["before"] == "not json"
    (entry,) = desk.api("GET", "dlq/audit")["entries"]
    assert (entry["action"], entry["before"], entry["message"]) == (
        "edit", "not json", letter["id"],
    )  # fmt: skip
    task = finished(desk, desk.act("replay", selection={"body": {"$.item": "table"}}))
    assert task["done"] == 1
    (back,) = desk.receive(desk.source)  # botocore checks the MD5
    assert back["Body"] == '{"item": "table"}'


def test_a_letter_in_someones_hand_is_not_edited(desk):
    (held,) = desk.sqs.receive_message(QueueUrl=desk.dead)["Messages"]
    answer = desk.act("edit", id=held["MessageId"], body="other", status=409)
    assert answer["code"] == "MessageInFlight"
    large = "x" * (1 << 20) + "x"
    (free, *_) = [one for one in desk.act("messages")["messages"] if not one["in_flight"]]
    desk.act("edit", id=free["id"], body=large, status=400)
    assert desk.api("GET", "dlq/audit")["entries"] == []


async def test_the_audit_forgets_after_90_days():
    clock = VirtualClock()
    store = await open_sqlite(None, clock, SeededIds(1))

    async def write(tx, id):
        entry = audit.Entry(id=id, time=tx.now, actor="a", action="edit", queue="q")
        await audit.write(tx, "1", "r", entry)
        return [one.id for one in await audit.latest(tx, "1", "r", 10)]

    assert await store.transact(lambda tx: write(tx, "old")) == ["old"]
    await clock.advance(89 * 86_400)
    assert await store.transact(lambda tx: write(tx, "new")) == ["new", "old"]
    await clock.advance(2 * 86_400)
    assert await store.transact(lambda tx: write(tx, "newest")) == ["newest", "new"]
    await store.close()


def test_other_accounts_see_nothing_of_it(desk, connect):
    desk.act("discard", selection={"contains": "not"}, confirm=True)
    desk.account = "111122223333"
    assert desk.api("GET", "dlq")["queues"] == []
    assert desk.api("GET", "dlq/tasks")["tasks"] == []
    assert desk.api("GET", "dlq/audit")["entries"] == []
    desk.act("messages", status=404)


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_a_killed_node_goes_on_with_the_replay_and_moves_each_message_once(
    node_process, connect, account, store
):
    shared = {"store": postgres.cluster().url(), "lease": 2.0} if store == "postgresql" else {}
    node = node_process(**shared)
    sqs = connect(node.endpoint, "sqs")
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("dead", "to")}
    for start in range(0, 100, 10):
        entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(start, start + 10)]
        sqs.send_message_batch(QueueUrl=urls["dead"], Entries=entries)
    body = json.dumps({"to": "to", "rate": 100}).encode()
    raw = Raw(node.endpoint, account)
    assert raw("POST", "/_lambent/dlq/queues/dead/replay", body, sign="lambent").status == 200
    found = []
    for _ in range(2):
        message = sqs.receive_message(QueueUrl=urls["to"], WaitTimeSeconds=5)["Messages"][0]
        found.append(message["Body"])
        node.kill()
        node.start()
        raw, sqs = Raw(node.endpoint, account), connect(node.endpoint, "sqs")
    while len(found) < 100:
        messages = sqs.receive_message(
            QueueUrl=urls["to"], MaxNumberOfMessages=10, WaitTimeSeconds=5
        )["Messages"]
        found += [message["Body"] for message in messages]
    assert sorted(found, key=int) == [str(n) for n in range(100)]
    answer = json.loads(raw("GET", "/_lambent/dlq/audit", sign="lambent").text)
    assert (answer["entries"][0]["status"], answer["entries"][0]["moved"]) == ("COMPLETED", 100)
