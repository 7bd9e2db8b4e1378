"""What a function's response says about the items of its batch (ReportBatchItemFailures).

Source: Lambda Developer Guide, "Implementing partial batch responses": which responses are
a complete success and which a complete failure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence


def failed_items(payload: bytes, identifiers: Sequence[str]) -> frozenset[str]:
    """The identifiers that failed, out of those of the batch.

    No response, null, or no failures listed is complete success. What cannot be
    understood (not JSON, a bad key, an empty, null or unknown identifier) is complete
    failure.
    """
    everything = frozenset(identifiers)
    if not payload.strip():
        return frozenset()
    try:
        response = json.loads(payload)
    except (ValueError, RecursionError):
        return everything
    if response is None:
        return frozenset()
    if not isinstance(response, Mapping):
        return everything
    failures = response.get("batchItemFailures")
    if failures is None:
        return frozenset()
    if not isinstance(failures, list):
        return everything
    failed: set[str] = set()
    for failure in failures:
        identifier = failure.get("itemIdentifier") if isinstance(failure, Mapping) else None
        if not isinstance(identifier, str) or identifier not in everything:
            return everything
        failed.add(identifier)
    return frozenset(failed)
