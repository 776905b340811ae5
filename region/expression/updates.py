"""Update expressions: SET, REMOVE, ADD and DELETE.

What: :func:`update` compiles text, :func:`update_of` actions that another language made, to an :class:`Update` that
makes a new item of an old one.

Invariants: every right-hand side sees the item as it was. The old item is never changed: the new one shares with it
all that no path touches, and copies only the containers on the way. List indexes are those of the old list: elements
set beyond its end are appended in the order of their indexes, then removed ones drop out.

Hazards: the new item shares values with the old one and with the request; none of them may be changed in place. Its
size and depth are the caller's to check.

Source: AWS developer guide, "Using update expressions"; behaviour at the edges as DynamoDB Local has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from region.errors import ValidationError
from region.expression import paths
from region.expression.binding import NUMBERS, Binder, Values, resolved
from region.expression.evaluators import compile_operand
from region.expression.grammar import parse_update
from region.expression.parser import Parsed
from region.expression.paths import Branch, DocumentPath
from region.expression.placeholders import Placeholders
from region.expression.plans import Compiler
from region.expression.syntax import (
    Action,
    Add,
    Arithmetic,
    Function,
    Literal,
    Operand,
    Parameter,
    Path,
    Remove,
    Set,
)
from region.model import limits, numbers
from region.model.values import AttributeValue, Item, sort_set

PARAMETER: Final = "UpdateExpression"
WRONG_OPERAND_TYPE: Final = "An operand in the update expression has an incorrect data type"

Step = Callable[[Item, Values], AttributeValue | None]
"""What an action puts at its path; ``None`` removes what is there."""
Compute = Callable[[Item, Values], AttributeValue]

_SETS: Final = frozenset(("SS", "NS", "BS"))
_ADDED: Final = _SETS | {"N"}
_SHORT: Final = limits.NUMBER_DIGITS_MAX
KIND_NAMES: Final = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
    "M": "MAP",
    "L": "LIST",
}
_NO_PLACE: Final = "The document path provided in the update expression is invalid for update"


class Updated(NamedTuple):
    """The new item, and the document paths that the update touched."""

    item: Item
    paths: tuple[DocumentPath, ...]


class _Plan(NamedTuple):
    paths: tuple[DocumentPath, ...]
    steps: tuple[Step, ...]
    tree: Branch
    flat: tuple[tuple[str, Step], ...] | None
    """The steps by attribute name, where no path is nested."""
    read_nested: frozenset[str]


class Update:
    """An update of one request."""

    __slots__ = ("_plan", "_values")

    by_expression: ClassVar[bool] = True
    """Whether the request said it with an expression, of which errors then speak."""

    def __init__(self, plan: _Plan, values: Mapping[str, AttributeValue]) -> None:
        self._plan = plan
        self._values = values

    def apply(self, item: Item | None, key: Item) -> Updated:
        """Return the new item; without an old one, the update starts from the key attributes alone.

        Raises:
            ValidationError: in AWS's words, when the item does not have what the update needs.
        """
        plan, values = self._plan, self._values
        old = key if item is None else item
        new = old.copy()
        if plan.flat is not None:
            for name, step in plan.flat:
                value = step(old, values)
                if value is None:
                    new.pop(name, None)
                else:
                    new[name] = value
        else:
            _graft_members(new, plan.tree, _results(plan, old, values))
        return Updated(new, plan.paths)

    @property
    def top_level_names(self) -> frozenset[str]:
        """The names of the top-level attributes that the update changes, in whole or in part."""
        return paths.top_level_names(self._plan.paths)

    def refuse_keys(self, key_names: Iterable[str]) -> None:
        """Raise AWS's error if the update changes one of these key attributes, or reaches into one."""
        names = tuple(key_names)
        changed = self.top_level_names
        for name in names:
            if name in changed:
                raise ValidationError(
                    f"One or more parameter values were invalid: Cannot update attribute {name}. "
                    "This attribute is part of the key"
                )
        paths.refuse_nested_keys(self._plan.read_nested, names)


