"""DescribeTable, ListTables, DeleteTable, and the states that a table passes through."""

from __future__ import annotations

import pytest
from control_plane import US, Replica, TestFleet, simple_table

from region.errors import ResourceInUseError, ResourceNotFoundError, ValidationError
from region.operation.context import Context

DELAY_MS = 1000
NOT_FOUND = "Requested resource not found: Table: table not found"


@pytest.fixture
def region() -> Replica:
    return TestFleet()[US]


@pytest.fixture
def slow_fleet() -> TestFleet:
    return TestFleet(transition_ms=DELAY_MS)


def usable(replica: Replica) -> bool:
    result: bool = replica.work(data_operations_work)
    return result


def data_operations_work(context: Context) -> bool:
    try:
        context.table("table")
    except ResourceNotFoundError:
        return False
    return True


@pytest.mark.parametrize("operation", ["DescribeTable", "DeleteTable"])
def test_a_missing_table_is_named_in_the_error(region: Replica, operation: str) -> None:
    with pytest.raises(ResourceNotFoundError) as caught:
        region.call(operation, TableName="table")
    assert caught.value.message == NOT_FOUND


def test_updating_a_missing_table_is_refused_after_the_request_was_checked(region: Replica) -> None:
    with pytest.raises(ResourceNotFoundError) as caught:
        region.call("UpdateTable", TableName="table", BillingMode="PAY_PER_REQUEST")
    assert caught.value.message == NOT_FOUND
    with pytest.raises(ValidationError):
        region.call("UpdateTable", TableName="table")


def test_an_arn_stands_for_a_name(region: Replica) -> None:
    arn = region.call("CreateTable", **simple_table())["TableDescription"]["TableArn"]
    assert region.describe(arn)["TableName"] == "table"
    region.call("DeleteTable", TableName=arn)
    assert region.call("ListTables") == {"TableNames": []}


def test_deleting_answers_deleting_and_the_table_is_gone_at_once(region: Replica) -> None:
    region.call("CreateTable", **simple_table())
    region.put({"a": {"S": "x"}})
    answer = region.call("DeleteTable", TableName="table")["TableDescription"]
    assert (answer["TableStatus"], answer["ItemCount"]) == ("DELETING", 1)
    with pytest.raises(ResourceNotFoundError):
        region.describe()


def test_a_name_may_be_used_again_after_a_deletion_with_nothing_left_over(region: Replica) -> None:
    first = region.call("CreateTable", **simple_table())["TableDescription"]["TableId"]
    region.put({"a": {"S": "x"}})
    region.call("DeleteTable", TableName="table")
    second = region.call("CreateTable", **simple_table())["TableDescription"]["TableId"]
    assert first != second
    assert region.describe()["ItemCount"] == 0


def test_a_protected_table_cannot_be_deleted_until_protection_is_off(region: Replica) -> None:
    region.call("CreateTable", **simple_table(DeletionProtectionEnabled=True))
    with pytest.raises(ValidationError) as caught:
        region.call("DeleteTable", TableName="table")
    assert caught.value.message == (
        "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."
    )
    region.call("UpdateTable", TableName="table", DeletionProtectionEnabled=False)
    region.call("DeleteTable", TableName="table")


def test_deletion_protection_is_not_announced(region: Replica) -> None:
    region.call("CreateTable", **simple_table())
    before = len(region.announcements())
    answer = region.call("UpdateTable", TableName="table", DeletionProtectionEnabled=True)["TableDescription"]
    assert (answer["TableStatus"], answer["DeletionProtectionEnabled"]) == ("ACTIVE", True)
    assert len(region.announcements()) == before


