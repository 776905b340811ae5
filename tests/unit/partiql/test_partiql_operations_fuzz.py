"""Whatever a request says in PartiQL, it is answered or refused: no statement is a defect, and none writes half-way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.errors import DynamoError, InternalServerError
from region.operation.context import RegionSettings
from region.randomness import SeededRng
from region.store.sqlite import open_store

REGION = "us-east-1"

VALUES = st.sampled_from(
    (
        "'a'",
        "''",
        "1",
        "-2",
        "1e125",
        "true",
        "null",
        "[]",
        "[1, 'x']",
        "{'k': [1]}",
        "<<1, 2>>",
        "<<'a'>>",
        "?",
        "MISSING",
    )
)
PATHS = st.sampled_from(("pk", "sk", "g", "v", "v.k", "v[0]", "ss", '"odd name"', "v.k[0].x"))
FUNCTIONS = st.sampled_from(
    ("size", "contains", "begins_with", "attribute_type", "attribute_exists", "list_append", "set_add", "if_not_exists")
)


@st.composite
def operands(draw: st.DrawFn) -> str:
    """A path, a value, a call, or an arithmetic expression."""
    form = draw(st.integers(0, 9))
    if form < 4:
        return draw(PATHS)
    if form < 8:
        return draw(VALUES)
    left, right = draw(PATHS | VALUES), draw(PATHS | VALUES)
    if form == 8:
        return f"{draw(FUNCTIONS)}({left}, {right})"
    return f"{left} {draw(st.sampled_from(('+', '-', '*')))} {right}"


@st.composite
def conditions(draw: st.DrawFn) -> str:
    """One condition."""
    form = draw(st.integers(0, 5))
    left = draw(operands())
    if form == 0:
        return f"{left} IN [{draw(operands())}, {draw(operands())}]"
    if form == 1:
        return f"{left} BETWEEN {draw(operands())} AND {draw(operands())}"
    if form == 2:
        return f"{left} IS {draw(st.sampled_from(('MISSING', 'NOT NULL', 'LIST')))}"
    if form == 3:
        return f"NOT {draw(FUNCTIONS)}({left})"
    return f"{left} {draw(st.sampled_from(('=', '<>', '<', '>=')))} {draw(operands())}"


CLAUSES = st.tuples(
    st.sampled_from(("pk = 'a' AND sk = 1", "pk = 'a'", "pk IN ['a', 'b']", "g = 'x'", "sk = 1 AND pk = 'b'")),
    st.lists(conditions(), max_size=2),
).map(lambda parts: " AND ".join((parts[0], *parts[1])))


@st.composite
def statements(draw: st.DrawFn) -> str:
    """A statement of any kind, often one that fits the table."""
    kind = draw(st.sampled_from(("select", "insert", "update", "delete", "exists")))
    where = draw(CLAUSES)
    if kind == "insert":
        members = {"'pk'": "'a'", "'sk'": "1"} | {
            f"'{name}'": draw(VALUES) for name in draw(st.sets(st.sampled_from("gvw")))
        }
        return f"INSERT INTO things VALUE {{{', '.join(f'{name}: {value}' for name, value in members.items())}}}"
    if kind == "update":
        clauses = [
            f"SET {draw(PATHS)} = {draw(operands())}" if draw(st.booleans()) else f"REMOVE {draw(PATHS)}"
            for _ in range(draw(st.integers(1, 3)))
        ]
        return f"UPDATE things {' '.join(clauses)} WHERE {where} RETURNING MODIFIED NEW *"
    if kind == "delete":
        return f"DELETE FROM things WHERE {where} RETURNING ALL OLD *"
    order = draw(st.sampled_from(("", " ORDER BY sk DESC", " ORDER BY v", " ORDER BY g")))
    source = draw(st.sampled_from(("things", "things.by_g")))
    select = f"SELECT {draw(st.sampled_from(('*', 'v', 'pk, v.k', 'v[0], v[1]')))} FROM {source} WHERE {where}{order}"
    return select if kind == "select" else f"EXISTS({select})"


PARAMETERS = st.lists(
    st.sampled_from(({"S": "a"}, {"N": "1"}, {"SS": ["a", "b"]}, {"L": []}, {"NULL": True}, {"B": "AA=="}, {})),
    max_size=2,
)
REQUESTS = st.tuples(statements(), PARAMETERS)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def engine(loop: asyncio.AbstractEventLoop) -> Iterator[Engine]:
    rng = SeededRng(1)
    store = open_store(None, region=REGION, durability="memory", rng=rng)
    source = ManualClock(1_700_000_000_000)
    clock = HybridLogicalClock(REGION, source, persist=store.save_ceiling)
    engine = Engine(store=store, clock=clock, source=source, settings=RegionSettings(region=REGION), rng=rng)
    keys = [("pk", "S", "HASH"), ("sk", "N", "RANGE")]
    by_g = [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    table = {
        "TableName": "things",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            *[{"AttributeName": name, "AttributeType": kind} for name, kind, _ in keys],
            {"AttributeName": "g", "AttributeType": "S"},
        ],
        "KeySchema": [{"AttributeName": name, "KeyType": role} for name, _, role in keys],
        "GlobalSecondaryIndexes": [
            {"IndexName": "by_g", "KeySchema": by_g, "Projection": {"ProjectionType": "KEYS_ONLY"}}
        ],
    }
    loop.run_until_complete(engine.execute("CreateTable", table))
    yield engine
    loop.run_until_complete(engine.close())


def _run(loop: asyncio.AbstractEventLoop, engine: Engine, name: str, request: dict[str, Any]) -> None:
    """Run a request; it may be refused, but not fail."""
    try:
        loop.run_until_complete(engine.execute(name, request))
    except InternalServerError as error:
        raise AssertionError(request) from error
    except DynamoError:
        pass
    assert engine.defect is None


def _request(entry: tuple[str, list[dict[str, Any]]]) -> dict[str, Any]:
    statement, parameters = entry
    holes = statement.count("?")
    given = [dict(parameter) for parameter in parameters]
    exact = (given + [{"N": "7"}] * holes)[:holes] if given else [{"N": "7"} for _ in range(holes)]
    return {"Statement": statement, **({"Parameters": [dict(parameter) for parameter in exact]} if exact else {})}


QUICK = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@given(entry=REQUESTS)
@QUICK
def test_every_statement_is_answered_or_refused(
    loop: asyncio.AbstractEventLoop, engine: Engine, entry: tuple[str, list[dict[str, Any]]]
) -> None:
    _run(loop, engine, "ExecuteStatement", _request(entry) | {"ReturnConsumedCapacity": "INDEXES"})


@given(entries=st.lists(REQUESTS, min_size=1, max_size=4))
@QUICK
def test_every_batch_and_transaction_is_answered_or_refused(
    loop: asyncio.AbstractEventLoop, engine: Engine, entries: list[tuple[str, list[dict[str, Any]]]]
) -> None:
    mode = {"ReturnConsumedCapacity": "TOTAL"}
    _run(loop, engine, "BatchExecuteStatement", {"Statements": [_request(entry) for entry in entries], **mode})
    _run(loop, engine, "ExecuteTransaction", {"TransactStatements": [_request(entry) for entry in entries], **mode})
