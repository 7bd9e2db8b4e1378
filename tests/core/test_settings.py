"""Settings that cannot be are refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from lambent.core.errors import StartupError
from lambent.core.settings import Settings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"port": 65536}, "The port must lie between 0 and 65535, not 65536."),
        ({"account": "12"}, "An account is 12 digits, not 12."),
        ({"account": "12345678901a"}, "An account is 12 digits, not 12345678901a."),
        ({"network": "some"}, "The network is one of host, none, not some."),
        ({"host": "0.0.0.0"}, "Listening on 0.0.0.0 without --auth"),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence(given: dict[str, Any], said: str) -> None:
    with pytest.raises(StartupError) as raised:
        Settings(None, **given)
    assert str(raised.value).startswith(said)
