"""The life of replicas: registers travel, regions make, fill, change and drop what they are told, and all agree."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import AP, EU, US, Replica, TestFleet, attributes, deliver, index, simple_table
from hypothesis import given
from hypothesis import strategies as st

from region.errors import DynamoError, ResourceNotFoundError
from region.model import settings
from region.operation.replica import replicas

DELAY_MS = 1000


def replicate(replica: Replica, kind: str, region: str, **more: Any) -> dict[str, Any]:
    update = {kind: {"RegionName": region, **more}}
    answer: dict[str, Any] = replica.call("UpdateTable", TableName="table", ReplicaUpdates=[update])["TableDescription"]
    return answer


def statuses(replica: Replica) -> dict[str, str]:
    return {it["RegionName"]: it["ReplicaStatus"] for it in replica.describe().get("Replicas", [])}


@pytest.fixture
def fleet() -> TestFleet:
    fleet = TestFleet()
    table = simple_table(AttributeDefinitions=attributes("a", "b"), GlobalSecondaryIndexes=[index("old", "b")])
    fleet[US].call("CreateTable", **table)
    replicate(fleet[US], "Create", EU)
    fleet.ship()
    return fleet


def test_a_new_replica_has_the_schema_and_its_own_empty_storage(fleet: TestFleet) -> None:
    us, eu = fleet[US].table(), fleet[EU].table()
    assert us.uid == eu.uid
    assert eu.indexes.keys() == us.indexes.keys()
    fleet[EU].put({"a": {"S": "x"}, "b": {"S": "y"}})
    assert (fleet[EU].describe()["ItemCount"], fleet[US].describe()["ItemCount"]) == (1, 0)
    assert len(fleet[EU].entries("old")) == 1


def test_a_region_that_is_no_member_keeps_nothing(fleet: TestFleet) -> None:
    assert fleet[AP].catalogue.by_uid == {}
    with pytest.raises(ResourceNotFoundError):
        fleet[AP].describe()


def test_repeated_and_old_announcements_change_nothing(fleet: TestFleet) -> None:
    before = fleet[EU].describe()
    head = fleet[EU].store.log_head()
    for record in reversed(fleet[US].announcements() * 2):
        deliver(fleet[US], fleet[EU], record)
    assert fleet[EU].describe() == before
    assert fleet[EU].store.log_head() == head


def test_an_index_made_in_one_region_is_made_and_filled_in_the_others(fleet: TestFleet) -> None:
    fleet[EU].put({"a": {"S": "x"}, "c": {"S": "y"}})
    created = {"Create": index("new", "c")}
    fleet[US].call(
        "UpdateTable",
        TableName="table",
        AttributeDefinitions=attributes("c"),
        GlobalSecondaryIndexUpdates=[created],
    )
    fleet.ship()
    shown = {it["IndexName"]: it["IndexStatus"] for it in fleet[EU].describe()["GlobalSecondaryIndexes"]}
    assert shown == {"old": "ACTIVE", "new": "CREATING"}
    fleet[EU].progress()
    assert len(fleet[EU].entries("new")) == 1
    fleet[EU].call("UpdateTable", TableName="table", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "old"}}])
    fleet.ship()
    fleet[US].progress()
    for region in (US, EU):
        assert [it["IndexName"] for it in fleet[region].describe()["GlobalSecondaryIndexes"]] == ["new"]


def test_an_index_replaced_under_the_same_name_is_built_again(fleet: TestFleet) -> None:
    fleet[EU].put({"a": {"S": "x"}, "b": {"S": "y"}, "c": {"S": "z"}})
    fleet[US].call("UpdateTable", TableName="table", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "old"}}])
    fleet[US].call(
        "UpdateTable",
        TableName="table",
        AttributeDefinitions=attributes("c"),
        GlobalSecondaryIndexUpdates=[{"Create": index("old", "c", kind="KEYS_ONLY")}],
    )
    deliver(fleet[US], fleet[EU], fleet[US].announcements()[-1])
    fleet[EU].progress()
    assert fleet[EU].entries("old") == [{"a": {"S": "x"}, "c": {"S": "z"}}]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"OnDemandThroughput": {"MaxWriteRequestUnits": 9}}, "OnDemandThroughput"),
        ({"WarmThroughput": {"ReadUnitsPerSecond": 20_000, "WriteUnitsPerSecond": 9_000}}, "WarmThroughput"),
        ({"TableClass": "STANDARD_INFREQUENT_ACCESS"}, "TableClassSummary"),
    ],
)
def test_a_shared_setting_changed_in_any_region_holds_in_all(
    fleet: TestFleet, change: dict[str, Any], shown: str
) -> None:
    before = fleet[US].describe().get(shown)
    fleet[EU].call("UpdateTable", TableName="table", **change)
    fleet.ship()
    assert before != fleet[US].describe()[shown] == fleet[EU].describe()[shown]


def test_encryption_travels_but_the_key_does_not(fleet: TestFleet) -> None:
    fleet[US].call("UpdateTable", TableName="table", SSESpecification={"Enabled": True, "KMSMasterKeyId": "mine"})
    fleet.ship()
    assert fleet[US].describe()["SSEDescription"]["KMSMasterKeyArn"].endswith(":key/mine")
    assert fleet[EU].describe()["SSEDescription"]["KMSMasterKeyArn"].endswith(":alias/aws/dynamodb")


def test_protection_and_tags_stay_where_they_were_set(fleet: TestFleet) -> None:
    fleet[US].call("UpdateTable", TableName="table", DeletionProtectionEnabled=True)
    fleet[US].call("TagResource", ResourceArn=fleet[US].describe()["TableArn"], Tags=[{"Key": "k", "Value": "v"}])
    fleet.ship()
    described = fleet[EU].describe()
    assert described["DeletionProtectionEnabled"] is False
    assert fleet[EU].call("ListTagsOfResource", ResourceArn=described["TableArn"]) == {"Tags": []}


def test_a_replica_overrides_reads_and_class_until_a_later_change_anywhere(fleet: TestFleet) -> None:
    replicate(
        fleet[US],
        "Update",
        EU,
        OnDemandThroughputOverride={"MaxReadRequestUnits": 4},
        TableClassOverride="STANDARD_INFREQUENT_ACCESS",
        GlobalSecondaryIndexes=[{"IndexName": "old", "OnDemandThroughputOverride": {"MaxReadRequestUnits": 3}}],
    )
    fleet[US].call("UpdateTable", TableName="table", OnDemandThroughput={"MaxWriteRequestUnits": 8})
    fleet.ship()
    (entry,) = fleet[US].describe()["Replicas"]
    assert entry["OnDemandThroughputOverride"] == {"MaxReadRequestUnits": 4}
    assert entry["ReplicaTableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert entry["GlobalSecondaryIndexes"][0]["OnDemandThroughputOverride"] == {"MaxReadRequestUnits": 3}
    mine = fleet[EU].describe()
    assert mine["OnDemandThroughput"] == {"MaxReadRequestUnits": 4, "MaxWriteRequestUnits": 8}
    assert mine["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert "TableClassSummary" not in fleet[US].describe()
    fleet[EU].call("UpdateTable", TableName="table", OnDemandThroughput={"MaxReadRequestUnits": 6})
    fleet[US].call("UpdateTable", TableName="table", TableClass="STANDARD")
    fleet.ship()
    mine = fleet[EU].describe()
    assert mine["OnDemandThroughput"] == {"MaxReadRequestUnits": 6, "MaxWriteRequestUnits": 8}
    assert mine["TableClassSummary"]["TableClass"] == "STANDARD"
    assert "OnDemandThroughputOverride" not in fleet[US].describe()["Replicas"][0]


def test_a_removed_replica_loses_its_items_and_the_last_one_stays_with_its_stream(fleet: TestFleet) -> None:
    fleet[EU].put({"a": {"S": "x"}})
    fleet[US].put({"a": {"S": "y"}})
    replicate(fleet[US], "Delete", EU)
    fleet.ship()
    assert fleet[EU].catalogue.by_name == {}
    described = fleet[US].describe()
    assert (described["ItemCount"], "StreamSpecification" in described, "Replicas" in described) == (1, True, False)
    fleet[US].call("UpdateTable", TableName="table", StreamSpecification={"StreamEnabled": False})


def test_a_replica_can_be_added_again_only_after_it_is_gone(fleet: TestFleet) -> None:
    first = fleet[EU].describe()["TableId"]
    fleet[EU].put({"a": {"S": "x"}})
    replicate(fleet[US], "Delete", EU)
    fleet.ship()
    replicate(fleet[US], "Create", EU)
    fleet.ship()
    described = fleet[EU].describe()
    assert (described["ItemCount"], described["TableStatus"]) == (0, "ACTIVE")
    assert described["TableId"] != first
    assert statuses(fleet[US]) == {EU: "ACTIVE"}


def test_a_replica_that_is_here_and_is_asked_for_anew_is_filled_again(fleet: TestFleet) -> None:
    uid = fleet[EU].table().uid
    asked = {"RegionName": EU, "ReplicaStatus": "CREATING"}
    registers = {settings.REPLICA + EU: settings.Register(fleet[US].clock.now() + (1 << 20), US, asked)}
    fleet[EU].work(lambda context: replicas.adopt(context, uid, "table", registers))
    assert fleet[EU].describe()["TableStatus"] == "CREATING"
    fleet.finish_bootstraps()
    assert fleet[EU].describe()["TableStatus"] == "ACTIVE"


def test_deleting_a_replica_in_its_own_region_tells_the_others(fleet: TestFleet) -> None:
    answer = fleet[EU].call("DeleteTable", TableName="table")["TableDescription"]
    assert answer["TableStatus"] == "DELETING"
    fleet.ship()
    assert "Replicas" not in fleet[US].describe()
    replicate(fleet[US], "Create", EU)
    fleet.ship()
    assert statuses(fleet[US]) == {EU: "ACTIVE"}


def test_the_source_may_leave_and_the_others_stay_global(fleet: TestFleet) -> None:
    replicate(fleet[EU], "Create", AP)
    fleet.ship()
    fleet[US].call("DeleteTable", TableName="table")
    fleet.ship()
    assert (statuses(fleet[EU]), statuses(fleet[AP])) == ({AP: "ACTIVE"}, {EU: "ACTIVE"})


def test_a_region_with_another_table_of_the_name_fails_the_replica_and_says_why(fleet: TestFleet) -> None:
    replicate(fleet[US], "Create", AP)
    fleet[AP].call("CreateTable", **simple_table())
    own = fleet[AP].describe()["TableId"]
    fleet.ship()
    assert fleet[AP].describe()["TableId"] == own
    entry = next(it for it in fleet[US].describe()["Replicas"] if it["RegionName"] == AP)
    assert entry["ReplicaStatus"] == "CREATION_FAILED"
    assert entry["ReplicaStatusDescription"] == replicas.NAME_TAKEN
    assert fleet[US].describe()["TableStatus"] == "ACTIVE"
    replicate(fleet[US], "Delete", AP)
    fleet.ship()
    assert statuses(fleet[US]) == {EU: "ACTIVE"}
    fleet[AP].call("DeleteTable", TableName="table")
    replicate(fleet[US], "Create", AP)
    fleet.ship()
    assert statuses(fleet[US]) == {AP: "ACTIVE", EU: "ACTIVE"}


def test_a_bootstrap_that_fails_gives_the_replica_up(fleet: TestFleet) -> None:
    replicate(fleet[US], "Create", AP)
    fleet.ship(finish=False)
    uid = fleet[US].table().uid
    fleet[AP].work(lambda context: replicas.replica_failed(context, uid, "no space"))
    fleet.ship()
    assert statuses(fleet[US]) == {AP: "CREATION_FAILED", EU: "ACTIVE"}
    with pytest.raises(ResourceNotFoundError):
        fleet[AP].describe()


def test_a_region_that_lost_its_file_is_filled_again_as_the_member_it_is(fleet: TestFleet) -> None:
    fresh = TestFleet(US, EU)
    fresh[US].clock.observe(fleet[EU].clock.now(), force=True)
    deliver(fleet[EU], fresh[US], fleet[EU].announcements()[-1])
    assert fresh[US].describe()["TableStatus"] == "CREATING"
    fresh.finish_bootstraps()
    assert fresh[US].describe()["TableStatus"] == "ACTIVE"


def test_a_stale_word_of_membership_does_not_bring_a_dropped_replica_back(fleet: TestFleet) -> None:
    uid = fleet[EU].table().uid
    fleet[EU].call("DeleteTable", TableName="table")
    replicate(fleet[US], "Update", EU, TableClassOverride="STANDARD")
    fleet[EU].clock.observe(fleet[US].clock.now(), force=True)
    fleet.ship()
    assert fleet[EU].catalogue.by_name == {}
    assert "Replicas" not in fleet[US].describe()
    assert fleet[EU].catalogue.by_uid[uid].record.dropped


def test_with_delays_a_replica_is_creating_and_deleting_until_they_have_passed() -> None:
    fleet = TestFleet(transition_ms=DELAY_MS)
    fleet[US].call("CreateTable", **simple_table())
    fleet.tick(DELAY_MS)
    replicate(fleet[US], "Create", EU)
    fleet.ship()
    assert (fleet[EU].describe()["TableStatus"], statuses(fleet[US])) == ("CREATING", {EU: "CREATING"})
    fleet.tick(DELAY_MS)
    fleet.ship()
    assert (fleet[EU].describe()["TableStatus"], statuses(fleet[US])) == ("ACTIVE", {EU: "ACTIVE"})
    replicate(fleet[US], "Delete", EU)
    fleet.ship()
    assert (fleet[EU].describe()["TableStatus"], statuses(fleet[US])) == ("DELETING", {EU: "DELETING"})
    fleet.tick(DELAY_MS)
    fleet.ship()
    assert fleet[US].describe()["TableStatus"] == "ACTIVE"
    assert (fleet[EU].catalogue.by_name, statuses(fleet[US])) == ({}, {})


def test_without_delays_a_replica_is_active_once_it_is_filled_though_the_clock_was_set_back(fleet: TestFleet) -> None:
    replicate(fleet[US], "Create", AP)
    fleet.ship(finish=False)
    fleet.time.set(fleet.time.now_ms() - DELAY_MS)
    fleet.finish_bootstraps()
    assert fleet[AP].describe()["TableStatus"] == "ACTIVE"


def test_with_delays_deleting_a_replica_at_home_is_seen_elsewhere_as_deleting() -> None:
    fleet = TestFleet(transition_ms=DELAY_MS)
    fleet[US].call("CreateTable", **simple_table())
    fleet.tick(DELAY_MS)
    replicate(fleet[US], "Create", EU)
    fleet.ship()
    fleet.tick(DELAY_MS)
    fleet.ship()
    fleet[EU].call("DeleteTable", TableName="table")
    fleet.ship()
    assert statuses(fleet[US]) == {EU: "DELETING"}
    fleet.tick(DELAY_MS)
    fleet.ship()
    assert statuses(fleet[US]) == {}


REGIONS = (US, EU, AP)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("Create"), st.sampled_from(REGIONS), st.sampled_from(REGIONS)),
        st.tuples(st.just("Delete"), st.sampled_from(REGIONS), st.sampled_from(REGIONS)),
        st.tuples(st.just("Override"), st.sampled_from(REGIONS), st.sampled_from(REGIONS)),
        st.tuples(st.just("Index"), st.sampled_from(REGIONS), st.sampled_from(("i01", "i02"))),
        st.tuples(st.just("Unindex"), st.sampled_from(REGIONS), st.sampled_from(("i01", "i02"))),
        st.tuples(st.just("Drop"), st.sampled_from(REGIONS), st.just("")),
        st.tuples(st.just("Ship"), st.sampled_from(REGIONS), st.just("")),
    ),
    max_size=14,
)


def step(fleet: TestFleet, kind: str, region: str, target: str) -> None:
    """Do one random thing in a region; what AWS would refuse is refused here too."""
    replica = fleet[region]
    fleet.time.advance(1)
    try:
        if kind in ("Create", "Delete"):
            replicate(replica, kind, target)
        elif kind == "Override":
            replicate(replica, "Update", target, TableClassOverride="STANDARD_INFREQUENT_ACCESS")
        elif kind == "Drop":
            replica.call("DeleteTable", TableName="table")
        elif kind == "Ship":
            fleet.ship(sources=[region])
        else:
            action = {"Create": index(target, "c")} if kind == "Index" else {"Delete": {"IndexName": target}}
            replica.call(
                "UpdateTable",
                TableName="table",
                AttributeDefinitions=attributes("c"),
                GlobalSecondaryIndexUpdates=[action],
            )
        replica.progress()
    except DynamoError:
        return


@given(STEPS)
def test_whatever_happens_where_and_however_word_travels_all_members_agree_in_the_end(
    steps: list[tuple[str, str, str]],
) -> None:
    fleet = TestFleet()
    fleet[US].call("CreateTable", **simple_table())
    for kind, region, target in steps:
        step(fleet, kind, region, target)
    fleet.ship()
    for replica in fleet.replicas.values():
        replica.progress()
    fleet.ship()
    known = [it for replica in fleet.replicas.values() for it in replica.catalogue.by_uid.values()]
    for uid in {it.uid for it in known}:
        assert len({settings.encode(dict(sorted(it.registers.items()))) for it in known if it.uid == uid}) == 1
    holders = {name for name in REGIONS if "table" in fleet[name].catalogue.by_name}
    for name in holders:
        table = fleet[name].table()
        members = set(table.members()) or {name}
        same_uid = {other for other in holders if fleet[other].table().uid == table.uid}
        assert members == same_uid
        described = fleet[name].describe()
        assert described["TableStatus"] == "ACTIVE"
        assert set(table.local.indexes) == set(settings.family(table.registers, settings.INDEX))
        assert all(it["IndexStatus"] == "ACTIVE" for it in described.get("GlobalSecondaryIndexes", []))
