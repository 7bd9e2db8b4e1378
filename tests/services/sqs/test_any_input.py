"""Whatever is sent, in either protocol, SQS answers as a service does: never a 5xx."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.services.sqs.wire import MODEL, ask

NAMES = ["any", "any.fifo"]
WILD_TEXT = st.text(max_size=12) | st.sampled_from(
    [
        "",
        " ",
        "\x00",
        "%",
        "a" * 300,
        "ü",
        "\U0001f600",
        "-1",
        "1e9",
        "9" * 30,
        "{",
        "[]",
        '{"a":1}',
    ]
)
NUMBERS = st.sampled_from([-(2**63), -1, 0, 1, 2, 10, 11, 43_200, 43_201, 2**31, 2**63, 10**30])
ATTRIBUTE_NAMES = [
    *MODEL.shape_for("QueueAttributeName").enum,
    *MODEL.shape_for("MessageSystemAttributeName").enum,
    "Nonsense",
]
DOCUMENTS = [
    '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:1:x","maxReceiveCount":1}',
    '{"deadLetterTargetArn":[],"maxReceiveCount":{}}',
    '{"deadLetterTargetArn":null,"maxReceiveCount":1e400}',
    '{"redrivePermission":[],"sourceQueueArns":{}}',
    '{"redrivePermission":"byQueue","sourceQueueArns":[1]}',
    '{"Statement":1}',
    '{"Statement":[1]}',
    '{"Statement":{"Sid":"x"}}',
    "[" * 2000,
    "NaN",
    "1" * 5000,
]
KNOWN = {
    "QueueName": st.sampled_from([*NAMES, "new"]),
    "AttributeName": st.sampled_from(ATTRIBUTE_NAMES),
    "QueueOwnerAWSAccountId": st.sampled_from(["000000000000", "x"]),
    "Label": st.sampled_from(["label", "other"]),
    "DataType": st.sampled_from(["String", "Number", "Binary", "Number.int", "Other"]),
    "MessageGroupId": st.just("g"),
}
# What would make a call wait is not asked for.
NEVER_LONG = {"WaitTimeSeconds": st.sampled_from([-1, 0, 21, 2**40])}


def urls(account):
    return st.sampled_from(
        [
            *(f"http://localhost/{account}/{name}" for name in [*NAMES, "missing"]),
            "any",
            "/queue/any",
            "http://[",
            "//",
            "http://x/a/b/c/d",
        ]
    )


def value(shape, account, name=""):
    """A strategy for values of a shape: of the right type, sensible or not."""
    if name == "QueueUrl":
        return urls(account) | WILD_TEXT
    if name in NEVER_LONG:
        return NEVER_LONG[name]
    if shape.type_name == "structure":
        members = {
            key: value(member, account, key)
            for key, member in shape.members.items()
            if key not in ("StringListValues", "BinaryListValues")
        }
        return st.fixed_dictionaries({}, optional=members)
    if shape.type_name == "list":
        return st.lists(value(shape.member, account, name), max_size=11)
    if shape.type_name == "map":
        if shape.key.name == "QueueAttributeName":
            keys = KNOWN["AttributeName"].filter(lambda n: n != "ReceiveMessageWaitTimeSeconds")
        else:
            keys = WILD_TEXT
        return st.dictionaries(keys, value(shape.value, account, "Value"), max_size=4)
    if shape.type_name in ("integer", "long"):
        return NUMBERS | st.integers(0, 20)
    if shape.type_name == "boolean":
        return st.booleans()
    if shape.type_name == "blob":
        return st.binary(max_size=8)
    texts = WILD_TEXT | st.sampled_from(DOCUMENTS)
    if name.endswith("Arn"):
        texts |= st.sampled_from([f"arn:aws:sqs:us-east-1:{account}:{n}" for n in NAMES])
    known = KNOWN.get(name, KNOWN.get(shape.name))
    return texts if known is None else known | texts


ANY_JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False) | WILD_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WILD_TEXT, inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def answered(raw, client):
    for name in NAMES:
        attributes = {"FifoQueue": "true"} if name.endswith("fifo") else {}
        client("sqs").create_queue(QueueName=name, Attributes=attributes)

    def check(protocol, operation, params):
        said = ask(raw, protocol, operation, params)
        assert said.status < 500, said.text
        assert said.status == 200 or said.code

    return check


EXAMPLES = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
OPERATIONS = pytest.mark.parametrize("operation", MODEL.operation_names)


@OPERATIONS
@pytest.mark.parametrize("protocol", ["json", "query"])
@EXAMPLES
@given(data=st.data())
def test_any_parameters_are_answered(answered, account, protocol, operation, data):
    shape = MODEL.operation_model(operation).input_shape
    answered(protocol, operation, data.draw(value(shape, account)))


@OPERATIONS
@EXAMPLES
@given(data=st.data())
def test_json_of_any_shape_is_answered(answered, account, operation, data):
    members = MODEL.operation_model(operation).input_shape.members
    fields = {name: ANY_JSON for name in members if name != "WaitTimeSeconds"}
    params = data.draw(st.fixed_dictionaries({}, optional=fields) | ANY_JSON)
    if isinstance(params, dict) and "QueueUrl" in members and data.draw(st.booleans()):
        params["QueueUrl"] = f"http://localhost/{account}/any"
    answered("json", operation, params)


@pytest.mark.parametrize(
    "body", [b"\xff", b'"\\ud800"', b'{"QueueName":"\\ud800"}', b"", b"{", b"[[]]"]
)
def test_json_that_is_none_is_answered(raw, body):
    headers = {
        "X-Amz-Target": "AmazonSQS.CreateQueue",
        "Content-Type": "application/x-amz-json-1.0",
    }
    answer = raw("POST", "/", body, headers, sign="sqs")
    assert 400 <= answer.status < 500
    assert b"__type" in answer.body


@pytest.mark.parametrize(
    "body",
    [
        b"Action=SendMessage&QueueUrl=%ff",
        b"Action=SendMessage&MessageAttribute.1.Value.DataType=String",
        b"Action=SendMessage&MessageAttribute.1=x&MessageAttribute.1.Name=y",
        b"Action=SendMessageBatch&SendMessageBatchRequestEntry.99999999999.Id=1",
        b"Action=CreateQueue&Attribute.1.Name=x",
        b"Action=ReceiveMessage&MaxNumberOfMessages=x",
        b"Action=Nothing",
        b"Action",
        b"",
    ],
)
def test_a_form_that_is_none_is_answered(raw, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = raw("POST", "/", body, headers, sign="sqs")
    assert 400 <= answer.status < 500
