"""Finds what the model says of an error: its shape, status, and codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lambent.core.errors import AwsError
from lambent.protocol.conventions import Conventions
from lambent.protocol.model import Ref, ServiceModel
from lambent.protocol.shapes import Shape


@dataclass(frozen=True, slots=True)
class ErrorForm:
    """An error shape as it goes over the wire.

    `shape` is None for errors that the service's model does not define. `query_code` is the
    code of the query protocol (and of `x-amzn-query-error`).
    """

    shape: Shape | None
    name: str
    query_code: str
    status: int


class ErrorShapes:
    """A service's error shapes by code: the shape's name, or the query protocol's code."""

    def __init__(self, model: ServiceModel, habits: Conventions) -> None:
        self._habits = habits
        self._forms: dict[str, ErrorForm] = {}
        for name, shape in model.shapes.items():
            if not shape.exception and shape.error is None:
                continue
            trait = shape.error
            code = habits.query_codes.get(name) or (trait.code if trait else None) or name
            status = (trait.http_status_code if trait else None) or (500 if shape.fault else 400)
            form = ErrorForm(Shape(model.shapes, Ref(shape=name)), name, code, status)
            self._forms[name] = form
            self._forms.setdefault(code, form)

    def form(self, error: AwsError) -> ErrorForm:
        """How an error goes over the wire."""
        found = self._forms.get(error.code)
        if found is None:
            code = self._habits.query_codes.get(error.code, error.code)
            return ErrorForm(None, error.code, code, error.status or 400)
        if error.status is None or error.status == found.status:
            return found
        return ErrorForm(found.shape, found.name, found.query_code, error.status)

    def members(self, error: AwsError, form: ErrorForm) -> dict[str, Any]:
        """The error's members besides its message, with those that the service always adds."""
        fault = form.status >= 500
        always = {name: both[fault] for name, both in self._habits.error_members.items()}
        return always | dict(error.members)


def message_member(form: ErrorForm) -> str | None:
    """The name of the shape's message member; None when it has none."""
    if form.shape is None:
        return None
    return next((name for name in form.shape.members if name.lower() == "message"), None)
