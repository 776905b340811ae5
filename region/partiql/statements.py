"""The statements of PartiQL that DynamoDB has, compiled to the expression language.

Invariants: a statement depends on its text alone and is never changed, so that it can be shared by every request that
says the same. Values that requests give stand in it as placeholders ``:0``, ``:1``, … in the order of their ``?``.

Source: AWS developer guide, "PartiQL statements for DynamoDB".
"""

from __future__ import annotations

from dataclasses import dataclass

from region.expression.syntax import Action, ConditionTree, Literal, Parameter, Path


@dataclass(frozen=True, slots=True)
class Select:
    """``SELECT paths FROM table.index WHERE condition ORDER BY order``; no paths: ``*``."""

    table: str
    index: str | None
    paths: tuple[Path, ...]
    where: ConditionTree | None
    order: tuple[tuple[str, bool], ...]
    """The attributes to order by, and whether descending."""


@dataclass(frozen=True, slots=True)
class Insert:
    """``INSERT INTO table VALUE item``."""

    table: str
    item: tuple[tuple[str, Literal | Parameter], ...]


@dataclass(frozen=True, slots=True)
class Update:
    """``UPDATE table SET … REMOVE … WHERE condition RETURNING returning``."""

    table: str
    actions: tuple[Action, ...]
    where: ConditionTree | None
    returning: str | None
    """What to return, in the words of UpdateItem's ``ReturnValues``."""


@dataclass(frozen=True, slots=True)
class Delete:
    """``DELETE FROM table WHERE condition RETURNING ALL OLD *``."""

    table: str
    where: ConditionTree | None
    returning: str | None


@dataclass(frozen=True, slots=True)
class Exists:
    """``EXISTS(SELECT …)``, the condition check of transactions."""

    select: Select


Statement = Select | Insert | Update | Delete | Exists
Write = Insert | Update | Delete


@dataclass(frozen=True, slots=True)
class Parsed:
    """A statement, and how many parameters it takes."""

    statement: Statement
    holes: int
