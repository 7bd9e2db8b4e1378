"""Physical names in CloudFormation's manner. Pure."""

from __future__ import annotations

import hashlib

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_LIMIT = 63
_SUFFIX = 12


def physical_name(stack_id: str, stack_name: str, logical_id: str, generation: int) -> str:
    """`stack-LogicalId-SUFFIX`, at most 63 characters.

    The suffix is a digest, so a creation that is tried again after a crash asks for the
    same name, and a replacement (the next generation) for another one.
    """
    digest = hashlib.sha256(f"{stack_id}\0{logical_id}\0{generation}".encode()).digest()
    suffix = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:_SUFFIX])
    room = _LIMIT - _SUFFIX - 2
    logical = logical_id[: max(24, room - len(stack_name))]
    return f"{stack_name[: room - len(logical)]}-{logical}-{suffix}"
