"""What stands under `Metadata: Lambent:` of functions and mappings, and what cannot."""

from __future__ import annotations

from typing import Any

import pytest

from lambent.core.errors import AwsError
from lambent.services.lambda_ import own_settings, template_flow

FLOW = {"Rate": {"PerSecond": 1}}
IN_ALL = "Events, Flow, Idempotency, Network and Tier."


def test_a_function_and_its_mapping_find_their_own_in_one_section() -> None:
    metadata = {"Lambent": {"Tier": "warm", "Flow": FLOW}}
    assert own_settings.parse(metadata) == {"Tier": "warm"}
    assert template_flow.document("FnOrder", metadata) == FLOW
    assert own_settings.parse({"aws:asset:path": "x"}) == {}


@pytest.mark.parametrize(
    ("lambent", "message"),
    [
        (
            {"Tiers": "warm"},
            f"Metadata.Lambent has no member Tiers, but {IN_ALL} Did you mean Tier?",
        ),
        (
            {"idempotency": {}},
            f"Metadata.Lambent has no member idempotency, but {IN_ALL} Did you mean Idempotency?",
        ),
        (
            {"Events": {"Order": {"Flows": FLOW}}},
            "Metadata.Lambent.Events.Order has no member Flows, but Flow and Idempotency. "
            "Did you mean Flow?",
        ),
        (
            {"Flow": {"Rate": {"Persecond": 1}}},
            "Metadata.Lambent.Flow.Rate has no member Persecond, but Burst and PerSecond. "
            "Did you mean PerSecond?",
        ),
    ],
)
def test_a_name_that_is_not_known_is_told_with_those_that_are(lambent: Any, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        template_flow.document("FnOrder", {"Lambent": lambent})
    assert caught.value.message == message
