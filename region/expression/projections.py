"""Projection expressions: which parts of an item are answered.

What: :func:`projection` compiles text, :func:`projection_of` document paths, to a :class:`Projection`.

Invariants: a projection holds nothing of a request and is shared. What it returns shares its values with the item.

Source: AWS developer guide, "Using projection expressions".
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from region.expression.binding import Binder
from region.expression.grammar import parse_projection
from region.expression.parser import Parsed
from region.expression.paths import (
    Branch,
    DocumentPath,
    nested_names,
    plant,
    refuse_nested_keys,
    select,
    top_level_names,
)
from region.expression.placeholders import PROJECTION, Placeholders
from region.expression.plans import Compiler
from region.expression.syntax import Path
from region.model.values import Item


class Projection:
    """The document paths to answer with."""

    __slots__ = ("_flat", "_nested_names", "_tree", "paths", "top_level_names")

    def __init__(self, paths: tuple[DocumentPath, ...], tree: Branch) -> None:
        self.paths = paths
        self.top_level_names = top_level_names(paths)
        self._tree = tree
        self._nested_names = nested_names(paths)
        self._flat = () if self._nested_names else tuple(str(path[0]) for path in paths)

    def apply(self, item: Item) -> Item:
        """Return what ``item`` has of the paths: nested values within their parents, list elements closing ranks."""
        if self._flat:
            return {name: item[name] for name in self._flat if name in item}
        return select(item, self._tree)

    def refuse_nested_keys(self, key_names: Iterable[str]) -> None:
        """Raise AWS's error if the projection reaches into one of these key attributes."""
        refuse_nested_keys(self._nested_names, key_names)


def _parse(text: str, _: str) -> Parsed[tuple[Path, ...]]:
    return parse_projection(text)


def _build(tree: tuple[Path, ...], binder: Binder) -> Projection:
    paths = tuple([binder.path(path) for path in tree])
    return Projection(paths, plant(paths, binder.prefix))


_COMPILER: Final = Compiler(_parse, _build)


def projection(text: str, placeholders: Placeholders) -> Projection:
    """Compile a projection expression.

    Raises:
        ValidationError: in AWS's words.
    """
    return _COMPILER.compile(text, PROJECTION, placeholders)


def projection_of(paths: Iterable[Path]) -> Projection:
    """Compile a projection from document paths without placeholders.

    Raises:
        ValidationError: two paths overlap or conflict.
    """
    return _COMPILER.compile_tree(tuple(paths), PROJECTION, None)


@lru_cache(maxsize=1024)
def _tree_of(paths: tuple[DocumentPath, ...]) -> Branch:
    return plant(paths, "")


def touched(item: Item, paths: tuple[DocumentPath, ...]) -> Item:
    """Return what ``item`` has at ``paths``, nested values within their parents: UPDATED_OLD and UPDATED_NEW."""
    return select(item, _tree_of(paths))
