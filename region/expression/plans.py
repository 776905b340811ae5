"""Plans: what an expression compiles to, cached by its text, its names and the types of its values.

What: a :class:`Compiler` is one expression language: a grammar and a way to build a plan from a bound tree. A plan
holds closures and nothing of a request, so the second request with the same text pays for two lookups in dictionaries.

Invariants: a plan is cached only when it was built without error, and only under everything that it depends on.

Hazard: texts above :data:`CACHED_TEXT_MAX` characters are compiled each time, so that callers who never repeat
themselves cannot fill the memory with large trees.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, Generic, TypeVar

from region.expression.binding import Binder
from region.expression.parser import Parsed
from region.expression.placeholders import Placeholders

CACHED_TEXTS: Final = 1024
CACHED_TEXT_MAX: Final = 1024
CACHED_PLANS_PER_TEXT: Final = 32

Tree = TypeVar("Tree")
Plan = TypeVar("Plan")


class _Entry(Generic[Tree, Plan]):
    """One text: its tree, and its plans by the names and types they were built for."""

    __slots__ = ("plans", "tree", "uses")

    def __init__(self, parsed: Parsed[Tree]) -> None:
        self.tree = parsed.tree
        self.uses = (parsed.aliases, parsed.parameters)
        self.plans: dict[tuple[str, ...], Plan] = {}


class Compiler(Generic[Tree, Plan]):
    """One expression language: ``parse(text, parameter)`` and ``build(tree, binder)``."""

    def __init__(self, parse: Callable[[str, str], Parsed[Tree]], build: Callable[[Tree, Binder], Plan]) -> None:
        self._build = build

        def enter(text: str, parameter: str) -> _Entry[Tree, Plan]:
            return _Entry(parse(text, parameter))

        self._enter = enter
        self._cached: Callable[[str, str], _Entry[Tree, Plan]] = lru_cache(CACHED_TEXTS)(enter)

    def compile(self, text: str, parameter: str, placeholders: Placeholders) -> Plan:
        """Return the plan of an expression, and note which placeholders it uses.

        Raises:
            ValidationError: in AWS's words.
        """
        entry = (self._cached if len(text) <= CACHED_TEXT_MAX else self._enter)(text, parameter)
        aliases, parameters = entry.uses
        names, values = placeholders.names, placeholders.values
        try:
            key = (*[names[alias] for alias in aliases], *[next(iter(values[text])) for text in parameters])
        except KeyError:
            # A placeholder is not defined; binding finds out which is to be named first.
            return self.compile_tree(entry.tree, parameter, placeholders)
        plan = entry.plans.get(key)
        if plan is None:
            plan = self.compile_tree(entry.tree, parameter, placeholders)
            if len(entry.plans) >= CACHED_PLANS_PER_TEXT:
                entry.plans.clear()
            entry.plans[key] = plan
        placeholders.use(entry.uses)
        return plan

    def compile_tree(self, tree: Tree, parameter: str, placeholders: Placeholders | None) -> Plan:
        """Return the plan of a tree, which is not cached.

        Raises:
            ValidationError: in AWS's words.
        """
        if placeholders is None:
            return self._build(tree, Binder(parameter, {}, {}))
        return self._build(tree, Binder(parameter, placeholders.names, placeholders.values))
