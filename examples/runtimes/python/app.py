"""A Lambda function in Python: greets whom the event names."""

import os


def handler(event, context):
    name = event["name"]
    print(f"greeting {name}")
    greeting = os.environ.get("GREETING", "Hello")
    return {"greeting": f"{greeting}, {name}, from Python!", "request": context.aws_request_id}
