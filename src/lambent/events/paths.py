"""Where in a document something lies: JSONPath for one place, or JMESPath. Pure.

A path that begins with `$` is a JSONPath that names one place (`$.order.id`, `$['a b'][0]`;
no wildcards, filters or slices); any other is JMESPath.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

_STEP = re.compile(r"""\.([^.\[\]'"\s*]+)|\['([^']*)'\]|\["([^"]*)"\]|\[(-?\d+)\]""")


class InvalidPath(ValueError):
    """The text is no path; the message says why."""


Path = Callable[[Any], Any]
"""What lies there in a document; None when nothing does."""


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Path:
    """The path that a text names; InvalidPath when it is none."""
    if not text.startswith("$"):
        try:
            expression = jmespath.compile(text)
        except (JMESPathError, ValueError) as error:
            raise InvalidPath(f"{text!r} is not a JMESPath expression.") from error
        return functools.partial(_search, expression)
    steps: list[str | int] = []
    position = 1
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise InvalidPath(f"{text!r} is not a JSONPath to one place.")
        name = next((group for group in step.groups()[:3] if group is not None), None)
        steps.append(int(step[4]) if name is None else name)
        position = step.end()
    return functools.partial(_walk, tuple(steps))


def _search(expression: Any, document: Any) -> Any:
    try:
        return expression.search(document)
    except JMESPathError:
        # A function of the expression met a value of another type.
        return None


def _walk(steps: tuple[str | int, ...], document: Any) -> Any:
    for step in steps:
        if isinstance(step, str):
            if not isinstance(document, Mapping):
                return None
            document = document.get(step)
        else:
            if isinstance(document, str) or not isinstance(document, Sequence):
                return None
            document = document[step] if -len(document) <= step < len(document) else None
    return document
