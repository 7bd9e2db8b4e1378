"""GetRandomPassword's rules.

Source: Secrets Manager API reference, GetRandomPassword.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

from lambent.core.errors import AwsError
from lambent.core.ids import Ids

MAX_LENGTH = 4096


def generate(ids: Ids, params: Mapping[str, Any]) -> str:
    """A random password with at least one character of each kind that is asked for."""
    length = params.get("PasswordLength") or 32
    excluded = set(params.get("ExcludeCharacters") or "")
    kinds = [
        "".join(character for character in kind if character not in excluded)
        for flag, kind in (
            ("ExcludeLowercase", string.ascii_lowercase),
            ("ExcludeUppercase", string.ascii_uppercase),
            ("ExcludeNumbers", string.digits),
            ("ExcludePunctuation", string.punctuation),
            ("", " " if params.get("IncludeSpace") else ""),
        )
        if not params.get(flag)
    ]
    kinds = [kind for kind in kinds if kind]
    require_each = params.get("RequireEachIncludedType", True)
    if not kinds or not 1 <= length <= MAX_LENGTH or (require_each and length < len(kinds)):
        raise AwsError(
            "InvalidParameterException",
            f"A password of {length} characters cannot hold every kind that is asked for.",
        )
    alphabet = "".join(kinds)
    while True:
        password = ids.token(length, alphabet)
        if not require_each or all(set(kind) & set(password) for kind in kinds):
            return password
