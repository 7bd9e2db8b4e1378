"""Filter patterns, by table."""

import pytest

from lambent.core.errors import AwsError
from lambent.services.logs.pattern import compile_pattern

RECORD = (
    '{"level": "ERROR", "ms": 120, "user": {"name": "ann", "ok": true, "x": null}, "a": [1, 5]}'
)
ACCESS = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "[ERROR] it broke", True),
        ("ERROR", "error", False),
        ("ERROR broke", "[ERROR] it broke", True),
        ("ERROR mended", "[ERROR] it broke", False),
        ('"it broke"', "[ERROR] it broke", True),
        ('"broke it"', "[ERROR] it broke", False),
        ("ERROR -it", "[ERROR] it broke", False),
        ("?WARN ?ERROR", "[ERROR] it broke", True),
        ("?WARN ?INFO", "[ERROR] it broke", False),
        ("%4[0-9]{2}%", "status 404", True),
        ("%4[0-9]{2}%", "status 504", False),
        ('{ $.level = "ERROR" }', RECORD, True),
        ('{ $.level != "ERROR" }', RECORD, False),
        ('{ $.level = "ERR*" }', RECORD, True),
        ("{ $.level = ERROR }", RECORD, True),
        ("{ $.ms > 100 && $.ms <= 120 }", RECORD, True),
        ("{ $.ms > 200 || $.user.name = ann }", RECORD, True),
        ("{ ($.ms > 200 || $.ms < 10) && $.user.name = ann }", RECORD, False),
        ("{ $.user.ok IS TRUE }", RECORD, True),
        ("{ $.user.x IS NULL }", RECORD, True),
        ("{ $.user.y NOT EXISTS }", RECORD, True),
        ("{ $.user.x EXISTS }", RECORD, True),
        ("{ $.a[1] = 5 }", RECORD, True),
        ("{ $.a[*] = 1 }", RECORD, True),
        ("{ $.level = %^ERR% }", RECORD, True),
        ("{ $.level = ERROR }", "no json", False),
        ("[ip, id, user, time, request, status, size]", ACCESS, True),
        ("[ip, id, user, time, request, status = 4*, size > 1000]", ACCESS, True),
        ("[ip, id, user, time, request, status = 5*, size]", ACCESS, False),
        ("[..., status = 404, size]", ACCESS, True),
        ("[ip, user]", ACCESS, False),
        ("[..., status = 404 || status = 410, size]", ACCESS, True),
    ],
)
def test_a_pattern_matches_what_the_user_guide_says(pattern, message, expected):
    assert compile_pattern(pattern)(message) is expected


@pytest.mark.parametrize(
    "pattern",
    ["{ $.a = }", "{ a = 1 }", "{ $.a = 1 && }", "%[%", "[.., ...]", "{ $.a = 1", "[ip, user"],
)
def test_a_malformed_pattern_is_an_invalid_parameter(pattern):
    with pytest.raises(AwsError) as caught:
        compile_pattern(pattern)
    assert caught.value.code == "InvalidParameterException"
