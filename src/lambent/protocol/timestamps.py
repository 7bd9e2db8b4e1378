"""Timestamps: seconds since the epoch to and from the three forms that AWS uses.

Smithy calls them date-time (`iso8601`), http-date (`rfc822`) and epoch-seconds
(`unixTimestamp`). Parsing accepts any of them, as AWS's services do; ValueError otherwise.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LIMIT = 253_402_300_800.0  # the year 10000, where calendars end


def parse_timestamp(text: str) -> float:
    """Seconds since the epoch from any of the three forms."""
    if _NUMBER.fullmatch(text):
        return checked(float(text))
    try:
        if text[:1].isdigit():
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
        else:
            moment = parsedate_to_datetime(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) / timedelta(seconds=1)
    except (TypeError, IndexError, OverflowError) as error:
        raise ValueError(f"not a timestamp: {text!r}") from error


def checked(seconds: float) -> float:
    """The same number; ValueError when no calendar holds it."""
    if not math.isfinite(seconds) or abs(seconds) >= _LIMIT:
        raise ValueError(f"not a timestamp: {seconds!r}")
    return float(seconds)


def _moment(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def iso8601(seconds: float) -> str:
    """`2024-05-06T07:08:09Z`, with milliseconds when there are any."""
    moment = _moment(seconds)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S").zfill(19)
    milliseconds = moment.microsecond // 1000
    return f"{text}.{milliseconds:03d}Z" if milliseconds else text + "Z"


def iso8601_millis(seconds: float) -> str:
    """`2024-05-06T07:08:09.000Z`: always with milliseconds, as S3 writes them."""
    moment = _moment(seconds)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S").zfill(19)
    return f"{text}.{moment.microsecond // 1000:03d}Z"


def rfc822(seconds: float) -> str:
    """`Mon, 06 May 2024 07:08:09 GMT`; fractions of a second are cut off."""
    moment = _moment(math.floor(seconds))
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day:02d} {_MONTHS[moment.month - 1]} "
        f"{moment.year:04d} {moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} GMT"
    )


def unix(seconds: float) -> int | float:
    """Seconds as AWS writes them into JSON: whole ones without a fraction, else millis."""
    whole = int(seconds)
    return whole if whole == seconds else round(seconds, 3)


def formatted(form: str, seconds: float) -> str:
    """The text of a timestamp in one of the forms `iso8601`, `rfc822`, `unixTimestamp`."""
    if form == "rfc822":
        return rfc822(seconds)
    if form == "unixTimestamp":
        return str(unix(seconds))
    return iso8601(seconds)
