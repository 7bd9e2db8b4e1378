"""Which dead letters are meant: one filter for every action. Pure."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from lambent.core.errors import AwsError
from lambent.events import paths
from lambent.services.sqs.recovery.letters import UNEXPLAINED, Letter, short_function


class Selection(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Letters that meet all that is given.

    `fingerprint` may be a beginning, "-" means letters of which no failure is known.
    `function` is a name (with or without qualifier or version) or ARN. `error` is looked for
    in the last failure's type and message, `contains` in the body. `since` and `until` (in
    seconds since the epoch) are about when a letter came to the dead-letter queue.
    `attributes` are message attributes and their values; `body` what lies at paths of a JSON
    body (`events.paths`). `ids` are message ids.
    """

    fingerprint: str | None = None
    function: str | None = None
    version: str | None = None
    error: str | None = None
    since: float | None = None
    until: float | None = None
    attributes: dict[str, str] = {}
    contains: str | None = None
    body: dict[str, Any] = {}
    ids: list[str] = []


EVERYTHING = Selection()


def check(selection: Selection) -> None:
    """AwsError ValidationException when a path of it is none."""
    for path in selection.body:
        try:
            paths.parse(path)
        except paths.InvalidPath as error:
            raise AwsError("ValidationException", str(error), 400) from None


def matches(selection: Selection, letter: Letter) -> bool:
    """Whether the letter is meant."""
    message = letter.message
    return (
        (not selection.ids or message.id in selection.ids)
        and _fingerprint(selection.fingerprint, letter.fingerprint)
        and _function(selection.function, letter)
        and selection.version in (None, letter.version)
        and _error(selection.error, letter)
        and (selection.since is None or letter.arrived >= selection.since)
        and (selection.until is None or letter.arrived < selection.until)
        and all(_attribute(letter, *wanted) for wanted in selection.attributes.items())
        and (selection.contains is None or selection.contains in message.body)
        and (not selection.body or _body(selection.body, message.body))
    )


def _fingerprint(wanted: str | None, found: str) -> bool:
    if wanted is None:
        return True
    return found == wanted if UNEXPLAINED in (wanted, found) else found.startswith(wanted)


def _function(wanted: str | None, letter: Letter) -> bool:
    if wanted is None or wanted == letter.function:
        return True
    name = short_function(letter.function)
    bare = name.partition(":")[0]
    return wanted in (name, bare, f"{bare}:{letter.version}")


def _error(wanted: str | None, letter: Letter) -> bool:
    if wanted is None:
        return True
    last = letter.last
    return last is not None and wanted.lower() in f"{last.type}: {last.message}".lower()


def _attribute(letter: Letter, name: str, wanted: str) -> bool:
    found = letter.message.attributes.get(name)
    return found is not None and found.text == wanted


def _body(wanted: dict[str, Any], text: str) -> bool:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return all(_same(paths.parse(path)(document), value) for path, value in wanted.items())


def _same(found: Any, wanted: Any) -> bool:
    """Equal; a number or truth value equals its text too, as a command line has only text."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return _text(found) == _text(wanted)
    return bool(found == wanted) or (
        isinstance(found, (int, float, str))
        and isinstance(wanted, (int, float, str))
        and _text(found) == _text(wanted)
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
