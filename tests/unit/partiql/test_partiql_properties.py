"""PartiQL survives any text, and reads exactly the items that a WHERE clause selects, however it finds them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import cache
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.errors import ValidationError
from region.expression import Placeholders, condition_of
from region.model.values import Item
from region.operation.context import RegionSettings
from region.operation.partiql.statements import execute_statement
from region.partiql import Select, parse
from region.randomness import SeededRng
from region.store.sqlite import open_store

REGION = "us-east-1"

TEXT = (
    "SELECT FROM WHERE AND OR NOT IN BETWEEN IS MISSING NULL ORDER BY DESC INSERT INTO VALUE UPDATE SET REMOVE DELETE "
    "RETURNING ALL OLD EXISTS size contains set_add a b \"c\" 'x' 1 -2.5 ? * . , ; ( ) [ ] << >> { } : = <> < + - / ` "
    "@ -- /* */ true"
)
WORDS = TEXT.split()


@given(st.text(max_size=200) | st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))
@settings(max_examples=300)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with suppress(ValidationError):
        parse(text)


PARTITIONS = ("a", "b", "c")
SORTS = range(4)
COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")


def _test(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(("pk", "sk", "v")))
    constants = st.sampled_from([f"'{name}'" for name in PARTITIONS] if kind == "pk" else [str(i) for i in SORTS])
    form = draw(st.sampled_from(("compare", "flipped", "in", "between")))
    if form == "compare":
        return f"{kind} {draw(st.sampled_from(COMPARATORS))} {draw(constants)}"
    if form == "flipped":
        return f"{draw(constants)} {draw(st.sampled_from(COMPARATORS))} {kind}"
    if form == "in":
        return f"{kind} IN [{', '.join(draw(st.lists(constants, min_size=1, max_size=3)))}]"
    low, high = sorted((draw(constants), draw(constants)))
    return f"{kind} BETWEEN {low} AND {high}"


@st.composite
def clauses(draw: st.DrawFn, depth: int = 3) -> str:
    """A WHERE clause over the keys and an attribute; often one that names partitions."""
    if depth == 0 or draw(st.integers(0, 2)) == 0:
        return _test(draw)
    left, right = draw(clauses(depth - 1)), draw(clauses(depth - 1))
    word = draw(st.sampled_from(("AND", "AND", "OR", "AND NOT")))
    return f"({left} {word} {right})"


def _items() -> list[Item]:
    return [
        {
            "pk": {"S": name},
            "sk": {"N": str(number)},
            "v": {"N": str((number * 3 + i) % 4)},
            "g": {"S": PARTITIONS[-1 - i]},
        }
        for i, name in enumerate(PARTITIONS)
        for number in SORTS
    ]


@cache
def _engine() -> Engine:
    """A region with all the items; it is only read from, so that one serves every example."""
    return asyncio.run(_make_engine())


async def _make_engine() -> Engine:
    rng = SeededRng(1)
    store = open_store(None, region=REGION, durability="memory", rng=rng)
    source = ManualClock(1_700_000_000_000)
    clock = HybridLogicalClock(REGION, source, persist=store.save_ceiling)
    engine = Engine(store=store, clock=clock, source=source, settings=RegionSettings(region=REGION), rng=rng)
    await engine.execute(
        "CreateTable",
        {
            "TableName": "things",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
                {"AttributeName": "g", "AttributeType": "S"},
            ],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "by_g",
                    "KeySchema": [
                        {"AttributeName": "g", "KeyType": "HASH"},
                        {"AttributeName": "sk", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        },
    )
    for item in _items():
        await engine.execute("PutItem", {"TableName": "things", "Item": item})
    return engine


def _read_all(statement: str, limit: int | None) -> list[Item]:
    """Read every page of a statement."""
    found: list[Item] = []
    token: str | None = None
    while True:
        request: dict[str, Any] = {"Statement": statement}
        if limit is not None:
            request["Limit"] = limit
        if token is not None:
            request["NextToken"] = token
        answer = execute_statement(_engine().reading, request)
        assert limit is None or len(answer["Items"]) <= limit
        found += answer["Items"]
        token = answer.get("NextToken")
        if token is None:
            return found


def _sorted(items: list[Item]) -> list[tuple[str, str]]:
    return sorted((item["pk"]["S"], item["sk"]["N"]) for item in items)


@given(clause=clauses(), source=st.sampled_from(("things", "things.by_g")), limit=st.none() | st.integers(1, 5))
@settings(max_examples=150)
def test_a_select_finds_exactly_the_items_that_meet_its_clause(clause: str, source: str, limit: int | None) -> None:
    if source != "things":
        clause = clause.replace("pk", "g")
    text = f"SELECT pk, sk FROM {source} WHERE {clause}"
    statement = parse(text).statement
    assert isinstance(statement, Select)
    assert statement.where is not None

    try:
        condition = condition_of(statement.where, placeholders=Placeholders(None, None))
    except ValidationError:
        return
    expected = [item for item in _items() if condition.matches(item)]
    assert _sorted(_read_all(text, limit)) == _sorted(expected)


@given(
    hashes=st.lists(st.sampled_from(PARTITIONS), min_size=1, max_size=3, unique=True),
    descending=st.booleans(),
    hash_descending=st.booleans(),
    limit=st.none() | st.integers(1, 5),
)
@settings(max_examples=30)
def test_order_by_orders_across_pages(
    hashes: list[str], *, descending: bool, hash_descending: bool, limit: int | None
) -> None:
    values = ", ".join(f"'{name}'" for name in hashes)
    order = f"pk {'DESC' if hash_descending else 'ASC'}, sk {'DESC' if descending else 'ASC'}"
    text = f"SELECT * FROM things WHERE pk IN [{values}] ORDER BY {order}"

    found = [(item["pk"]["S"], int(item["sk"]["N"])) for item in _plain(_read_all(text, limit))]
    expected = [
        (name, number)
        for name in sorted(hashes, reverse=hash_descending)
        for number in sorted(SORTS, reverse=descending)
    ]
    assert found == expected


def _plain(items: list[Any]) -> list[Item]:
    """Decode images that were spliced into an answer."""
    plain: list[Item] = orjson.loads(orjson.dumps(items))
    return plain
