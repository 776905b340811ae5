"""Moments and keys as people write them."""

from __future__ import annotations

import pytest

from atoll import item_keys, moments
from atoll.findings import shown_key
from region.model import settings
from region.model.settings import Register
from region.model.table import LocalState, Table, TableRecord

NOW_MS = 1_800_000_000_000


def table_of(*names: str) -> Table:
    definition = {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
        "KeySchema": [
            {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
        ],
    }
    local = LocalState(table_id="table-id", created_ms=1)
    registers = {settings.DEFINITION: Register(1, "here", definition)}
    return Table(TableRecord(id=1, uid="uid", name="Music", registers=registers, local=local))


TABLE = table_of("artist", "song")
SIMPLE = table_of("artist")


@pytest.mark.parametrize(
    ("text", "moment_ms"),
    [
        ("-30s", NOW_MS - 30_000),
        ("-1.5m", NOW_MS - 90_000),
        ("-2h", NOW_MS - 7_200_000),
        ("-1d", NOW_MS - 86_400_000),
        ("-250ms", NOW_MS - 250),
        ("1799999999", 1_799_999_999_000),
        ("1799999999.25", 1_799_999_999_250),
        ("2026-11-27T05:00:00Z", 1_795_755_600_000),
        ("2026-11-27T05:00:00.125", 1_795_755_600_125),
        ("2026-11-27 06:00:00+01:00", 1_795_755_600_000),
    ],
)
def test_a_moment_is_iso_8601_or_epoch_seconds_or_how_long_ago(text: str, moment_ms: int) -> None:
    assert moments.parse(text, NOW_MS) == moment_ms


@pytest.mark.parametrize("text", ["", "soon", "30s", "-30", "-1w", "2026-13-01", "٣"])
def test_anything_else_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no moment\. Write 2026"):
        moments.parse(text, NOW_MS)


def test_a_moment_is_shown_as_it_can_be_written() -> None:
    assert moments.parse(moments.show(NOW_MS + 7), 0) == NOW_MS + 7
    assert moments.show(NOW_MS + 7).endswith(moments.clock(NOW_MS + 7) + "Z")


@pytest.mark.parametrize("text", ["Nina,Sinnerman, live", '{"artist":{"S":"Nina"},"song":{"S":"Sinnerman, live"}}'])
def test_a_key_is_its_values_or_dynamodb_json(text: str) -> None:
    key = item_keys.parse(TABLE, text)
    assert item_keys.attributes(TABLE, key) == {"artist": {"S": "Nina"}, "song": {"S": "Sinnerman, live"}}
    assert shown_key(item_keys.attributes(TABLE, key)) == "artist=Nina, song=Sinnerman, live"


def test_a_key_without_a_sort_key_may_hold_commas() -> None:
    assert item_keys.attributes(SIMPLE, item_keys.parse(SIMPLE, "a,b")) == {"artist": {"S": "a,b"}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Nina", "'Nina' is no key of Music. Write artist,song or"),
        ("{nonsense", "is no JSON"),
        ('{"artist":{"S":"Nina"}}', "The provided key element does not match the schema"),
        (",b", "empty string value"),
    ],
)
def test_what_is_no_key_is_explained(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        item_keys.parse(TABLE, text)
