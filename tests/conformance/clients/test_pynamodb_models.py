"""PynamoDB, unmodified: models with an index, conditions, update actions and batches, over two regions."""

from __future__ import annotations

from typing import Any

import pytest
from pynamodb.attributes import ListAttribute, MapAttribute, NumberAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, PutError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model

TABLE = "pynamodb-orders"


def order_model(fleet: Any, region_name: str) -> Any:
    """Return the model of an order as a program in one region would declare it."""

    class Place(MapAttribute[str, Any]):
        """Where an order goes."""

        city = UnicodeAttribute()

    class ByStatus(GlobalSecondaryIndex[Any]):
        """Orders by status, the dearest last."""

        class Meta:
            """The index's name and projection."""

            index_name = "by_status"
            projection = AllProjection()

        status = UnicodeAttribute(hash_key=True)
        total = NumberAttribute(range_key=True)

    class Order(Model):
        """An order of a customer."""

        class Meta:
            """Which table, and where."""

            table_name = TABLE
            region = region_name
            host = fleet.endpoint(region_name)
            aws_access_key_id = "test"
            aws_secret_access_key = "test"
            billing_mode = "PAY_PER_REQUEST"

        customer = UnicodeAttribute(hash_key=True)
        number = NumberAttribute(range_key=True)
        status = UnicodeAttribute(default="open")
        total = NumberAttribute(default=0)
        tags = UnicodeSetAttribute(null=True)
        place = Place(null=True)
        lines: ListAttribute[Any] = ListAttribute(null=True)
        by_status = ByStatus()

    return Order


@pytest.fixture(scope="module")
def models(fleet: Any) -> tuple[Any, Any]:
    """The model in us-east-1 and in eu-west-1; the table was created and replicated by PynamoDB itself."""
    virginia, ireland = order_model(fleet, "us-east-1"), order_model(fleet, "eu-west-1")
    virginia.create_table(wait=True)
    connection = Connection(
        region="us-east-1",
        host=fleet.endpoint("us-east-1"),
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    create = {"RegionName": "eu-west-1"}
    connection.dispatch("UpdateTable", {"TableName": TABLE, "ReplicaUpdates": [{"Create": create}]})
    fleet.wait_active(TABLE, "us-east-1", "eu-west-1")
    return virginia, ireland


def test_a_model_saved_in_one_region_is_got_in_another(fleet: Any, models: tuple[Any, Any]) -> None:
    virginia, ireland = models
    lines = [{"article": "tea", "count": 2}]
    virginia("ann", 1, total=12.5, tags={"new", "gift"}, place={"city": "Oslo"}, lines=lines).save()
    fleet.wait_replicated(TABLE)
    order = ireland.get("ann", 1)
    assert (order.total, order.tags, order.place.city) == (12.5, {"new", "gift"}, "Oslo")
    assert order.lines == lines


def test_an_index_is_queried_in_the_other_region_in_the_order_of_its_range_key(
    fleet: Any, models: tuple[Any, Any]
) -> None:
    virginia, ireland = models
    with virginia.batch_write() as batch:
        for number in range(30):
            batch.save(virginia("bob", number, status="paid", total=(number * 7) % 30))
    fleet.wait_replicated(TABLE)
    found = list(ireland.by_status.query("paid", ireland.total > 9, page_size=4))
    assert [order.total for order in found] == list(range(10, 30))


def test_update_actions_are_applied_where_they_are_sent_and_arrive_elsewhere(
    fleet: Any, models: tuple[Any, Any]
) -> None:
    virginia, ireland = models
    virginia("cat", 1, total=1, tags={"a", "b"}, lines=[1]).save()
    fleet.wait_replicated(TABLE)
    order = ireland.get("cat", 1)
    order.update(
        actions=[
            ireland.total.add(4),
            ireland.tags.delete({"a"}),
            ireland.lines.set(ireland.lines.append([2])),
            ireland.status.set("shipped"),
        ]
    )
    assert (order.total, order.tags, order.lines, order.status) == (5, {"b"}, [1, 2], "shipped")
    fleet.wait_replicated(TABLE)
    assert virginia.get("cat", 1).attribute_values == order.attribute_values


def test_a_condition_is_judged_by_the_replica_that_is_asked(fleet: Any, models: tuple[Any, Any]) -> None:
    virginia, ireland = models
    virginia("dan", 1).save(condition=virginia.customer.does_not_exist())
    fleet.wait_replicated(TABLE)
    with pytest.raises(PutError) as caught:
        ireland("dan", 1).save(condition=ireland.customer.does_not_exist())
    assert caught.value.cause_response_code == "ConditionalCheckFailedException"


def test_a_deletion_arrives_too(fleet: Any, models: tuple[Any, Any]) -> None:
    virginia, ireland = models
    virginia("eve", 1).save()
    fleet.wait_replicated(TABLE)
    ireland.get("eve", 1).delete()
    fleet.wait_replicated(TABLE)
    with pytest.raises(DoesNotExist):
        virginia.get("eve", 1)


def test_a_batch_get_brings_the_items_that_are_there(fleet: Any, models: tuple[Any, Any]) -> None:
    virginia, ireland = models
    with virginia.batch_write() as batch:
        for number in range(120):
            batch.save(virginia("fay", number))
    fleet.wait_replicated(TABLE)
    keys = [("fay", number) for number in range(100, 140)]
    assert sorted(int(order.number) for order in ireland.batch_get(keys)) == list(range(100, 120))
    assert virginia.count("fay") == 120
