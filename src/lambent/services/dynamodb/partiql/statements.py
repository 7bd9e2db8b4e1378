"""PartiQL statements as parsed. Conditions and operands are those of expressions."""

from __future__ import annotations

from dataclasses import dataclass

from lambent.services.dynamodb.expressions.tree import Action, Condition, Path
from lambent.services.dynamodb.values import Item


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT. `paths` None means `*`; `order` is the attribute and whether it descends."""

    table: str
    index: str | None
    paths: tuple[Path, ...] | None
    where: Condition | None
    order: tuple[str, bool] | None


@dataclass(frozen=True, slots=True)
class Insert:
    """INSERT INTO table VALUE item."""

    table: str
    item: Item


@dataclass(frozen=True, slots=True)
class Update:
    """UPDATE. `returning` is a ReturnValues value, "" for none."""

    table: str
    actions: tuple[Action, ...]
    where: Condition
    returning: str


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE FROM."""

    table: str
    where: Condition
    returning: str


@dataclass(frozen=True, slots=True)
class Exists:
    """EXISTS(SELECT ...), a condition check in a transaction."""

    select: Select

    @property
    def table(self) -> str:
        """The table that is asked."""
        return self.select.table


Statement = Select | Insert | Update | Delete | Exists
