"""The options that say which dead letters are meant; the same for every action."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from lambent.core.clock import SystemClock

F = TypeVar("F", bound=Callable[..., Any])

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def selects(function: F) -> F:
    """Adds the options; the command gets them as one mapping, `selection`."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        given = {name: kwargs.pop(f"select_{name}") for name in _NAMES}
        selection = {name: value for name, value in given.items() if value not in (None, (), {})}
        return function(*args, selection=selection, **kwargs)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]


def _moment(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    ago = re.fullmatch(r"(\d+)([smhd])", value)
    if ago:
        return SystemClock().now() - int(ago[1]) * _UNITS[ago[2]]
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value} is neither a time nor an age such as 2h.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _pairs(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        name, separator, wanted = value.partition("=")
        if not separator or not name:
            raise click.BadParameter(f"{value} has no form NAME=VALUE.")
        pairs[name] = wanted
    return pairs


def _values(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    """As pairs; values are JSON where they can be."""
    found: dict[str, Any] = {}
    for path, text in _pairs(context, parameter, values).items():
        try:
            found[path] = json.loads(text)
        except ValueError:
            found[path] = text
    return found


_OPTIONS = (
    click.option("--fingerprint", "select_fingerprint", metavar="HEX", help="Or its beginning."),
    click.option("--function", "select_function", metavar="NAME", help="What failed."),
    click.option("--version", "select_version", metavar="N", help="Its version."),
    click.option("--error", "select_error", metavar="TEXT", help="In the last error."),
    click.option(
        "--since",
        "select_since",
        metavar="TIME",
        callback=_moment,
        help="Came to the queue then or later: 2h (ago), 2026-11-21T04:00.",
    ),
    click.option("--until", "select_until", metavar="TIME", callback=_moment, help="Came before."),
    click.option(
        "--attribute",
        "select_attributes",
        metavar="NAME=VALUE",
        multiple=True,
        callback=_pairs,
        help="A message attribute; repeatable.",
    ),
    click.option("--contains", "select_contains", metavar="TEXT", help="In the body."),
    click.option(
        "--body",
        "select_body",
        metavar="PATH=VALUE",
        multiple=True,
        callback=_values,
        help="What lies in the JSON body, by JSONPath ($.a.b) or JMESPath; repeatable.",
    ),
    click.option(
        "--id", "select_ids", metavar="ID", multiple=True, help="A message's; repeatable."
    ),
)
_NAMES = (
    "fingerprint",
    "function",
    "version",
    "error",
    "since",
    "until",
    "attributes",
    "contains",
    "body",
    "ids",
)
