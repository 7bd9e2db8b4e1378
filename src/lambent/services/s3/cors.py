"""Which cross-origin requests a bucket's CORS rules allow, and the headers that say so. Pure.

Source: "Using cross-origin resource sharing (CORS)" of the S3 User Guide: the first rule
that fits decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

VARY: Final = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


def _fits(pattern: str, value: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value) is not None


def asked_headers(header: str | None) -> list[str]:
    """The names in Access-Control-Request-Headers, in lower case."""
    return [name.strip().lower() for name in (header or "").split(",") if name.strip()]


def find_rule(
    rules: Sequence[Mapping[str, Any]], origin: str, method: str, headers: Sequence[str]
) -> tuple[Mapping[str, Any], str] | None:
    """The rule that allows the request, and its origin pattern that fits."""
    for rule in rules:
        pattern = next((p for p in rule["AllowedOrigins"] if _fits(p, origin)), None)
        if pattern is None or method not in rule["AllowedMethods"]:
            continue
        allowed = [name.lower() for name in rule.get("AllowedHeaders", ())]
        if all(any(_fits(known, name) for known in allowed) for name in headers):
            return rule, pattern
    return None


def allowing(
    rule: Mapping[str, Any], pattern: str, origin: str, headers: Sequence[str]
) -> dict[str, str]:
    """The members of the answer by which a browser knows that it may go on."""
    shown = {
        "AllowOrigin": "*" if pattern == "*" else origin,
        "AllowMethods": ", ".join(rule["AllowedMethods"]),
        "Vary": VARY,
    }
    if pattern != "*":
        shown["AllowCredentials"] = "true"
    if headers:
        shown["AllowHeaders"] = ", ".join(headers)
    if rule.get("ExposeHeaders"):
        shown["ExposeHeaders"] = ", ".join(rule["ExposeHeaders"])
    if "MaxAgeSeconds" in rule:
        shown["MaxAge"] = str(rule["MaxAgeSeconds"])
    return shown
