"""Changes on their way to Kinesis: every item's in order, whatever is refused; and what a record says."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from atoll.kinesis.consignment import RECORD_BYTES_MAX, REQUEST_BYTES_MAX, REQUEST_RECORDS_MAX, Consignment
from atoll.kinesis.record import Outgoing, RecordForm
from region.model import settings
from region.model.change import CAUSE_EXPIRY, INSERTED, ITEM, REMOVED, LogRecord
from region.model.settings import Register
from region.model.table import LocalState, Table, TableRecord
from region.model.version import Version

HERE = "us-east-1"


def change(sequence: int, key: str, size: int = 10) -> Outgoing:
    return Outgoing(sequence, key, b"x" * size, sequence, 1)


@given(st.lists(st.sampled_from("abcdef"), max_size=60), st.data())
def test_each_item_arrives_in_order_and_whole_whatever_is_refused(items: list[str], data: st.DataObject) -> None:
    consignment = Consignment(change(sequence, key) for sequence, key in enumerate(items))
    arrived: list[Outgoing] = []
    while consignment:
        sent = consignment.next()
        assert len({it.partition_key for it in sent}) == len(sent)
        refused = data.draw(st.sets(st.integers(0, len(sent) - 1), max_size=len(sent) - 1))
        arrived += consignment.arrived(sent, refused)
    for key in set(items):
        assert [it.sequence for it in arrived if it.partition_key == key] == [
            sequence for sequence, item in enumerate(items) if item == key
        ]
    assert consignment.oldest_ms is None


def test_a_request_is_within_the_limits_of_kinesis() -> None:
    many = Consignment(change(n, str(n)) for n in range(REQUEST_RECORDS_MAX + 1))
    assert len(many.next()) == REQUEST_RECORDS_MAX
    large = Consignment(change(n, str(n), RECORD_BYTES_MAX - 10) for n in range(10))
    assert sum(it.size for it in large.next()) <= REQUEST_BYTES_MAX
    assert len(large.next()) == 5


def test_what_no_request_can_hold_is_left_out_and_named() -> None:
    consignment = Consignment([change(1, "a", RECORD_BYTES_MAX + 1), change(2, "a")])
    assert [it.sequence for it in consignment.oversized] == [1]
    assert [it.sequence for it in consignment.next()] == [2]


def test_the_oldest_is_that_of_what_has_not_arrived() -> None:
    consignment = Consignment([change(5, "a"), change(6, "b"), change(7, "a")])
    assert consignment.oldest_ms == 5
    consignment.arrived(consignment.next(), {1})
    assert consignment.oldest_ms == 6
    assert len(consignment) == 2


def shown(**fields: Any) -> dict[str, Any]:
    """Return the record of a change of the item with the key 7."""
    definition = {
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "N"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }
    registers = {settings.DEFINITION: Register(1, HERE, definition)}
    local = LocalState(table_id="0f", created_ms=1)
    table = Table(TableRecord(id=1, uid="u", name="things", registers=registers, local=local))
    values: dict[str, Any] = {"image": None, "size": 0, "old_image": None, "cause": 0, "effect": REMOVED, "old_size": 0}
    values |= {"version": Version(1_700_000_000_123 << 16 | 5, HERE), **fields}
    precision = values.pop("precision", "MILLISECOND")
    key = table.key_of({"id": {"N": "7"}})
    record = LogRecord(sequence=9, kind=ITEM, table_uid="u", key=key, group=None, request_id=None, **values)
    outgoing = RecordForm(HERE, table, "arn", precision).write(record)
    found: dict[str, Any] = json.loads(outgoing.data)
    return found | {"units": outgoing.units}


def test_an_expiry_is_told_apart_where_it_happened_and_nowhere_else() -> None:
    service = {"principalId": "dynamodb.amazonaws.com", "type": "Service"}
    assert shown(cause=CAUSE_EXPIRY)["userIdentity"] == service
    assert shown(cause=CAUSE_EXPIRY, version=Version(1 << 16, "eu-west-1"))["userIdentity"] is None
    assert shown()["userIdentity"] is None


def test_writes_of_one_millisecond_have_different_microseconds() -> None:
    assert shown()["dynamodb"]["ApproximateCreationDateTime"] == 1_700_000_000_123
    assert shown(precision="MICROSECOND")["dynamodb"]["ApproximateCreationDateTime"] == 1_700_000_000_123_005


def test_units_are_those_of_the_larger_image_and_the_size_that_of_all_that_is_said() -> None:
    record = shown(image=b'{"id":{"N":"7"}}', size=2000, old_image=b'{"id":{"N":"7"}}', old_size=100, effect=INSERTED)
    assert record["units"] == 2
    assert record["dynamodb"]["SizeBytes"] == 2100 + 4