def test_tables_are_listed_in_the_order_of_their_names_page_by_page(region: Replica) -> None:
    names = ["Zeta", "alpha", "beta", "gamma"]
    for name in reversed(names):
        region.call("CreateTable", **simple_table(name))
    assert region.call("ListTables") == {"TableNames": names}
    page = region.call("ListTables", Limit=3)
    assert page == {"TableNames": names[:3], "LastEvaluatedTableName": "beta"}
    assert region.call("ListTables", Limit=3, ExclusiveStartTableName="beta") == {"TableNames": ["gamma"]}
    assert region.call("ListTables", ExclusiveStartTableName="bbb")["TableNames"] == ["beta", "gamma"]
    assert region.call("ListTables", Limit=4) == {"TableNames": names}


def test_a_page_of_names_has_100_unless_told(region: Replica) -> None:
    for number in range(101):
        region.call("CreateTable", **simple_table(f"table{number:03d}"))
    page = region.call("ListTables")
    assert (len(page["TableNames"]), page["LastEvaluatedTableName"]) == (100, "table099")


def test_with_delays_a_new_table_is_creating_and_not_usable_until_they_have_passed(slow_fleet: TestFleet) -> None:
    region = slow_fleet[US]
    region.call("CreateTable", **simple_table())
    assert (region.describe()["TableStatus"], usable(region)) == ("CREATING", False)
    assert region.progress() == DELAY_MS
    slow_fleet.time.advance(DELAY_MS)
    assert (region.describe()["TableStatus"], usable(region)) == ("ACTIVE", True)
    assert region.progress() is None
    assert (region.describe()["TableStatus"], usable(region)) == ("ACTIVE", True)


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [("DeleteTable", {}), ("UpdateTable", {"DeletionProtectionEnabled": True})],
)
def test_a_table_that_is_being_created_is_in_use(
    slow_fleet: TestFleet, operation: str, parameters: dict[str, bool]
) -> None:
    region = slow_fleet[US]
    region.call("CreateTable", **simple_table())
    with pytest.raises(ResourceInUseError) as caught:
        region.call(operation, TableName="table", **parameters)
    assert caught.value.message == ("Attempt to change a resource which is still in use: Table is being created: table")


def test_with_delays_an_update_shows_updating_and_keeps_the_table_usable(slow_fleet: TestFleet) -> None:
    region = slow_fleet[US]
    region.call("CreateTable", **simple_table())
    slow_fleet.tick(DELAY_MS)
    region.call("UpdateTable", TableName="table", TableClass="STANDARD")
    assert (region.describe()["TableStatus"], usable(region)) == ("UPDATING", True)
    with pytest.raises(ResourceInUseError, match="Table is being updated: table"):
        region.call("UpdateTable", TableName="table", TableClass="STANDARD")
    with pytest.raises(ResourceInUseError, match="Table is being updated: table"):
        region.call("DeleteTable", TableName="table")
    slow_fleet.tick(DELAY_MS)
    assert region.describe()["TableStatus"] == "ACTIVE"


def test_with_delays_a_deleted_table_is_deleting_and_may_be_deleted_again(slow_fleet: TestFleet) -> None:
    region = slow_fleet[US]
    region.call("CreateTable", **simple_table())
    slow_fleet.tick(DELAY_MS)
    region.call("DeleteTable", TableName="table")
    assert (region.describe()["TableStatus"], usable(region)) == ("DELETING", False)
    assert region.call("DeleteTable", TableName="table")["TableDescription"]["TableStatus"] == "DELETING"
    with pytest.raises(ResourceInUseError, match="Table is being deleted: table"):
        region.call("UpdateTable", TableName="table", DeletionProtectionEnabled=True)
    with pytest.raises(ResourceInUseError, match="Table already exists: table"):
        region.call("CreateTable", **simple_table())
    slow_fleet.tick(DELAY_MS)
    with pytest.raises(ResourceNotFoundError):
        region.describe()


def test_nothing_pending_asks_for_no_call(region: Replica) -> None:
    assert region.progress() is None
    region.call("CreateTable", **simple_table())
    assert region.progress() is None


def test_changes_of_tables_become_events(region: Replica) -> None:
    region.call("CreateTable", **simple_table())
    region.call("DeleteTable", TableName="table")
    assert [event.change for event in region.events] == ["created", "dropped"]
