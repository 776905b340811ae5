"""Condition and filter expressions.

What: :func:`condition` compiles text, :func:`condition_of` a tree that another language made, to a
:class:`Condition` that tells whether an item matches.

Invariants: a condition belongs to one request; its plan is shared and holds nothing of the request.

Source: AWS developer guide, "Condition and filter expressions, operators, and functions".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final

from region.errors import ValidationError
from region.expression.binding import Binder, Check
from region.expression.evaluators import Test, compile_condition
from region.expression.grammar import parse_condition
from region.expression.paths import nested_names, refuse_nested_keys, top_level_names
from region.expression.placeholders import Placeholders
from region.expression.plans import Compiler
from region.expression.rendering import Template, fill, maps, template, whole
from region.expression.syntax import ConditionTree
from region.model.values import AttributeValue, Item

_NO_ITEM: Final[Item] = {}
_NO_VALUES: Final[Mapping[str, AttributeValue]] = {}


class _Plan:
    def __init__(self, tree: ConditionTree, binder: Binder) -> None:
        self.tree = binder.condition(tree)
        self.test: Test = compile_condition(self.tree)
        self.checks: tuple[Check, ...] = tuple(binder.checks)
        self.top_level_names = top_level_names(binder.paths)
        self.nested_names = nested_names(binder.paths)

    @cached_property
    def template(self) -> Template:
        """The condition written out, which only conditional writes to replicated tables need."""
        return template(self.tree)


_COMPILER: Final = Compiler(parse_condition, _Plan)


class Condition:
    """A condition of one request."""

    __slots__ = ("_plan", "_test", "_values")

    def __init__(self, plan: _Plan, values: Mapping[str, AttributeValue]) -> None:
        self._plan = plan
        self._test = plan.test
        self._values = values
        for check in plan.checks:
            check(values)

    def matches(self, item: Item | None) -> bool:
        """Whether the condition holds for ``item``; ``None`` is an item that does not exist."""
        return self._test(_NO_ITEM if item is None else item, self._values)

    @property
    def text(self) -> str:
        """The condition as a text that is the same for every request that means the same; see ``rendering``."""
        return fill(self._plan.template, self._values)

    @property
    def top_level_names(self) -> frozenset[str]:
        """The names of the top-level attributes that the condition reads, nested ones included."""
        return self._plan.top_level_names

    def refuse_nested_keys(self, key_names: Iterable[str]) -> None:
        """Raise AWS's error if the condition reaches into one of these key attributes."""
        refuse_nested_keys(self._plan.nested_names, key_names)

    def refuse_keys(self, key_names: Iterable[str], *, called: str = "Filter Expression") -> None:
        """Raise AWS's error if the condition, a Query's filter ``called`` so, reads one of these key attributes."""
        names = tuple(key_names)
        self.refuse_nested_keys(names)
        for name in names:
            if name in self._plan.top_level_names:
                raise ValidationError(
                    f"{called} can only contain non-primary key attributes: Primary key attribute: {name}"
                )


def condition(text: str, placeholders: Placeholders, *, parameter: str = "ConditionExpression") -> Condition:
    """Compile a condition or filter expression; ``parameter`` is its name in the request and in errors.

    Raises:
        ValidationError: in AWS's words.
    """
    return Condition(_COMPILER.compile(text, parameter, placeholders), placeholders.values)


def condition_written(text: str) -> Condition:
    """Return the condition of a text that :attr:`Condition.text` made.

    Raises:
        ValidationError: the text was cut, or says more than an expression may.
    """
    if not whole(text):
        raise ValidationError("the text of a condition is not whole")
    expression, names, values = maps(text)
    return condition(expression, Placeholders(names or None, values or None))


def condition_of(
    term: ConditionTree, *, placeholders: Placeholders | None = None, parameter: str = "ConditionExpression"
) -> Condition:
    """Compile a condition from its tree, whose placeholders, if it has any, are looked up in ``placeholders``.

    Raises:
        ValidationError: in AWS's words.
    """
    plan = _COMPILER.compile_tree(term, parameter, placeholders)
    return Condition(plan, _NO_VALUES if placeholders is None else placeholders.values)
