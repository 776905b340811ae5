"""SELECT lists: which parts of an item are answered, and under which names.

What: a path answers under the name of its last step, with the list indexes that follow it: ``a.b[0]`` as ``b[0]``.
Nothing is nested, unlike in projection expressions.

Source: AWS developer guide, "PartiQL select statements for DynamoDB"; naming and errors as DynamoDB Local has them.
"""

from __future__ import annotations

from region.errors import ValidationError
from region.expression.paths import DocumentPath, plant, read
from region.expression.projections import Projection
from region.expression.syntax import Alias, Path
from region.model.values import Item


class Selection(Projection):
    """A projection whose answers are flat."""

    __slots__ = ("_columns",)

    def __init__(self, paths: tuple[DocumentPath, ...]) -> None:
        columns = {_name(path): path for path in reversed(paths)}
        if len(columns) < len(paths):
            names = [_name(path) for path in paths]
            repeated = next(name for i, name in enumerate(names) if name in names[:i])
            raise ValidationError(f"Duplicate identifiers in select clause: {repeated}")
        super().__init__(paths, plant(paths[::-1], ""))
        self._columns = tuple(columns.items())

    def apply(self, item: Item) -> Item:
        """Return what the item has of the paths, each under its name."""
        selected: Item = {}
        for name, path in self._columns:
            value = read(item, path)
            if value is not None:
                selected[name] = value
        return selected


def selection(paths: tuple[Path, ...]) -> Selection | None:
    """Return the projection of a SELECT list, or ``None`` for ``*``.

    Raises:
        ValidationError: two paths overlap, or would answer under one name.
    """
    if not paths:
        return None
    return Selection(tuple([tuple([part for part in path.parts if not isinstance(part, Alias)]) for path in paths]))


def _name(path: DocumentPath) -> str:
    last = max(position for position, part in enumerate(path) if isinstance(part, str))
    return str(path[last]) + "".join(f"[{index}]" for index in path[last + 1 :])
