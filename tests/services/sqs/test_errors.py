"""Every error in AWS's words, the same in both protocols. One table drives both."""

import json

import pytest
from tests.services.sqs.wire import MODEL, ask

PREFIX = "AWS.SimpleQueueService."
ENTRY = {"Id": "1", "MessageBody": "x"}
BIG = "x" * 1_048_577


def missing(name):
    return ("MissingParameter", f"The request must contain the parameter {name}.")


def invalid(value, name, reason):
    return (
        "InvalidParameterValue",
        f"Value {value} for parameter {name} is invalid. Reason: {reason}",
    )


NO_QUEUE = ("QueueDoesNotExist", "The specified queue does not exist.")
NO_SOURCE = (
    "ResourceNotFoundException",
    "The resource that you specified for the SourceArn parameter doesn't exist.",
)
URL = "<standard>"
FIFO = "<fifo>"

# operation, parameters, (the shape's name, the message)
TABLE = [
    ("CreateQueue", {}, missing("QueueName")),
    (
        "CreateQueue",
        {"QueueName": "a b"},
        (
            "InvalidParameterValue",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ),
    ),
    (
        "CreateQueue",
        {"QueueName": "q", "Attributes": {"VisibilityTimeout": "43201"}},
        ("InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout."),
    ),
    (
        "CreateQueue",
        {"QueueName": "q", "Attributes": {"DelaySeconds": "1_0"}},
        ("InvalidAttributeValue", "Invalid value for the parameter DelaySeconds."),
    ),
    (
        "CreateQueue",
        {"QueueName": "q", "Attributes": {"Foo": "1"}},
        ("InvalidAttributeName", "Unknown Attribute Foo."),
    ),
    (
        "CreateQueue",
        {"QueueName": "q", "Attributes": {"ContentBasedDeduplication": "true"}},
        ("InvalidAttributeName", "Unknown Attribute ContentBasedDeduplication."),
    ),
    (
        "CreateQueue",
        {"QueueName": "standard", "Attributes": {"DelaySeconds": "5"}},
        (
            "QueueNameExists",
            "A queue already exists with the same name and a different value for attribute "
            "DelaySeconds",
        ),
    ),
    (
        "CreateQueue",
        {"QueueName": "standard", "tags": {"a": "b"}},
        (
            "QueueNameExists",
            "A queue already exists with the same name and a different value for tags",
        ),
    ),
    *[
        (
            "CreateQueue",
            {"QueueName": "q", "Attributes": {"RedrivePolicy": text}},
            invalid(text, "RedrivePolicy", "Redrive policy is not a valid JSON map."),
        )
        for text in ("{", "[]", '"x"', "null")
    ],
    (
        "CreateQueue",
        {
            "QueueName": "q",
            "Attributes": {"SqsManagedSseEnabled": "true", "KmsMasterKeyId": "alias/aws/sqs"},
        },
        (
            "InvalidAttributeValue",
            "You can use one type of server-side encryption (SSE) at one time. You can either "
            "enable KMS SSE or SQS SSE.",
        ),
    ),
    ("GetQueueUrl", {}, missing("QueueName")),
    ("GetQueueUrl", {"QueueName": "missing"}, NO_QUEUE),
    (
        "GetQueueUrl",
        {"QueueName": "standard", "QueueOwnerAWSAccountId": "111111111111"},
        (
            "QueueDoesNotExist",
            "The specified queue does not exist or you do not have access to it.",
        ),
    ),
    ("SetQueueAttributes", {"QueueUrl": URL}, missing("Attributes")),
    (
        "SetQueueAttributes",
        {"QueueUrl": URL, "Attributes": {"Policy": "{"}},
        ("InvalidAttributeValue", "Invalid value for the parameter Policy."),
    ),
    *[
        (
            "SetQueueAttributes",
            {"QueueUrl": URL, "Attributes": {"Policy": json.dumps({"Statement": [statement]})}},
            ("InvalidAttributeValue", "Invalid value for the parameter Policy."),
        )
        for statement in (
            {"Principal": "*", "Action": "*"},
            {"Effect": "Perhaps", "Principal": "*", "Action": "*"},
            {"Effect": "Allow", "Action": "*"},
            {"Effect": "Allow", "Principal": "*"},
        )
    ],
    (
        "SetQueueAttributes",
        {"QueueUrl": URL, "Attributes": {"FifoQueue": "true"}},
        ("InvalidAttributeName", "Unknown Attribute FifoQueue."),
    ),
    (
        "GetQueueAttributes",
        {"QueueUrl": URL, "AttributeNames": ["Foo"]},
        ("InvalidAttributeName", "Unknown Attribute Foo."),
    ),
    ("SendMessage", {"QueueUrl": URL}, missing("MessageBody")),
    ("SendMessage", {"QueueUrl": URL, "MessageBody": ""}, missing("MessageBody")),
    (
        "SendMessage",
        {"QueueUrl": URL, "MessageBody": BIG},
        (
            "InvalidParameterValue",
            "One or more parameters are invalid. Reason: Message must be shorter than 1048576 "
            "bytes.",
        ),
    ),
    (
        "SendMessage",
        {"QueueUrl": URL, "MessageBody": "\x0b"},
        (
            "InvalidMessageContents",
            "Invalid binary character '#xB' was found in the message body, the set of allowed "
            "characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to "
            "#x10FFFF",
        ),
    ),
    (
        "SendMessage",
        {"QueueUrl": URL, "MessageBody": "x", "DelaySeconds": 901},
        invalid(901, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900."),
    ),
    (
        "SendMessage",
        {"QueueUrl": URL, "MessageBody": "x", "MessageDeduplicationId": "1"},
        invalid(
            1,
            "MessageDeduplicationId",
            "The request includes a parameter that is not valid for this queue type.",
        ),
    ),
    (
        "SendMessage",
        {
            "QueueUrl": URL,
            "MessageBody": "x",
            "MessageAttributes": {
                str(n): {"DataType": "String", "StringValue": "x"} for n in range(11)
            },
        },
        (
            "InvalidParameterValue",
            "Number of message attributes [11] exceeds the allowed maximum [10].",
        ),
    ),
    (
        "SendMessage",
        {
            "QueueUrl": URL,
            "MessageBody": "x",
            "MessageAttributes": {"a": {"DataType": "Number", "StringValue": "x"}},
        },
        (
            "InvalidParameterValue",
            "Can't cast the value of message attribute 'a' to a number.",
        ),
    ),
    (
        "SendMessage",
        {
            "QueueUrl": URL,
            "MessageBody": "x",
            "MessageAttributes": {"a": {"DataType": "String", "StringValue": ""}},
        },
        (
            "InvalidParameterValue",
            "The message attribute 'a' must contain a non-empty message attribute value for "
            "message attribute type 'String'.",
        ),
    ),
    (
        "SendMessage",
        {
            "QueueUrl": URL,
            "MessageBody": "x",
            "MessageAttributes": {"": {"DataType": "String", "StringValue": "x"}},
        },
        ("InvalidParameterValue", "The request must contain non-empty message attribute name."),
    ),
    *[
        (
            "SendMessage",
            {
                "QueueUrl": URL,
                "MessageBody": "x",
                "MessageAttributes": {"a": {"DataType": "Number", "StringValue": number}},
            },
            (
                "InvalidParameterValue",
                "Can't cast the value of message attribute 'a' to a number.",
            ),
        )
        for number in (
            "1" * 39,
            "1e999999999",
            "-1e-999999999",
            "0" * 257,
            "1e127",
            "-1e127",
            "1e-129",
            "NaN",
            " 1",
            "1_000",
            "٣",
        )
    ],
    (
        "SendMessage",
        {
            "QueueUrl": URL,
            "MessageBody": "x",
            "MessageSystemAttributes": {
                "AWSTraceHeader": {"DataType": "Number", "StringValue": "1"}
            },
        },
        (
            "InvalidParameterValue",
            "The message system attribute 'AWSTraceHeader' has an invalid message system "
            "attribute type, the set of supported types is String.",
        ),
    ),
    ("SendMessage", {"QueueUrl": FIFO, "MessageBody": "x"}, missing("MessageGroupId")),
    (
        "SendMessageBatch",
        {"QueueUrl": FIFO, "Entries": [{**ENTRY, "MessageGroupId": "g"}, {**ENTRY, "Id": "2"}]},
        missing("MessageGroupId"),
    ),
    (
        "SendMessage",
        {"QueueUrl": FIFO, "MessageBody": "x", "MessageGroupId": "g"},
        (
            "InvalidParameterValue",
            "The queue should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly",
        ),
    ),
    (
        "SendMessageBatch",
        {"QueueUrl": URL, "Entries": []},
        (
            "EmptyBatchRequest",
            "There should be at least one SendMessageBatchRequestEntry in the request.",
        ),
    ),
    (
        "SendMessageBatch",
        {"QueueUrl": URL, "Entries": [{**ENTRY, "Id": str(n)} for n in range(11)]},
        (
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10. You have sent 11.",
        ),
    ),
    (
        "SendMessageBatch",
        {"QueueUrl": URL, "Entries": [ENTRY, {"MessageBody": "x"}]},
        missing("SendMessageBatchRequestEntry.2.Id"),
    ),
    (
        "SendMessageBatch",
        {"QueueUrl": URL, "Entries": [{"Id": "1", "MessageBody": ""}]},
        missing("SendMessageBatchRequestEntry.1.MessageBody"),
    ),
    (
        "DeleteMessageBatch",
        {"QueueUrl": URL, "Entries": [{"Id": "1"}]},
        missing("DeleteMessageBatchRequestEntry.1.ReceiptHandle"),
    ),
    (
        "ChangeMessageVisibilityBatch",
        {"QueueUrl": URL, "Entries": [{"Id": "1", "VisibilityTimeout": 1}]},
        missing("ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle"),
    ),
    (
        "SendMessageBatch",
        {"QueueUrl": URL, "Entries": [ENTRY, ENTRY]},
        ("BatchEntryIdsNotDistinct", "Id 1 repeated."),
    ),
    (
        "SendMessageBatch",
        {"QueueUrl": URL, "Entries": [{**ENTRY, "Id": "a b"}]},
        (
            "InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
            "It can be at most 80 letters long.",
        ),
    ),
    (
        "SendMessageBatch",
        {
            "QueueUrl": URL,
            "Entries": [{"Id": n, "MessageBody": "x" * 600_000} for n in ("1", "2")],
        },
        (
            "BatchRequestTooLong",
            "Batch requests cannot be longer than 1048576 bytes. You have sent 1200000 bytes.",
        ),
    ),
    (
        "ReceiveMessage",
        {"QueueUrl": URL, "MaxNumberOfMessages": 11},
        invalid(11, "MaxNumberOfMessages", "Must be between 1 and 10, if provided."),
    ),
    (
        "ReceiveMessage",
        {"QueueUrl": URL, "WaitTimeSeconds": 21},
        invalid(21, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided."),
    ),
    (
        "ReceiveMessage",
        {"QueueUrl": URL, "VisibilityTimeout": 43201},
        invalid(43201, "VisibilityTimeout", "Must be >= 0 and <= 43200, if provided."),
    ),
    (
        "ReceiveMessage",
        {"QueueUrl": URL, "AttributeNames": ["Foo"]},
        ("InvalidAttributeName", "Unknown Attribute Foo."),
    ),
    ("DeleteMessage", {"QueueUrl": URL}, missing("ReceiptHandle")),
    (
        "DeleteMessage",
        {"QueueUrl": URL, "ReceiptHandle": "fake"},
        (
            "ReceiptHandleIsInvalid",
            'The input receipt handle "fake" is not a valid receipt handle.',
        ),
    ),
    (
        "ChangeMessageVisibility",
        {"QueueUrl": URL, "ReceiptHandle": "x"},
        missing("VisibilityTimeout"),
    ),
    (
        "ChangeMessageVisibility",
        {"QueueUrl": URL, "ReceiptHandle": "x", "VisibilityTimeout": 43201},
        invalid(
            43201,
            "VisibilityTimeout",
            "VisibilityTimeout must be an integer between 0 and 43200.",
        ),
    ),
    (
        "ListQueues",
        {"MaxResults": 1001},
        invalid(1001, "MaxResults", "MaxResults must be an integer between 1 and 1000."),
    ),
    *[
        (operation, params, ("InvalidParameterValue", "Invalid or expired next token."))
        for operation, params in [
            ("ListQueues", {"MaxResults": 1, "NextToken": "x"}),
            ("ListDeadLetterSourceQueues", {"QueueUrl": URL, "MaxResults": 1, "NextToken": "x"}),
        ]
    ],
    ("TagQueue", {"QueueUrl": URL}, missing("Tags")),
    (
        "TagQueue",
        {"QueueUrl": URL, "Tags": {str(n): "x" for n in range(51)}},
        ("InvalidParameterValue", "Too many tags added for queue. Maximum is 50."),
    ),
    ("AddPermission", {"QueueUrl": URL, "Label": "l"}, missing("AWSAccountIds")),
    (
        "AddPermission",
        {"QueueUrl": URL, "Label": "l", "AWSAccountIds": ["111111111111"]},
        missing("Actions"),
    ),
    (
        "AddPermission",
        {
            "QueueUrl": URL,
            "Label": "l",
            "AWSAccountIds": ["111111111111"],
            "Actions": ["SendMessage"] * 8,
        },
        ("OverLimit", "8 Actions were found, maximum allowed is 7."),
    ),
    (
        "AddPermission",
        {
            "QueueUrl": URL,
            "Label": "l",
            "AWSAccountIds": ["111111111111"],
            "Actions": ["CreateQueue"],
        },
        invalid(
            "SQS:CreateQueue",
            "ActionName",
            "Only the queue owner is allowed to invoke this action.",
        ),
    ),
    ("AddPermission", {"QueueUrl": URL, "AWSAccountIds": ["x"]}, missing("Label")),
    ("RemovePermission", {"QueueUrl": URL, "Label": ""}, missing("Label")),
    *[
        (
            "AddPermission",
            {
                "QueueUrl": URL,
                "Label": "l",
                "AWSAccountIds": ["111111111111"],
                "Actions": [action],
            },
            invalid(
                f"SQS:{action}",
                "ActionName",
                "Please refer to the appropriate WSDL for a list of valid actions.",
            ),
        )
        for action in ("Fly", "SendMessageBatch")
    ],
    (
        "SetQueueAttributes",
        {
            "QueueUrl": URL,
            "Attributes": {
                "Policy": json.dumps(
                    {"Statement": {"Effect": "Allow", "Principal": "*", "Action": ["sqs:Fly"]}}
                )
            },
        },
        invalid(
            "SQS:Fly",
            "ActionName",
            "Please refer to the appropriate WSDL for a list of valid actions.",
        ),
    ),
    *[
        (
            "AddPermission",
            {"QueueUrl": URL, "Label": "l", "AWSAccountIds": [id], "Actions": ["SendMessage"]},
            invalid(f"[{id}]", "PrincipalId", "Unable to verify."),
        )
        for id in ("*", "arn:aws:iam::111111111111:root", "1")
    ],
    (
        "RemovePermission",
        {"QueueUrl": URL, "Label": "l"},
        invalid("l", "Label", "can't find label."),
    ),
    ("StartMessageMoveTask", {}, missing("SourceArn")),
    ("StartMessageMoveTask", {"SourceArn": "arn:aws:sqs:us-east-1:1:x"}, NO_SOURCE),
    (
        "StartMessageMoveTask",
        {"SourceArn": "x"},
        (
            "InvalidParameterValue",
            "You must use this format to specify the SourceArn: "
            "arn:<partition>:<service>:<region>:<account-id>:<resource-id>",
        ),
    ),
    ("ListMessageMoveTasks", {"SourceArn": "arn:aws:sqs:us-east-1:1:x"}, NO_SOURCE),
    (
        "ListMessageMoveTasks",
        {"SourceArn": "arn:aws:sqs:us-east-1:1:x", "MaxResults": 11},
        invalid(11, "MaxResults", "Must be between 1 and 10, if provided."),
    ),
    ("CancelMessageMoveTask", {}, missing("TaskHandle")),
    (
        "CancelMessageMoveTask",
        {"TaskHandle": "x"},
        ("InvalidParameterValue", "Value for parameter TaskHandle is invalid."),
    ),
]
# Every operation on a queue needs to be told which, and it has to be there.
FILLERS = {
    "Entries": [{"Id": "1", "MessageBody": "x", "ReceiptHandle": "x", "VisibilityTimeout": 1}],
    "Attributes": {"DelaySeconds": "1"},
    "Tags": {"a": "b"},
    "TagKeys": ["a"],
    "AWSAccountIds": ["111111111111"],
    "Actions": ["*"],
    "VisibilityTimeout": 1,
}
for name in MODEL.operation_names:
    shape = MODEL.operation_model(name).input_shape
    if "QueueUrl" in shape.members:
        needed = {
            member: FILLERS.get(member, "x")
            for member in shape.required_members
            if member != "QueueUrl"
        }
        TABLE.append((name, needed, missing("QueueUrl")))
        TABLE.append((name, {**needed, "QueueUrl": "http://localhost/1/missing"}, NO_QUEUE))

POLICY_LIMITS = [
    ({"Action": ["sqs:SendMessage"] * 8}, "8 Actions were found, maximum allowed is 7."),
    (
        {"Principal": {"AWS": ["111111111111"] * 51}},
        "51 Principals were found, maximum allowed is 50.",
    ),
    (
        {"Condition": {"StringEquals": {f"aws:Tag{n}": "x" for n in range(11)}}},
        "11 Conditions were found, maximum allowed is 10.",
    ),
]
STATEMENT = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
for statements, message in [
    *(([{**STATEMENT, **more}], message) for more, message in POLICY_LIMITS),
    ([STATEMENT] * 21, "21 Statements were found, maximum allowed is 20."),
]:
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    TABLE.append(
        (
            "SetQueueAttributes",
            {"QueueUrl": URL, "Attributes": {"Policy": text}},
            ("OverLimit", message),
        )
    )
TABLE.append(
    (
        "SetQueueAttributes",
        {
            "QueueUrl": URL,
            "Attributes": {"Policy": json.dumps({"Statement": [{**STATEMENT, "Sid": "x" * 8192}]})},
        },
        ("InvalidAttributeValue", "Invalid value for the parameter Policy."),
    )
)

STATUS = {"OverLimit": 403, "ResourceNotFoundException": 404, "ReceiptHandleIsInvalid": 404}
JSON_CODES = {
    "MissingParameter": "MissingRequiredParameterException",
    "InvalidParameterValue": "InvalidParameterValueException",
}
OLD_CODES = {
    "QueueDoesNotExist": PREFIX + "NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    **{
        name: PREFIX + name
        for name in (
            "EmptyBatchRequest",
            "TooManyEntriesInBatchRequest",
            "BatchEntryIdsNotDistinct",
            "InvalidBatchEntryId",
            "BatchRequestTooLong",
        )
    },
}


@pytest.fixture
def urls(client):
    sqs = client("sqs")
    fifo = sqs.create_queue(QueueName="fifo.fifo", Attributes={"FifoQueue": "true"})
    return {URL: sqs.create_queue(QueueName="standard")["QueueUrl"], FIFO: fifo["QueueUrl"]}


@pytest.mark.parametrize("protocol", ["json", "query"])
@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    TABLE,
    ids=[f"{row[0]}-{row[2][0]}-{number}" for number, row in enumerate(TABLE)],
)
def test_errors_are_the_same_in_both_protocols(raw, urls, protocol, operation, params, expected):
    code, message = expected
    if "QueueUrl" in params:
        params = {**params, "QueueUrl": urls.get(params["QueueUrl"], params["QueueUrl"])}
    said = ask(raw, protocol, operation, params)
    assert said.message == message
    codes = OLD_CODES if protocol == "query" else JSON_CODES
    assert said.code == codes.get(code, code)
    assert said.status == STATUS.get(code, 400)


