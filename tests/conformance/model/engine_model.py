"""A real engine over a store in memory, and strategies whose every expression comes with the Python that it means.

An expression is a pair: the text, with placeholders for the values of :data:`VALUES`, and a function on an item. The
function is written from AWS's guide in the plainest way, so that the engine is compared with something simple.
"""

from __future__ import annotations

import asyncio
import base64
import copy
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
from hypothesis import strategies as st

from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.errors import DynamoError
from region.operation.context import RegionSettings
from region.randomness import SeededRng
from region.store.sqlite import open_store

REGION = "us-east-1"
NOTHING: Any = None
ATTRIBUTES = ("a", "b", "c")
SCALARS: list[dict[str, Any]] = [
    *[{"N": number} for number in ("0", "1", "-1", "2.5", "-2.5", "10", "9", "1000000000000000000000")],
    *[{"S": text} for text in ("a", "ab", "b", "é", "\U0001f600", "￿")],
    *[{"B": base64.b64encode(raw).decode()} for raw in (b"\x00", b"\xff", b"a", b"ab")],
]
VALUES: list[dict[str, Any]] = [
    *SCALARS,
    {"BOOL": True},
    {"NULL": True},
    {"S": ""},
    {"SS": ["a", "b"]},
    {"NS": ["1"]},
    {"L": [{"N": "1"}, {"S": "a"}]},
    {"L": []},
    {"M": {"x": {"N": "1"}}},
]
PLACEHOLDERS = {f":v{number}": value for number, value in enumerate(VALUES)}


class Refused(NamedTuple):
    """An error in the place of an answer."""

    error: str


class Region:
    """One region without HTTP."""

    def __init__(self) -> None:
        rng = SeededRng(5)
        self.store = open_store(None, region=REGION, durability="memory", rng=rng)
        source = ManualClock(1_795_000_000_000)
        clock = HybridLogicalClock(REGION, source, persist=self.store.save_ceiling)
        settings = RegionSettings(region=REGION)
        self.engine = Engine(store=self.store, clock=clock, source=source, settings=settings, rng=rng)

    async def run(self, operation: str, **request: Any) -> Any:
        """Run an operation; return its answer as the wire would send it, or that it was refused."""
        try:
            answer = await self.engine.execute(operation, copy.deepcopy(request))
        except DynamoError as error:
            return Refused(error.name)
        return orjson.loads(orjson.dumps(answer))


def in_region(story: Callable[[Region], Coroutine[Any, Any, None]]) -> None:
    """Run a story in a fresh region."""

    async def run() -> None:
        region = Region()
        try:
            await story(region)
        finally:
            region.store.close()

    asyncio.run(run())


def order(value: dict[str, Any]) -> Any:
    """Return what a key's value is ordered by: numbers by value, strings and binaries by their bytes."""
    ((kind, content),) = value.items()
    orders: dict[str, Callable[[str], Any]] = {"N": Decimal, "S": str.encode, "B": base64.b64decode}
    return orders[kind](content)


def with_values(request: dict[str, Any], *texts: str) -> dict[str, Any]:
    """Return a request with the placeholders that its expressions use."""
    words = " ".join(texts).replace(",", " ").replace("(", " ").replace(")", " ").split()
    used = {word: PLACEHOLDERS[word] for word in words if word in PLACEHOLDERS}
    return {**request, **({"ExpressionAttributeValues": used} if used else {})}


class Predicate(NamedTuple):
    """A condition and what it means."""

    text: str
    holds: Callable[[dict[str, Any]], bool]
    compound: bool = False


def _leaf(name: str, number: int, kind: int) -> Predicate:
    value, placeholder = VALUES[number], f":v{number}"
    leaves: tuple[tuple[str, Callable[[dict[str, Any]], bool]], ...] = (
        (f"attribute_exists({name})", lambda item: name in item),
        (f"attribute_not_exists({name})", lambda item: name not in item),
        (f"{name} = {placeholder}", lambda item: equal(item.get(name), value)),
        (f"{name} <> {placeholder}", lambda item: not equal(item.get(name), value)),
        (f"{name} IN (:v0, {placeholder})", lambda item: any(equal(item.get(name), it) for it in (VALUES[0], value))),
    )
    text, holds = leaves[kind]
    return Predicate(text, holds)


def _ordered(name: str, number: int, comparator: str) -> Predicate:
    value = SCALARS[number]
    outcomes = {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1)}[comparator]

    def holds(item: dict[str, Any]) -> bool:
        found = item.get(name)
        if found is None or found.keys() != value.keys():
            return False
        mine, other = order(found), order(value)
        return (mine > other) - (mine < other) in outcomes

    return Predicate(f"{name} {comparator} :v{number}", holds)


def equal(one: Any, other: Any) -> bool:
    """Whether two values are equal; sets have no order."""
    if one is None or other is None or one.keys() != other.keys():
        return False
    ((kind, content),) = one.items()
    theirs = other[kind]
    if kind in ("SS", "NS", "BS"):
        return set(content) == set(theirs)
    return bool(content == theirs)


