"""Code that stands in a template: its archive, with the module that answers for custom resources.

Source: AWS CloudFormation User Guide, "cfn-response module": inline functions, and they alone,
have `cfnresponse` (Python) or `cfn-response` (Node.js).
"""

from __future__ import annotations

import io
import zipfile

_EPOCH = (1980, 1, 1, 0, 0, 0)

_PYTHON = '''\
"""Sends a custom resource's answer to CloudFormation."""

import json
import urllib.request

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(
    event,
    context,
    responseStatus,
    responseData,
    physicalResourceId=None,
    noEcho=False,
    reason=None,
):
    stream = context.log_stream_name
    answer = {
        "Status": responseStatus,
        "Reason": reason or f"See the details in CloudWatch Log Stream: {stream}",
        "PhysicalResourceId": physicalResourceId or stream,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData,
    }
    body = json.dumps(answer).encode()
    request = urllib.request.Request(event["ResponseURL"], data=body, method="PUT")
    request.add_header("Content-Type", "")
    try:
        with urllib.request.urlopen(request) as response:
            print("Status code:", response.status)
    except Exception as error:
        print("The answer could not be sent:", error)
'''

_NODE = """\
exports.SUCCESS = "SUCCESS";
exports.FAILED = "FAILED";

exports.send = (event, context, status, data, physicalId, noEcho) => {
  const body = JSON.stringify({
    Status: status,
    Reason: "See the details in CloudWatch Log Stream: " + context.logStreamName,
    PhysicalResourceId: physicalId || context.logStreamName,
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
    NoEcho: noEcho || false,
    Data: data,
  });
  const url = new URL(event.ResponseURL);
  const client = require(url.protocol === "https:" ? "https" : "http");
  const headers = { "content-type": "", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve) => {
    const request = client.request(url, { method: "PUT", headers }, (response) => {
      console.log("Status code: " + response.statusCode);
      response.resume();
      response.on("end", () => { context.done(); resolve(); });
    });
    request.on("error", (error) => {
      console.log("The answer could not be sent: " + error);
      context.done();
      resolve();
    });
    request.write(body);
    request.end();
  });
};
"""


def archive(source: str, runtime: str) -> bytes:
    """The text as index.py or index.js; the same bytes for the same text."""
    node = runtime.startswith("nodejs")
    members = {"index.js" if node else "index.py": source}
    if "cfn-response" in source and node:
        members["node_modules/cfn-response.js"] = _NODE
    if "cfnresponse" in source and not node:
        members["cfnresponse.py"] = _PYTHON
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in members.items():
            member = zipfile.ZipInfo(name, _EPOCH)
            member.external_attr = 0o644 << 16
            made.writestr(member, text)
    return buffer.getvalue()