def test_json_errors_tell_the_older_code_too(raw, urls):
    body = json.dumps({"QueueName": "missing"}).encode()
    headers = {
        "X-Amz-Target": "AmazonSQS.GetQueueUrl",
        "Content-Type": "application/x-amz-json-1.0",
    }
    answer = raw("POST", "/", body, headers, sign="sqs")
    assert answer.headers["x-amzn-query-error"] == f"{PREFIX}NonExistentQueue;Sender"


@pytest.mark.parametrize("values", [{"StringListValues": []}, {"BinaryListValues": ["eA=="]}])
def test_lists_as_message_attributes_are_not_supported(raw, urls, values):
    attribute = {"a": {"DataType": "String", "StringValue": "x", **values}}
    message = {"MessageBody": "x", "MessageAttributes": attribute}
    for operation, params in [
        ("SendMessage", message),
        ("SendMessageBatch", {"Entries": [{"Id": "1", **message}]}),
    ]:
        said = ask(raw, "json", operation, {"QueueUrl": urls[URL], **params})
        assert (said.status, said.code) == (400, "UnsupportedOperation")
        assert said.message == (
            f"Message attribute list values in {operation} operation are not supported."
        )


@pytest.mark.parametrize(
    "form",
    [
        "{endpoint}/{account}/standard",
        "{endpoint}/queue/standard",
        "/queue/standard",
        "/{account}/standard",
        "standard",
        "https://queue.amazonaws.com/{account}/standard",
        "https://us-east-1.queue.amazonaws.com/{account}/standard",
        "https://sqs.us-east-1.amazonaws.com/{account}/standard",
        "{endpoint}/{account}/standard/",
    ],
)
@pytest.mark.parametrize("protocol", ["json", "query"])
def test_a_queue_is_found_by_every_form_of_its_url(raw, node, account, urls, protocol, form):
    url = form.format(endpoint=node.endpoint, account=account)
    said = ask(raw, protocol, "GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["All"]})
    assert said.status == 200
    assert f"{account}:standard" in said.text