def update(text: str, placeholders: Placeholders) -> Update:
    """Compile an update expression.

    Raises:
        ValidationError: in AWS's words.
    """
    return Update(_COMPILER.compile(text, PARAMETER, placeholders), placeholders.values)


def update_of(
    actions: Iterable[Action], *, placeholders: Placeholders | None = None, kind: type[Update] = Update
) -> Update:
    """Compile an update, of the class ``kind``, from its actions; placeholders are looked up in ``placeholders``.

    Raises:
        ValidationError: in AWS's words.
    """
    plan = _COMPILER.compile_tree(tuple(actions), PARAMETER, placeholders)
    return kind(plan, {} if placeholders is None else placeholders.values)


def _parse(text: str, _: str) -> Parsed[tuple[Action, ...]]:
    return parse_update(text)


def _build(actions: tuple[Action, ...], binder: Binder) -> _Plan:
    targets = tuple([binder.path(action.path) for action in actions])
    tree = paths.plant(targets, binder.prefix)
    # DynamoDB checks the last action's operands first, which shows in what it complains about.
    steps = [_step(action, path, binder) for action, path in zip(reversed(actions), reversed(targets), strict=True)]
    steps.reverse()
    flat = None
    if all(len(path) == 1 for path in targets):
        flat = tuple((str(path[0]), step) for path, step in zip(targets, steps, strict=True))
    return _Plan(targets, tuple(steps), tree, flat, paths.nested_names(binder.paths))


_COMPILER: Final = Compiler(_parse, _build)


def _step(action: Action, path: DocumentPath, binder: Binder) -> Step:
    if isinstance(action, Set):
        return _value(action.value, binder)
    if isinstance(action, Remove):
        return lambda item, values: None
    if isinstance(action, Add):
        _require_operand("ADD", action.operand, _ADDED, binder)
        return _add(path, compile_operand(action.operand))
    _require_operand("DELETE", action.operand, _SETS, binder)
    return _delete(path, compile_operand(action.operand))


def _require_operand(operator: str, operand: Parameter | Literal, allowed: frozenset[str], binder: Binder) -> None:
    kind = binder.kind_of(binder.operand(operand))
    if kind not in allowed:
        raise binder.error(
            f"Incorrect operand type for operator or function; operator: {operator}, "
            f"operand type: {KIND_NAMES[str(kind)]}, typeSet: ALLOWED_FOR_{operator}_OPERAND"
        )


def _value(term: Operand | Arithmetic, binder: Binder) -> Compute:
    """Bind and compile a right-hand side."""
    if isinstance(term, Arithmetic):
        left, right = binder.operand(term.left), binder.operand(term.right)
        binder.require_kind(term.operator, (left, right), NUMBERS)
        return _arithmetic(term.operator, _compute(left), _compute(right))
    return _compute(binder.operand(term))


def _compute(term: Operand) -> Compute:
    """Compile a bound operand that must have a value."""
    if isinstance(term, Parameter):
        text = term.text
        return lambda item, values: values[text]
    if isinstance(term, Literal):
        value = term.value
        return lambda item, values: value
    if isinstance(term, Path):
        return _present(resolved(term))
    first, second = term.operands
    if term.name == "list_append":
        return _list_append(_compute(first), _compute(second))
    return _if_not_exists(term, _compute(second))


def _present(path: DocumentPath) -> Compute:
    def compute(item: Item, values: Values) -> AttributeValue:
        value = paths.read(item, path)
        if value is None:
            raise ValidationError("The provided expression refers to an attribute that does not exist in the item")
        return value

    return compute


def _if_not_exists(term: Function, otherwise: Compute) -> Compute:
    read = compile_operand(term.operands[0])

    def compute(item: Item, values: Values) -> AttributeValue:
        # The other operand must have a value even where it is not needed: DynamoDB reads both.
        value, other = read(item, values), otherwise(item, values)
        return other if value is None else value

    return compute


def _content(value: AttributeValue, kind: str) -> Any:
    """Return the content of a value of the type ``kind``, or raise AWS's error if it is of another."""
    content = value.get(kind)
    if content is None:
        raise ValidationError(WRONG_OPERAND_TYPE)
    return content


