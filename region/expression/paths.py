"""Document paths at work: reading along them, and the tree of all paths that one expression touches.

What: :func:`read` follows one path into an item. :func:`plant` makes one tree of many paths, which projections and
updates walk once per container; on the way it finds paths that overlap or conflict.

Invariants: in a tree, a branch's children are all names or all indexes. Nothing here changes an item.

Source: AWS developer guide, "Referring to item attributes when using expressions"; wording as DynamoDB Local sends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from region.errors import ValidationError
from region.model.values import AttributeValue, Item

DocumentPath = tuple[str | int, ...]
"""A path whose names are resolved: the top-level attribute's name first."""


class Branch:
    """A container on the way to touched paths; a leaf is the number of the path that ends there."""

    __slots__ = ("children", "first")

    def __init__(self, first: int) -> None:
        self.children: dict[str | int, Branch | int] = {}
        self.first = first
        """The number of the first path that goes through here."""


def read(item: Item, path: DocumentPath) -> AttributeValue | None:
    """Return the value at ``path``, or ``None`` where there is none."""
    value = item.get(path[0])  # type: ignore[arg-type]  # A path begins with a name, which its type cannot say.
    for part in path[1:]:
        if value is None:
            return None
        value = step(value, part)
    return value


def step(value: AttributeValue, part: str | int) -> AttributeValue | None:
    """Return the member of a map or list, or ``None`` where there is none."""
    element: AttributeValue | None = None
    if isinstance(part, str):
        members = value.get("M")
        if members is not None:
            element = members.get(part)
    else:
        elements = value.get("L")
        if elements is not None and part < len(elements):
            element = elements[part]
    return element


def show(path: Sequence[str | int]) -> str:
    """Write a path as AWS does: ``[a, [0], b]``."""
    return f"[{', '.join(part if isinstance(part, str) else f'[{part}]' for part in path)}]"


def plant(paths: Sequence[DocumentPath], complaint: str) -> Branch:
    """Return the tree of ``paths``; ``complaint`` is how an error begins.

    Raises:
        ValidationError: two paths overlap, or disagree on whether something is a map or a list.
    """
    root = Branch(0)
    for number, path in enumerate(paths):
        branch = root
        for part in path[:-1]:
            _refuse_conflict(branch, part, paths, number, complaint)
            child = branch.children.get(part)
            if child is None:
                child = branch.children[part] = Branch(number)
            elif isinstance(child, int):
                raise _overlap(paths[child], path, complaint)
            branch = child
        _refuse_conflict(branch, path[-1], paths, number, complaint)
        occupant = branch.children.get(path[-1])
        if occupant is not None:
            first = occupant if isinstance(occupant, int) else occupant.first
            raise _overlap(paths[first], path, complaint)
        branch.children[path[-1]] = number
    return root


def _refuse_conflict(
    branch: Branch, part: str | int, paths: Sequence[DocumentPath], number: int, complaint: str
) -> None:
    sibling = next(iter(branch.children), part)
    if isinstance(sibling, str) != isinstance(part, str):
        raise ValidationError(
            f"{complaint}Two document paths conflict with each other; must remove or rewrite one of these paths; "
            f"path one: {show(paths[branch.first])}, path two: {show(paths[number])}"
        )


def _overlap(one: DocumentPath, two: DocumentPath, complaint: str) -> ValidationError:
    return ValidationError(
        f"{complaint}Two document paths overlap with each other; must remove or rewrite one of these paths; "
        f"path one: {show(one)}, path two: {show(two)}"
    )


def select(item: Item, tree: Branch) -> Item:
    """Return what of ``item`` lies on the tree, nested values within their parents; nothing is copied but parents."""
    selected: Item = {}
    for name, child in tree.children.items():
        value = item.get(name)  # type: ignore[arg-type]  # The children of a root are names, as paths begin with one.
        if value is not None:
            part = value if isinstance(child, int) else _select_within(value, child)
            if part is not None:
                selected[name] = part  # type: ignore[index]  # See above.
    return selected


def _select_within(value: AttributeValue, branch: Branch) -> AttributeValue | None:
    """Return the selected part of a map or a list (its elements close ranks), or ``None`` if nothing is there."""
    found: list[tuple[str | int, AttributeValue]] = []
    for part, child in branch.children.items():
        element = step(value, part)
        if element is not None and not isinstance(child, int):
            element = _select_within(element, child)
        if element is not None:
            found.append((part, element))
    if not found:
        return None
    if "M" in value:
        return {"M": dict(found)}
    found.sort(key=_position)
    return {"L": [element for _, element in found]}


def _position(entry: tuple[str | int, AttributeValue]) -> int:
    return int(entry[0])


def top_level_names(paths: Iterable[DocumentPath]) -> frozenset[str]:
    """Return the names of the top-level attributes that ``paths`` go through."""
    return frozenset(str(path[0]) for path in paths)


def nested_names(paths: Iterable[DocumentPath]) -> frozenset[str]:
    """Return the names of the top-level attributes into which ``paths`` reach."""
    return frozenset(str(path[0]) for path in paths if len(path) > 1)


def refuse_nested_keys(nested: frozenset[str], key_names: Iterable[str]) -> None:
    """Raise AWS's error if an expression reaches into a key attribute, which is a scalar."""
    for name in key_names:
        if name in nested:
            raise ValidationError(
                "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
                f"Key: {name}"
            )
