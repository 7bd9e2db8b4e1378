"""A node under a virtual clock, with a queue and its dead-letter queue."""

import json

from tests.support.http import Raw


class Desk:
    """A node under a virtual clock with a queue, its dead-letter queue, and a bystander."""

    def __init__(self, node, clock, sqs, account, fifo=False):
        self.node, self.clock, self.sqs = node, clock, sqs
        self.account = account
        self.suffix = ".fifo" if fifo else ""
        kind = {"FifoQueue": "true"} if fifo else {}
        self.dead = self._make("dead", kind)
        policy = {"deadLetterTargetArn": self.arn("dead"), "maxReceiveCount": 1}
        self.source = self._make("source", {**kind, "RedrivePolicy": json.dumps(policy)})
        self.other = self._make("other", kind)

    def _make(self, name, attributes):
        return self.sqs.create_queue(QueueName=name + self.suffix, Attributes=attributes)[
            "QueueUrl"
        ]

    def arn(self, name):
        return f"arn:aws:sqs:us-east-1:{self.account}:{name}{self.suffix}"

    def send(self, url, bodies, groups=None):
        for body in bodies:
            more = (
                {"MessageGroupId": body[0], "MessageDeduplicationId": body} if self.suffix else {}
            )
            self.sqs.send_message(QueueUrl=url, MessageBody=body, **more)

    def die(self, bodies):
        """Messages that are in the dead-letter queue because their receives ran out."""
        self.send(self.source, bodies)
        for _ in range(2):
            while self.receive(self.source, VisibilityTimeout=1):
                pass
            self.advance(2)
        self.receive(self.source)

    def receive(self, url, **more):
        return self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], **more
        ).get("Messages", [])

    def bodies(self, url):
        found = []
        while messages := self.receive(url):
            found += [message["Body"] for message in messages]
        return found

    def depth(self, url):
        return int(
            self.sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
            )["Attributes"]["ApproximateNumberOfMessages"]
        )

    def start(self, **more):
        return self.sqs.start_message_move_task(SourceArn=self.arn("dead"), **more)["TaskHandle"]

    def tasks(self, count=10):
        return self.sqs.list_message_move_tasks(SourceArn=self.arn("dead"), MaxResults=count)[
            "Results"
        ]

    def advance(self, seconds=0.0):
        self.node.run(self.clock.advance(seconds))

    def api(self, method, path, body=None, status=200):
        """An answer of Lambent's own API."""
        data = json.dumps(body).encode() if body is not None else b""
        answer = Raw(self.node.endpoint, self.account)(
            method, f"/_lambent/{path}", data, sign="lambent"
        )
        assert answer.status == status, answer.text
        return json.loads(answer.text)

    def act(self, action, name="dead", status=200, **body):
        return self.api("POST", f"dlq/queues/{name}{self.suffix}/{action}", body, status)
