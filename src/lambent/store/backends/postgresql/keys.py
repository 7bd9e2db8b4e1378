"""Long keys: how keys that PostgreSQL cannot index are kept.

An index entry has room for about 2,700 bytes, and a key may have more. A part of a key beyond
`LONGEST` bytes is indexed by its beginning and a digest of the whole, and kept whole in a
column of its own. So keys are told apart exactly; only the order among keys that share their
first `LONGEST - 32` bytes is that of their digests.
"""

from __future__ import annotations

import hashlib
from typing import Final

LONGEST: Final = 1280
_DIGEST: Final = 32


def short(part: bytes) -> bytes:
    """What stands in the index for a part of a key."""
    if len(part) <= LONGEST:
        return part
    return part[: LONGEST - _DIGEST] + hashlib.sha256(part).digest()


def whole(part: bytes) -> bytes | None:
    """What is kept beside it, if anything must."""
    return part if len(part) > LONGEST else None
