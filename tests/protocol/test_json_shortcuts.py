"""The short ways to read and write JSON documents do what the reader and the writer do."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.protocol.real_models import CATALOG, compiled

from lambent.protocol.contract import WireRequest
from lambent.protocol.json_fit import fit
from lambent.protocol.json_types import UNFIT, JsonTypes
from lambent.protocol.json_values import SCALARS, decode_object, encode, reader, writer
from lambent.protocol.shapes import Shape

OPERATIONS = [
    ("sqs", "SendMessageBatch"),
    ("sqs", "ReceiveMessage"),
    ("dynamodb", "PutItem"),
    ("dynamodb", "Query"),
    ("logs", "PutLogEvents"),
    ("kinesis", "PutRecords"),
    ("cognito-idp", "AdminInitiateAuth"),
]

_ANY = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1 << 31,
        1 << 63,
        1 << 70,
        1.0,
        1.5,
        -0.0,
        "",
        "x",
        "YQ==",
        "YQ",
        "NaN",
        [],
        {},
    ]
)
_NUMBERS = frozenset({"integer", "long", "float", "double", "timestamp"})


def _documents(shape: Shape, depth: int = 4) -> st.SearchStrategy[object]:
    """Documents of a shape, in which not everything is right."""
    if depth == 0:
        return _ANY
    if shape.type == "structure":
        members = {name: _documents(member, depth - 1) for name, member in shape.members.items()}
        right = st.fixed_dictionaries({}, optional={**members, "Unknown": _ANY})
    elif shape.type == "list":
        right = st.lists(_documents(shape.member, depth - 1), max_size=2)
    elif shape.type == "map":
        right = st.dictionaries(st.text(max_size=2), _documents(shape.value, depth - 1), max_size=2)
    elif shape.type in _NUMBERS:
        right = st.integers(-3, 3) | st.sampled_from([2.0, 2.5, 1e300])
    elif shape.type == "boolean":
        right = st.booleans()
    elif shape.type == "blob":
        right = st.sampled_from(["", "YQ==", "YWI=", "YWJj"])
    else:
        right = st.text(max_size=3)
    return st.integers(0, 24).flatmap(lambda chance: right if chance else _ANY)


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_typed_decoder_reads_what_the_reader_reads_or_refuses(service, name, data):
    model = CATALOG.service(service)._model
    shape = Shape(model.shapes, model.operations[name].input)
    body = json.dumps(data.draw(_documents(shape))).encode()

    try:
        params = JsonTypes(SCALARS).decoder(shape)(body)
    except UNFIT:
        return

    assert repr(params) == repr(reader()(shape)(decode_object(body)))


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
def test_a_typed_decoder_takes_what_clients_send(service, name):
    """Otherwise nothing would be gained."""
    model = CATALOG.service(service)._model
    shape = Shape(model.shapes, model.operations[name].input)
    samples = {
        "SendMessageBatch": {"QueueUrl": "u", "Entries": [{"Id": "a", "MessageBody": "b"}]},
        "PutItem": {"Item": {"a": {"L": [{"M": {"b": {"B": "YQ=="}}}, {"NULL": True}]}}},
        "PutRecords": {"Records": [{"Data": "YQ==", "PartitionKey": "p"}]},
    }

    assert JsonTypes(SCALARS).decoder(shape)(json.dumps(samples.get(name, {})).encode()) is not None


@pytest.mark.parametrize(("service", "name"), [*OPERATIONS, ("dynamodb", "DescribeTable")])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_result_that_fits_is_its_own_document(service, name, data):
    model = CATALOG.service(service)._model
    shape = Shape(model.shapes, model.operations[name].output)
    result = data.draw(_results(shape))
    fits, write = fit()(shape), writer()(shape)
    assert write is not None

    if fits is None or (fits(result) and b":null" not in encode(result)):
        assert encode(result) == encode(write(result))


def _results(shape: Shape, depth: int = 4) -> st.SearchStrategy[object]:
    """Results as services give them."""
    if shape.type == "structure":
        members = {n: _results(m, depth - 1) for n, m in shape.members.items() if depth}
        return st.fixed_dictionaries({}, optional=members)
    if shape.type == "list":
        return st.lists(_results(shape.member, depth - 1), max_size=2) if depth else st.just([])
    if shape.type == "map":
        texts = st.text(max_size=2)
        if not depth:
            return st.just({})
        return st.dictionaries(texts, _results(shape.value, depth - 1), max_size=2)
    if shape.type in _NUMBERS:
        return st.integers(0, 9)
    if shape.type == "boolean":
        return st.booleans()
    if shape.type == "blob":
        return st.binary(max_size=3)
    return st.sampled_from(["", "null", ":null"])


@pytest.mark.parametrize(
    ("result", "body"),
    [
        ({"Successful": [{"Id": "a", "MessageId": None}]}, {"Successful": [{"Id": "a"}]}),
        ({"Successful": None, "Failed": [{"Id": "a"}]}, {"Failed": [{"Id": "a"}]}),
        ({"Successful": [{"Id": "a", "Unknown": 1}]}, {"Successful": [{"Id": "a"}]}),
        ({"Unknown": 1}, {}),
        ({"Successful": ({"Id": "a:null"},)}, {"Successful": [{"Id": "a:null"}]}),
    ],
)
def test_what_is_not_there_and_what_nobody_knows_is_left_out(result, body):
    response = compiled("sqs", "json", "SendMessageBatch").serialize(result, "id")

    assert json.loads(response.body) == body


def test_a_number_that_json_has_no_word_for_is_written_as_text():
    operation = compiled("cloudwatch", "json", "GetMetricStatistics")

    response = operation.serialize({"Datapoints": [{"Average": math.nan}]}, "id")

    assert json.loads(response.body) == {"Datapoints": [{"Average": "NaN"}]}


def test_a_body_that_does_not_fit_is_explained_by_the_reader():
    operation = compiled("sqs", "json", "SendMessageBatch")
    request = WireRequest("POST", "/", "", {}, b'{"QueueUrl":null,"Entries":[{"Id":"a"},null]}')

    assert operation.parse(request) == {"Entries": [{"Id": "a"}]}
