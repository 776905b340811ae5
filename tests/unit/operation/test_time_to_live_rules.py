"""Time to live: what the two operations answer, and what the sweep deletes and leaves alone."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import EU, START_MS, US, Replica, TestFleet, simple_table
from hypothesis import given
from hypothesis import strategies as st

from region.errors import DynamoError, ResourceInUseError, ResourceNotFoundError, ValidationError
from region.model import expiry, image
from region.model.change import CAUSE_EXPIRY, CAUSE_REQUEST, ITEM
from region.operation import OPERATIONS
from region.operation.setting.time_to_live import BUILD_ITEMS, SWEEP_ITEMS, sweep

NOW_S = START_MS // 1000
HOUR_MS = 3_600_000
SWEEP_MS = 1000
YEAR_S = 365 * 24 * 60 * 60


def call(replica: Replica, operation: str, **request: Any) -> dict[str, Any]:
    answer: dict[str, Any] = replica.work(lambda context: OPERATIONS[operation].run(context, request))
    return answer


def update(replica: Replica, *, enabled: bool, attribute: str = "e") -> dict[str, Any]:
    specification = {"Enabled": enabled, "AttributeName": attribute}
    return call(replica, "UpdateTimeToLive", TableName="table", TimeToLiveSpecification=specification)


def described(replica: Replica) -> dict[str, Any]:
    description: dict[str, Any] = call(replica, "DescribeTimeToLive", TableName="table")["TimeToLiveDescription"]
    return description


def swept(replica: Replica) -> float | None:
    """Do all the sweeping that is due; return in how many ms there is more."""
    while (wait_ms := replica.work(sweep)) == 0:
        pass
    wait: float | None = wait_ms
    return wait


def put(replica: Replica, key: str, **attributes: Any) -> None:
    replica.put({"a": {"S": key}, **attributes})


def keys(replica: Replica) -> list[str]:
    entries = replica.store.scan(replica.table(), None, b"", None)
    return sorted(image.decode(entry.image)["a"]["S"] for entry in entries)


def seconds(at_s: float | str) -> dict[str, str]:
    return {"N": str(at_s)}


@pytest.fixture
def us() -> Replica:
    """A region with an empty table."""
    replica = TestFleet(US)[US]
    replica.call("CreateTable", **simple_table())
    return replica


@pytest.fixture
def pair() -> TestFleet:
    """A table in two regions."""
    fleet = TestFleet(US, EU)
    fleet[US].call("CreateTable", **simple_table())
    fleet[US].call("UpdateTable", TableName="table", ReplicaUpdates=[{"Create": {"RegionName": EU}}])
    fleet.ship()
    return fleet


def test_the_setting_is_answered_as_it_was_asked_for_and_described(us: Replica) -> None:
    assert described(us) == {"TimeToLiveStatus": "DISABLED"}
    assert update(us, enabled=True) == {"TimeToLiveSpecification": {"Enabled": True, "AttributeName": "e"}}
    assert described(us) == {"TimeToLiveStatus": "ENABLED", "AttributeName": "e"}
    us.fleet.time.advance(HOUR_MS)
    assert update(us, enabled=False) == {"TimeToLiveSpecification": {"Enabled": False, "AttributeName": "e"}}
    assert described(us) == {"TimeToLiveStatus": "DISABLED"}


def test_a_slow_region_shows_enabling_and_disabling_and_expires_nothing_meanwhile() -> None:
    us = TestFleet(US, transition_ms=500)[US]
    us.call("CreateTable", **simple_table())
    us.fleet.tick(500)
    put(us, "old", e=seconds(NOW_S - 1))
    update(us, enabled=True)
    assert described(us) == {"TimeToLiveStatus": "ENABLING", "AttributeName": "e"}
    swept(us)
    assert keys(us) == ["old"]
    us.fleet.tick(500)
    assert described(us) == {"TimeToLiveStatus": "ENABLED", "AttributeName": "e"}
    swept(us)
    assert keys(us) == []
    us.fleet.tick(HOUR_MS)
    update(us, enabled=False)
    assert described(us) == {"TimeToLiveStatus": "DISABLING", "AttributeName": "e"}
    us.fleet.tick(500)
    assert described(us) == {"TimeToLiveStatus": "DISABLED"}


@pytest.mark.parametrize(
    ("enabled", "attribute", "then_enabled", "then_attribute", "message"),
    [
        (True, "e", True, "e", "TimeToLive is already enabled"),
        (
            True,
            "e",
            True,
            "f",
            "TimeToLive is active on a different AttributeName: current AttributeName is e",
        ),
        (
            True,
            "e",
            False,
            "f",
            "TimeToLive is active on a different AttributeName: current AttributeName is e",
        ),
        (True, "e", False, "e", "Time to live has been modified multiple times within a fixed interval"),
    ],
)
def test_a_change_is_refused_in_aws_words(
    us: Replica, enabled: bool, attribute: str, then_enabled: bool, then_attribute: str, message: str
) -> None:
    update(us, enabled=enabled, attribute=attribute)
    with pytest.raises(ValidationError) as caught:
        update(us, enabled=then_enabled, attribute=then_attribute)
    assert caught.value.message == message


def test_what_is_off_cannot_be_switched_off(us: Replica) -> None:
    with pytest.raises(ValidationError) as caught:
        update(us, enabled=False)
    assert caught.value.message == "TimeToLive is already disabled"


def test_the_hour_counts_from_the_last_change_in_any_region(pair: TestFleet) -> None:
    update(pair[US], enabled=True)
    pair.ship()
    pair.time.advance(HOUR_MS - 1)
    with pytest.raises(ValidationError, match="multiple times within a fixed interval"):
        update(pair[EU], enabled=False)
    pair.time.advance(1)
    update(pair[EU], enabled=False)
    with pytest.raises(ValidationError, match="multiple times within a fixed interval"):
        update(pair[EU], enabled=True, attribute="f")


@pytest.mark.parametrize("operation", ["UpdateTimeToLive", "DescribeTimeToLive"])
def test_a_missing_table_is_not_found(us: Replica, operation: str) -> None:
    specification = {"Enabled": True, "AttributeName": "e"}
    with pytest.raises(ResourceNotFoundError) as caught:
        call(us, operation, TableName="absent", TimeToLiveSpecification=specification)
    assert caught.value.message == "Requested resource not found: Table: absent not found"


def test_a_table_that_is_being_created_is_in_use() -> None:
    us = TestFleet(US, transition_ms=500)[US]
    us.call("CreateTable", **simple_table())
    with pytest.raises(ResourceInUseError):
        update(us, enabled=True)


def test_expired_items_go_and_all_others_stay(us: Replica) -> None:
    update(us, enabled=True)
    swept(us)
    expired = {"just": NOW_S - 1, "fraction": "1795415399.5", "old": NOW_S - 5 * YEAR_S + 1, "exactly": NOW_S}
    kept = {
        "future": seconds(NOW_S + 1),
        "ancient": seconds(NOW_S - 5 * YEAR_S - 1),
        "milliseconds": seconds(START_MS - 1000),
        "huge": seconds("1" + "0" * 38),
        "tiny": seconds("0." + "0" * 100 + "1"),
        "negative": seconds(-1),
        "text": {"S": str(NOW_S - 1)},
        "list": {"L": [seconds(NOW_S - 1)]},
        "set": {"NS": [str(NOW_S - 1)]},
    }
    for key, at_s in expired.items():
        put(us, key, e=seconds(at_s))
    for key, value in kept.items():
        put(us, key, e=value)
    put(us, "without")
    assert len(keys(us)) == len(expired) + len(kept) + 1, "until the sweep has run, all are seen"
    assert swept(us) == SWEEP_MS
    assert sorted(keys(us)) == sorted([*kept, "without"])


def test_an_item_that_was_renewed_overwritten_or_deleted_is_never_deleted_by_its_old_expiry(us: Replica) -> None:
    update(us, enabled=True)
    for key in ("renewed", "overwritten", "text", "deleted"):
        put(us, key, e=seconds(NOW_S + 10))
    swept(us)
    us.fleet.time.advance(20_000)
    put(us, "renewed", e=seconds(NOW_S + 100))
    put(us, "overwritten")
    put(us, "text", e={"S": "never"})
    us.work(lambda context: delete(context, "deleted"))
    head = us.store.log_head()
    swept(us)
    assert sorted(keys(us)) == ["overwritten", "renewed", "text"]
    assert us.store.log_head() == head
    us.fleet.time.advance(100_000)
    swept(us)
    assert sorted(keys(us)) == ["overwritten", "text"]


def delete(context: Any, key: str) -> None:
    table = context.catalogue.by_name["table"]
    encoded = table.key_of({"a": {"S": key}})
    context.write(table, encoded, None, 0, context.reader.get(table, encoded))


def test_a_deletion_is_logged_with_its_cause_and_leaves_a_tombstone_in_a_global_table(pair: TestFleet) -> None:
    us = pair[US]
    update(us, enabled=True)
    put(us, "old", e=seconds(NOW_S - 1))
    swept(us)
    records = us.store.read_log(0, limit=100, bytes_max=1 << 20)
    assert [record.cause for record in records if record.kind == ITEM] == [CAUSE_REQUEST, CAUSE_EXPIRY]
    assert records[-1].image is None
    stored = us.store.get(us.table(), us.table().key_of({"a": {"S": "old"}}))
    assert stored is not None
    assert stored.image is None
    assert stored.version.origin == US


def test_items_from_before_ttl_was_switched_on_expire_too_in_bounded_steps(us: Replica) -> None:
    count = 2 * BUILD_ITEMS + 1
    for number in range(count):
        put(us, f"{number:04}", e=seconds(NOW_S - 1 if number % 2 else NOW_S + 1))
    update(us, enabled=True)
    steps = 0
    before = count
    while us.work(sweep) == 0:
        steps += 1
        now = len(keys(us))
        assert before - now <= SWEEP_ITEMS
        before = now
    assert keys(us) == [f"{number:04}" for number in range(0, count, 2)]
    assert steps >= 3 + count // 2 // SWEEP_ITEMS


def test_writes_while_the_index_is_being_built_are_judged_by_what_they_wrote_last(us: Replica) -> None:
    for number in range(BUILD_ITEMS + 50):
        put(us, f"{number:04}", e=seconds(NOW_S - 1))
    update(us, enabled=True)
    us.work(sweep)
    put(us, "0000", e=seconds(NOW_S + 5))
    put(us, f"{BUILD_ITEMS + 10:04}", e=seconds(NOW_S + 5))
    put(us, "9999", e=seconds(NOW_S - 1))
    swept(us)
    assert keys(us) == ["0000", f"{BUILD_ITEMS + 10:04}"]


def test_the_setting_travels_and_each_region_sweeps_on_its_own(pair: TestFleet) -> None:
    for replica in (pair[US], pair[EU]):
        put(replica, "old", e=seconds(NOW_S - 1))
    update(pair[US], enabled=True)
    assert swept(pair[EU]) is None
    pair.ship()
    assert described(pair[EU]) == {"TimeToLiveStatus": "ENABLED", "AttributeName": "e"}
    assert (swept(pair[US]), swept(pair[EU])) == (SWEEP_MS, SWEEP_MS)
    assert (keys(pair[US]), keys(pair[EU])) == ([], [])


def test_switched_off_nothing_expires_and_another_attribute_may_follow(us: Replica) -> None:
    update(us, enabled=True)
    put(us, "one", e=seconds(NOW_S - 1), f=seconds(NOW_S + 1))
    us.fleet.time.advance(HOUR_MS)
    update(us, enabled=False)
    assert swept(us) is None
    assert keys(us) == ["one"]
    us.fleet.time.advance(HOUR_MS)
    update(us, enabled=True, attribute="f")
    swept(us)
    assert keys(us) == []


def test_a_deleted_table_leaves_no_index_of_expiries_behind(us: Replica) -> None:
    update(us, enabled=True)
    put(us, "old", e=seconds(NOW_S - 1))
    us.call("DeleteTable", TableName="table")
    assert swept(us) is None
    us.call("CreateTable", **simple_table())
    assert described(us) == {"TimeToLiveStatus": "DISABLED"}


def test_a_replica_that_comes_back_expires_what_it_gets(pair: TestFleet) -> None:
    update(pair[US], enabled=True)
    pair.ship()
    for action in ("Delete", "Create"):
        pair[US].call("UpdateTable", TableName="table", ReplicaUpdates=[{action: {"RegionName": EU}}])
        pair.ship()
    put(pair[EU], "old", e=seconds(NOW_S - 1))
    swept(pair[EU])
    assert keys(pair[EU]) == []


def test_an_error_of_the_setting_changes_nothing(us: Replica) -> None:
    update(us, enabled=True)
    before = us.table().registers
    with pytest.raises(DynamoError):
        update(us, enabled=True, attribute="f")
    assert us.table().registers == before


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**15), max_value=10**15))
def test_an_expiry_is_never_rounded_to_an_earlier_second(number: Any) -> None:
    text = format(number.normalize(), "f")
    at_s = expiry.expires_s({"e": {"N": text}}, "e")
    if at_s is None:
        assert number < 0 or number >= expiry.SECONDS_MAX or len(text) > 12
    else:
        assert 0 <= at_s - number < 1
