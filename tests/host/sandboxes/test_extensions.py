"""Extensions in both kinds of sandbox, with the machine's network and without."""

from __future__ import annotations

import json

import pytest
from tests.host.sandboxes.conftest import Run

EXTENSION = """#!/usr/bin/python3 -S
import http.client, http.server, json, os, sys, threading
sys.stdout.reconfigure(line_buffering=True)
def ask(method, path, body=None, **headers):
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    api.request(method, path, None if body is None else json.dumps(body), named)
    answer = api.getresponse()
    return answer, answer.read()
told = []
class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        told.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("sandbox.localdomain", 4243), Listener)
threading.Thread(target=server.serve_forever, daemon=True).start()
answer, _ = ask("POST", "/2020-01-01/extension/register", {"events": ["INVOKE", "SHUTDOWN"]},
                Lambda_Extension_Name="ext")
me = answer.headers["Lambda-Extension-Identifier"]
wanted = {"types": ["platform", "function"], "buffering": {"timeoutMs": 25},
          "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:4243"}}
ask("PUT", "/2022-07-01/telemetry", wanted, Lambda_Extension_Identifier=me)
open("/tmp/shared", "w").write("from beside")
while True:
    _, body = ask("GET", "/2020-01-01/extension/event/next", Lambda_Extension_Identifier=me)
    event = json.loads(body)
    if event["eventType"] == "SHUTDOWN":
        print("told", json.dumps([event["shutdownReason"], [each["type"] for each in told]]))
        break
"""
READS = """
import os
def handler(event, context):
    print("reads")
    status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    others = [pid for pid in os.listdir("/proc") if pid.isdigit()]
    return {"tmp": open("/tmp/shared").read(), "uid": os.getuid(), "processes": len(others)}
"""


@pytest.mark.parametrize("network", ["host", "none"])
def test_an_extension_shares_the_sandbox_and_gets_telemetry(run: Run, network: str) -> None:
    # Two environments, whose listeners have the same port.
    *_, answer = run(READS, READS, extensions={"ext": EXTENSION}, network=network)
    assert answer["error"] is None, answer
    # The namespace's first, the runtime, the monitor, the extension.
    assert answer["payload"] == {"tmp": "from beside", "uid": 993, "processes": 4}
    lines = [line for line in answer["after"].splitlines() if line.startswith("told ")]
    assert len(lines) == 2
    for line in lines:
        reason, types = json.loads(line.partition(" ")[2])
        assert reason == "spindown"
        assert types[:2] == ["platform.initStart", "platform.telemetrySubscription"]
        assert types[-3:] == ["function", "platform.runtimeDone", "platform.report"]


INTERNAL = """
import http.client, http.server, json, os, socketserver, threading
PROTOCOL, TOLD = %r, []
def ask(method, path, body=None, **headers):
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    api.request(method, path, None if body is None else json.dumps(body), named)
    answer = api.getresponse()
    return answer, answer.read()
class Batches(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        TOLD.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        TOLD.extend(map(json.loads, self.rfile))
kind = {"HTTP": Batches, "TCP": Lines}[PROTOCOL]
server = socketserver.ThreadingTCPServer(("sandbox.localdomain", 4244), kind)
threading.Thread(target=server.serve_forever, daemon=True).start()
answer, _ = ask("POST", "/2020-01-01/extension/register", {"events": ["INVOKE"]},
                Lambda_Extension_Name="inner")
me = answer.headers["Lambda-Extension-Identifier"]
def follow():
    while True:
        ask("GET", "/2020-01-01/extension/event/next", Lambda_Extension_Identifier=me)
threading.Thread(target=follow, daemon=True).start()
to = {"HTTP": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:4244"},
      "TCP": {"protocol": "TCP", "port": 4244}}[PROTOCOL]
wanted = {"types": ["platform", "function"], "buffering": {"timeoutMs": 25}, "destination": to}
answer, _ = ask("PUT", "/2022-07-01/telemetry", wanted, Lambda_Extension_Identifier=me)
assert answer.status == 200
def handler(event, context):
    # More batches than there are ways into the sandbox.
    for number in range(15):
        print("line", number, flush=True)
        while not any(each["record"] == f"line {number}" for each in TOLD):
            pass
    return [each["type"] for each in TOLD]
"""


@pytest.mark.parametrize("protocol", ["HTTP", "TCP"])
def test_an_internal_extension_of_a_closed_sandbox_gets_telemetry(run: Run, protocol: str) -> None:
    (answer,) = run(INTERNAL % protocol, network="none")
    assert answer["error"] is None, answer
    types = answer["payload"]
    assert types[0] == "platform.initStart" and "platform.start" in types
    assert types.count("function") == 15
