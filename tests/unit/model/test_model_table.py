"""Tables: keys taken from items and checked as AWS checks them, sparse indexes, and projections."""

from __future__ import annotations

from typing import Any

import pytest

from region.errors import ValidationError
from region.model import keys
from region.model.settings import Register
from region.model.table import IndexState, LocalState, Table, TableRecord

INVALID = "One or more parameter values were invalid: "


def attributes(**types: str) -> list[dict[str, str]]:
    """Return ``AttributeDefinitions``."""
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]


def schema(hash_: str, range_: str | None = None) -> list[dict[str, str]]:
    """Return a ``KeySchema``."""
    elements = [{"AttributeName": hash_, "KeyType": "HASH"}]
    return [*elements, {"AttributeName": range_, "KeyType": "RANGE"}] if range_ else elements


def table(*, projection: dict[str, Any] | None = None, **registers: Any) -> Table:
    """Return a table of orders by customer, with a GSI by (status, total) and an LSI by date."""
    by_date = {"IndexName": "by_date", "KeySchema": schema("customer", "date")}
    definition = {
        "AttributeDefinitions": attributes(customer="S", order="N", date="S"),
        "KeySchema": schema("customer", "order"),
        "LocalSecondaryIndexes": [{**by_date, "Projection": {"ProjectionType": "KEYS_ONLY"}}],
    }
    by_status = {
        "IndexName": "by_status",
        "AttributeDefinitions": attributes(status="S", total="N"),
        "KeySchema": schema("status", "total"),
        "Projection": projection or {"ProjectionType": "ALL"},
    }
    values = {"definition": definition, "index:by_status": by_status, **registers}
    return Table(
        TableRecord(
            id=1,
            uid="u-1",
            name="orders",
            registers={name: Register(1, "us-east-1", value) for name, value in values.items()},
            local=LocalState(
                table_id="t-1",
                created_ms=0,
                indexes={"by_date": IndexState(1, "ACTIVE"), "by_status": IndexState(2, "ACTIVE")},
            ),
        )
    )


KEY = {"customer": {"S": "ann"}, "order": {"N": "7"}}
WHOLE = {**KEY, "date": {"S": "2026-11-01"}, "status": {"S": "paid"}, "total": {"N": "12.5"}, "note": {"S": "x"}}


def test_the_key_of_an_item_and_the_key_parameter_are_the_same_bytes() -> None:
    expected = keys.key((KEY["customer"],), (KEY["order"],))
    assert table().check_item_keys(WHOLE) == table().key_of(KEY) == expected
    assert table().key_attributes(WHOLE) == KEY


def test_an_index_entry_ends_in_the_key_of_its_item() -> None:
    base = table().key_of(KEY)
    entry = table().indexes["by_status"].entry_key(WHOLE, base)
    assert entry == keys.key((WHOLE["status"],), (WHOLE["total"],)) + base


@pytest.mark.parametrize("missing", ["status", "total"])
def test_an_item_without_all_index_key_attributes_is_not_in_the_index(missing: str) -> None:
    item = {name: value for name, value in WHOLE.items() if name != missing}
    assert table().indexes["by_status"].entry_key(item, b"") is None


@pytest.mark.parametrize(
    ("projection", "carried"),
    [
        ({"ProjectionType": "ALL"}, set(WHOLE)),
        ({"ProjectionType": "KEYS_ONLY"}, {"customer", "order", "status", "total"}),
        ({"ProjectionType": "INCLUDE", "NonKeyAttributes": ["note"]}, {"customer", "order", "status", "total", "note"}),
    ],
)
def test_an_index_carries_what_its_projection_says(projection: dict[str, Any], carried: set[str]) -> None:
    assert set(table(projection=projection).indexes["by_status"].project(WHOLE)) == carried


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": None}, INVALID + "Missing the key order in the item"),
        ({"order": {"S": "7"}}, INVALID + "Type mismatch for key order expected: N actual: S"),
        (
            {"customer": {"S": ""}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            "empty string value. Key: customer",
        ),
        (
            {"customer": {"S": "x" * 2049}},
            INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
        (
            {"status": {"N": "1"}},
            INVALID + "Type mismatch for Index Key status Expected: S Actual: N IndexName: by_status",
        ),
        (
            {"status": {"S": ""}},
            "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
            "The AttributeValue for a key attribute cannot contain an empty string value. IndexName: by_status, "
            "IndexKey: status",
        ),
    ],
)
def test_an_item_whose_keys_are_wrong_is_refused_in_the_words_of_aws(change: dict[str, Any], message: str) -> None:
    item = {name: value for name, value in {**WHOLE, **change}.items() if value is not None}
    with pytest.raises(ValidationError) as caught:
        table().check_item_keys(item)
    assert caught.value.message == message


@pytest.mark.parametrize(
    "key",
    [{}, {"customer": {"S": "ann"}}, {**KEY, "more": {"S": "x"}}, {**KEY, "order": {"S": "7"}}, {"a": {}, "b": {}}],
)
def test_a_key_parameter_that_is_not_exactly_the_key_is_refused(key: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="The provided key element does not match the schema"):
        table().key_of(key)


@pytest.mark.parametrize(("size", "accepted"), [(2048, True), (2049, False)])
def test_a_hash_key_may_have_2048_bytes_of_utf8(size: int, accepted: bool) -> None:
    text = "é" * (size // 2) + "x" * (size % 2)
    item = {**WHOLE, "customer": {"S": text}}
    if accepted:
        assert table().check_item_keys(item)
        return
    with pytest.raises(ValidationError, match="Size of hashkey has exceeded"):
        table().check_item_keys(item)


def test_a_table_is_replicated_once_it_has_had_a_member() -> None:
    assert not table().replicated
    assert table(**{"replica:eu-west-1": {"RegionName": "eu-west-1"}}).members() == {
        "eu-west-1": {"RegionName": "eu-west-1"}
    }
    former = table(**{"replica:eu-west-1": None})
    assert former.replicated
    assert former.members() == {}


@pytest.mark.parametrize(
    ("view", "kept"), [("KEYS_ONLY", False), ("NEW_IMAGE", False), ("OLD_IMAGE", True), ("NEW_AND_OLD_IMAGES", True)]
)
def test_old_images_are_kept_where_the_stream_shows_them(view: str, kept: bool) -> None:
    assert table(stream={"StreamEnabled": True, "StreamViewType": view}).keeps_old_images is kept


def test_an_index_that_this_region_has_not_built_yet_is_not_used() -> None:
    record = table().record
    bare = Table(
        TableRecord(id=1, uid="u", name="t", registers=record.registers, local=LocalState(table_id="t", created_ms=0))
    )
    assert bare.indexes == {}