def _both(one: Predicate, other: Predicate) -> Predicate:
    text = f"{_grouped(one)} AND {_grouped(other)}"
    return Predicate(text, lambda item: one.holds(item) and other.holds(item), compound=True)


def _either(one: Predicate, other: Predicate) -> Predicate:
    text = f"{_grouped(one)} OR {_grouped(other)}"
    return Predicate(text, lambda item: one.holds(item) or other.holds(item), compound=True)


def _not(one: Predicate) -> Predicate:
    return Predicate(f"NOT {_grouped(one)}", lambda item: not one.holds(item), compound=True)


def _grouped(one: Predicate) -> str:
    """Return a condition as an operand; a second pair of parentheses would be refused as redundant."""
    return f"({one.text})" if one.compound else one.text


names = st.sampled_from(ATTRIBUTES)
_leaves = st.builds(_leaf, names, st.integers(0, len(VALUES) - 1), st.integers(0, 4)) | st.builds(
    _ordered, names, st.integers(0, len(SCALARS) - 1), st.sampled_from(["<", "<=", ">", ">="])
)
conditions = st.recursive(
    _leaves, lambda inner: st.builds(_both, inner, inner) | st.builds(_either, inner, inner) | st.builds(_not, inner)
)


class Action(NamedTuple):
    """One action of an update: its section, its text, the attribute, and the attribute's new value.

    ``result`` returns :data:`NOTHING` to remove the attribute and raises :class:`ValueError` where DynamoDB refuses.
    """

    section: str
    text: str
    name: str
    result: Callable[[dict[str, Any]], Any]


def _read(item: dict[str, Any], name: str, kind: str) -> Any:
    if kind not in item.get(name, {}):
        raise ValueError
    return item[name][kind]


def _set(name: str, number: int) -> Action:
    return Action("SET", f"{name} = :v{number}", name, lambda item: VALUES[number])


def _default(name: str, other: str, number: int) -> Action:
    text = f"{name} = if_not_exists({other}, :v{number})"
    return Action("SET", text, name, lambda item: item.get(other, VALUES[number]))


def _copy(name: str, other: str) -> Action:
    def result(item: dict[str, Any]) -> Any:
        if other not in item:
            raise ValueError
        return item[other]

    return Action("SET", f"{name} = {other}", name, result)


def _sum(name: str, other: str, number: int) -> Action:
    addend = Decimal(SCALARS[number]["N"])
    text = f"{name} = {other} + :v{number}"
    return Action("SET", text, name, lambda item: {"N": plain(Decimal(_read(item, other, "N")) + addend)})


def _append(name: str, other: str) -> Action:
    number = VALUES.index({"L": [{"N": "1"}, {"S": "a"}]})
    text = f"{name} = list_append({other}, :v{number})"
    return Action("SET", text, name, lambda item: {"L": _read(item, other, "L") + VALUES[number]["L"]})


def _remove(name: str) -> Action:
    return Action("REMOVE", name, name, lambda item: NOTHING)


def _add(name: str, number: int) -> Action:
    addend = SCALARS[number]

    def result(item: dict[str, Any]) -> Any:
        if name not in item:
            return addend
        return {"N": plain(Decimal(_read(item, name, "N")) + Decimal(addend["N"]))}

    return Action("ADD", f"{name} :v{number}", name, result)


def _add_members(name: str, *, removed: bool) -> Action:
    number = VALUES.index({"SS": ["a", "b"]})

    def result(item: dict[str, Any]) -> Any:
        if name not in item:
            return NOTHING if removed else VALUES[number]
        members, given = set(_read(item, name, "SS")), set(VALUES[number]["SS"])
        left = members - given if removed else members | given
        return {"SS": sorted(left)} if left else NOTHING

    section = "DELETE" if removed else "ADD"
    return Action(section, f"{name} :v{number}", name, result)


def plain(number: Decimal) -> str:
    """Write a number as DynamoDB answers it: in full, without zeros at the end of its fraction."""
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


_numbers = st.integers(0, 7)
actions = (
    st.builds(_set, names, st.integers(0, len(VALUES) - 1))
    | st.builds(_default, names, names, st.integers(0, len(VALUES) - 1))
    | st.builds(_copy, names, names)
    | st.builds(_sum, names, names, _numbers)
    | st.builds(_append, names, names)
    | st.builds(_remove, names)
    | st.builds(_add, names, _numbers)
    | st.builds(_add_members, names, removed=st.booleans())
)
updates = st.lists(actions, min_size=1, max_size=3, unique_by=lambda action: action.name)


def update_text(parts: list[Action]) -> str:
    """Return the update expression of some actions."""
    sections: dict[str, list[str]] = {}
    for part in parts:
        sections.setdefault(part.section, []).append(part.text)
    return " ".join(f"{section} {', '.join(texts)}" for section, texts in sections.items())


def updated(item: dict[str, Any], parts: list[Action]) -> dict[str, Any]:
    """Return the item after an update; every action reads the old one."""
    new = dict(item)
    for part in parts:
        value = part.result(item)
        if value is NOTHING:
            new.pop(part.name, None)
        else:
            new[part.name] = value
    return new