def _list_append(first: Compute, second: Compute) -> Compute:
    def compute(item: Item, values: Values) -> AttributeValue:
        head = _content(first(item, values), "L")
        return {"L": head + _content(second(item, values), "L")}

    return compute


def _arithmetic(operator: str, left: Compute, right: Compute) -> Compute:
    combine = _plus if operator == "+" else _minus

    def compute(item: Item, values: Values) -> AttributeValue:
        first = _content(left(item, values), "N")
        return {"N": combine(first, _content(right(item, values), "N"))}

    return compute


def _plus(left: str, right: str) -> str:
    if _short_integers(left, right):
        return str(int(left) + int(right))
    return numbers.add(left, right)


def _minus(left: str, right: str) -> str:
    if _short_integers(left, right):
        return str(int(left) - int(right))
    return numbers.subtract(left, right)


def _short_integers(left: str, right: str) -> bool:
    """Whether two canonical numbers are integers so short that their sum is canonical as Python writes it.

    Counters are what is added to most often, and worth the shortcut around decimals.
    """
    return len(left) < _SHORT and len(right) < _SHORT and "." not in left and "." not in right


def _add(path: DocumentPath, operand: Step) -> Step:
    def step(item: Item, values: Values) -> AttributeValue | None:
        addend, value = operand(item, values), paths.read(item, path)
        if value is None or addend is None:
            return addend
        ((kind, content),) = addend.items()
        present = _content(value, kind)
        if kind == "N":
            return {"N": _plus(present, content)}
        return {kind: sort_set(kind, list({*present, *content}))}

    return step


def _delete(path: DocumentPath, operand: Step) -> Step:
    def step(item: Item, values: Values) -> AttributeValue | None:
        removed, value = operand(item, values), paths.read(item, path)
        if value is None or removed is None:
            return None
        ((kind, content),) = removed.items()
        gone = set(content)
        left = [member for member in _content(value, kind) if member not in gone]
        return {kind: left} if left else None

    return step


def _results(plan: _Plan, item: Item, values: Values) -> list[AttributeValue | None]:
    """Return what each action leaves at its path; an action without a place for it fails for that before all else."""
    results = []
    for path, step in zip(plan.paths, plan.steps, strict=True):
        try:
            results.append(step(item, values))
        except ValidationError:
            parent = paths.read(item, path[:-1]) if len(path) > 1 else None
            if len(path) > 1 and (parent is None or ("M" if isinstance(path[-1], str) else "L") not in parent):
                raise ValidationError(_NO_PLACE) from None
            raise
    return results


def _graft_members(members: dict[str, Any], branch: Branch, results: Sequence[AttributeValue | None]) -> None:
    """Put results into a fresh map, and fresh copies of the containers on the way to deeper ones."""
    for part, child in branch.children.items():
        name = str(part)
        if not isinstance(child, int):
            members[name] = _graft(members.get(name), child, results)
        elif (value := results[child]) is None:
            members.pop(name, None)
        else:
            members[name] = value


def _graft(value: AttributeValue | None, branch: Branch, results: Sequence[AttributeValue | None]) -> AttributeValue:
    """Return a copy of a map or list with the results in it."""
    kind = "M" if isinstance(next(iter(branch.children)), str) else "L"
    content = None if value is None else value.get(kind)
    if content is None:
        raise ValidationError(_NO_PLACE)
    if kind == "L":
        return {"L": _graft_elements(content, branch, results)}
    members = content.copy()
    _graft_members(members, branch, results)
    return {"M": members}


def _graft_elements(
    elements: list[AttributeValue], branch: Branch, results: Sequence[AttributeValue | None]
) -> list[AttributeValue]:
    fresh: list[AttributeValue | None] = list(elements)
    for part in sorted(branch.children, key=int):
        index, child = int(part), branch.children[part]
        there = index < len(elements)
        if not isinstance(child, int):
            fresh[index : index + 1] = [_graft(elements[index] if there else None, child, results)]
        elif there:
            fresh[index] = results[child]
        else:
            fresh.append(results[child])
    return [element for element in fresh if element is not None]
