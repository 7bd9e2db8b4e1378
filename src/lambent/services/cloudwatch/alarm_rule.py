"""Rules of composite alarms: `ALARM("a") AND NOT (OK(b) OR INSUFFICIENT_DATA(c))`. Plain.

Source: CloudWatch API Reference, PutCompositeAlarm, "AlarmRule". Alarms are named by name or
ARN, in quotes where the name has anything but letters, digits and `_-:/.`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from lambent.services.cloudwatch import errors
from lambent.services.cloudwatch.model import STATES

MOST_CHILDREN: Final = 100
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>[^\"]+)\"|"
    r"'(?P<single>[^']+)'|(?P<bare>[\w:/.-]+))\s*\)|(?P<word>AND|OR|NOT|TRUE|FALSE)\b|"
    r"(?P<sign>[()]))"
)
_DEEPEST: Final = 50

Test = Callable[[Callable[[str], str]], bool]
"""Given what tells an alarm's state by its name: whether the rule holds."""


class Rule:
    """A parsed rule: `holds`, and the `children` that it names, in order."""

    def __init__(self, text: str) -> None:
        self.children: list[str] = []
        self._tokens = self._read(text)
        self._at = 0
        self._depth = 0
        self.holds: Test = self._any()
        if self._at < len(self._tokens):
            raise _broken(self._tokens[self._at][1])
        if len(self.children) > MOST_CHILDREN:
            raise errors.validation(f"An alarm rule may name at most {MOST_CHILDREN} alarms.")

    def _read(self, text: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None:
                raise _broken(text[at : at + 20].strip())
            at = token.end()
            if token["state"]:
                name = token["quoted"] or token["single"] or token["bare"]
                found.append((token["state"], name.rpartition(":alarm:")[2]))
            else:
                found.append(("word", token["word"] or token["sign"]))
        return found

    def _word(self, *wanted: str) -> str | None:
        if self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            if kind == "word" and text in wanted:
                self._at += 1
                return text
        return None

    def _any(self) -> Test:
        tests = [self._all()]
        while self._word("OR"):
            tests.append(self._all())
        return lambda states: any(test(states) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._word("AND"):
            tests.append(self._one())
        return lambda states: all(test(states) for test in tests)

    def _one(self) -> Test:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise errors.validation("The alarm rule nests too deep.")
        made = self._term()
        self._depth -= 1
        return made

    def _term(self) -> Test:
        if self._word("NOT"):
            inner = self._one()
            return lambda states: not inner(states)
        if self._word("("):
            inner = self._any()
            if not self._word(")"):
                raise _broken("the end, where ')' is missing")
            return inner
        constant = self._word("TRUE", "FALSE")
        if constant:
            return lambda states: constant == "TRUE"
        if self._at >= len(self._tokens) or self._tokens[self._at][0] not in STATES:
            raise _broken("the end" if self._at >= len(self._tokens) else self._tokens[self._at][1])
        state, name = self._tokens[self._at]
        self._at += 1
        if name not in self.children:
            self.children.append(name)
        return lambda states: states(name) == state


def _broken(where: str) -> Exception:
    return errors.validation(f"AlarmRule must not contain errors: it cannot be read at {where}.")
