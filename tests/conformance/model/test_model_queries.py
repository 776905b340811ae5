"""Random queries and scans of tables and indexes, either way and page by page, find what sorting a list would find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine_model import SCALARS, Predicate, Region, conditions, in_region, order, with_values
from hypothesis import given, settings
from hypothesis import strategies as st

TABLE = "things"
KINDS = {"pk": "S", "sk": "N", "g": "S", "b": "B"}
INDEXES: dict[str | None, tuple[str, str | None]] = {
    None: ("pk", "sk"),
    "global": ("g", "sk"),
    "keyed": ("b", None),
    "local": ("pk", "b"),
}
CARRIED = {"pk", "sk", "b"}
PAGES_MAX = 200


def _schema(hash_key: str, range_key: str | None) -> list[dict[str, str]]:
    kinds = (("HASH", hash_key), ("RANGE", range_key))
    return [{"AttributeName": name, "KeyType": kind} for kind, name in kinds if name is not None]


def _index(name: str, kind: str = "ALL") -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": _schema(*INDEXES[name]), "Projection": {"ProjectionType": kind}}


DEFINITION: dict[str, Any] = {
    "TableName": TABLE,
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in KINDS.items()],
    "KeySchema": _schema("pk", "sk"),
    "GlobalSecondaryIndexes": [_index("global"), _index("keyed", "KEYS_ONLY")],
    "LocalSecondaryIndexes": [_index("local")],
}


def _of(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from([value for value in SCALARS if kind in value])


_items = st.fixed_dictionaries(
    {"pk": st.sampled_from([{"S": "a"}, {"S": "b"}]), "sk": _of("N")},
    optional={"g": st.sampled_from([{"S": "a"}, {"S": "ab"}]), "b": _of("B"), "a": st.sampled_from(SCALARS)},
)
_ranges: dict[str, Callable[[Any, Any, Any], bool]] = {
    "{name} = {low}": lambda value, low, high: value == low,
    "{name} < {low}": lambda value, low, high: value < low,
    "{name} <= {low}": lambda value, low, high: value <= low,
    "{name} > {low}": lambda value, low, high: value > low,
    "{name} >= {low}": lambda value, low, high: value >= low,
    "{name} BETWEEN {low} AND {high}": lambda value, low, high: low <= value <= high,
    "begins_with({name}, {low})": lambda value, low, high: value.startswith(low),
}


async def pages(region: Region, operation: str, request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the items of all pages, each of which holds no more than the limit."""
    items: list[dict[str, Any]] = []
    for _ in range(PAGES_MAX):
        answer = await region.run(operation, **request)
        assert answer["Count"] == len(answer["Items"]) <= answer["ScannedCount"] <= request.get("Limit", 1 << 30)
        items += answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return items
        request = {**request, "ExclusiveStartKey": answer["LastEvaluatedKey"]}
    raise AssertionError("the pages do not end")


def identity(item: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells items apart, in the words that hold for them all."""
    return tuple(sorted((name, str(value)) for name, value in item.items()))


@st.composite
def _queries(draw: st.DrawFn) -> tuple[str | None, dict[str, Any], Callable[[dict[str, Any]], bool], bool]:
    """Return an index, a request, which items it selects, and whether it goes forward."""
    name = draw(st.sampled_from(list(INDEXES)))
    hash_key, range_key = INDEXES[name]
    wanted = draw(_of(KINDS[hash_key]))
    values, text = {":h": wanted}, f"{hash_key} = :h"
    within: Callable[[Any], bool] = lambda value: True  # noqa: E731  # The default of what is drawn below.
    if range_key is not None and draw(st.booleans()):
        kinds = [form for form in _ranges if KINDS[range_key] != "N" or "begins" not in form]
        form = draw(st.sampled_from(kinds))
        low, high = sorted(draw(st.tuples(_of(KINDS[range_key]), _of(KINDS[range_key]))), key=order)
        values |= {":low": low} | ({":high": high} if "high" in form else {})
        text += " AND " + form.format(name=range_key, low=":low", high=":high")
        within = lambda value: _ranges[form](order(value), order(low), order(high))  # noqa: E731  # As above.
    forward = draw(st.booleans())
    request: dict[str, Any] = {"KeyConditionExpression": text, "ScanIndexForward": forward, **_named(name)}
    request["ExpressionAttributeValues"] = values

    def selects(item: dict[str, Any]) -> bool:
        in_partition = item.get(hash_key) == wanted
        return in_partition and (range_key is None or (range_key in item and within(item[range_key])))

    return name, request, selects, forward


def _named(name: str | None) -> dict[str, Any]:
    return {"TableName": TABLE} if name is None else {"TableName": TABLE, "IndexName": name}


def carried(name: str | None, item: dict[str, Any]) -> dict[str, Any]:
    """Return what an index holds of an item."""
    return {key: value for key, value in item.items() if key in CARRIED} if name == "keyed" else item


async def _fill(region: Region, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write items, of which later ones replace earlier ones; return what is left."""
    await region.run("CreateTable", **DEFINITION)
    left: dict[tuple[str, str], dict[str, Any]] = {}
    for item in items:
        await region.run("PutItem", TableName=TABLE, Item=item)
        left[item["pk"]["S"], item["sk"]["N"]] = item
    return list(left.values())


@settings(max_examples=150)
@given(st.lists(_items, max_size=30), st.lists(_queries(), min_size=1, max_size=6), st.integers(1, 5))
def test_a_query_finds_what_sorting_a_list_would_find(items: list[Any], queries: list[Any], limit: int) -> None:
    async def story(region: Region) -> None:
        left = await _fill(region, items)
        for name, request, selects, forward in queries:
            expected = [carried(name, item) for item in left if selects(item)]
            found = await pages(region, "Query", request)
            assert sorted(map(identity, found)) == sorted(map(identity, expected))
            range_key = INDEXES[name][1]
            if range_key is not None:
                keys = [order(item[range_key]) for item in found]
                assert keys == sorted(keys, reverse=not forward)
            assert await pages(region, "Query", {**request, "Limit": limit}) == found
            backward = await pages(region, "Query", {**request, "ScanIndexForward": not forward})
            assert backward == found[::-1]

    in_region(story)


@settings(max_examples=100)
@given(
    st.lists(_items, max_size=30),
    st.sampled_from([None, "global", "local"]),
    conditions,
    st.integers(1, 5),
    st.integers(1, 4),
)
def test_a_scan_finds_what_a_filter_over_a_list_would_find(
    items: list[Any], name: str | None, condition: Predicate, limit: int, segments: int
) -> None:
    async def story(region: Region) -> None:
        left = await _fill(region, items)
        keys = [key for key in INDEXES[name] if key is not None]
        expected = [item for item in left if all(key in item for key in keys) and condition.holds(item)]
        request = with_values({**_named(name), "FilterExpression": condition.text}, condition.text)
        found = await pages(region, "Scan", {**request, "Limit": limit})
        assert sorted(map(identity, found)) == sorted(map(identity, expected))
        shares = [
            await pages(region, "Scan", {**request, "Segment": segment, "TotalSegments": segments})
            for segment in range(segments)
        ]
        assert sorted(identity(item) for share in shares for item in share) == sorted(map(identity, expected))

    in_region(story)
