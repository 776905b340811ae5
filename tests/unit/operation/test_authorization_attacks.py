"""Whatever somebody sends who may reach their own items, or some attributes: the rest stays unread and unchanged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from control_plane import US, Replica, TestFleet, simple_table
from hypothesis import given
from hypothesis import strategies as st

from region.access import Principal, compile_policy
from region.access.principal import principal
from region.authorization import Circumstances, Guard
from region.errors import DynamoError
from region.operation import OPERATIONS
from region.wire import codec

ACCOUNT = "000000000000"
SECRET = "what-nobody-else-may-see"
OWN = {
    "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": "alice"},
    "BoolIfExists": {"dynamodb:FullTableScan": "false"},
}
SHOWN = {
    "ForAllValues:StringEquals": {"dynamodb:Attributes": ["owner", "n", "name"]},
    "StringEqualsIfExists": {
        "dynamodb:Select": "SPECIFIC_ATTRIBUTES",
        "dynamodb:ReturnValues": ["NONE", "UPDATED_OLD", "UPDATED_NEW"],
    },
}
READS = ["GetItem", "BatchGetItem", "Query", "PartiQLSelect"]
WRITES = ["PutItem", "DeleteItem", "BatchWriteItem", "PartiQLInsert", "PartiQLDelete"]
UPDATES = ["UpdateItem", "ConditionCheckItem", "PartiQLUpdate"]


def may(actions: list[str], condition: Mapping[str, Any]) -> Principal:
    statement = {"Effect": "Allow", "Action": [f"dynamodb:{name}" for name in actions], "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": {**statement, "Condition": condition}}
    return principal(f"arn:aws:iam::{ACCOUNT}:user/alice", policies=(compile_policy(document, "policy"),))


OWNER = may(READS + WRITES + UPDATES, OWN)
READER = may([*READS, "Scan", *UPDATES], SHOWN)


def world() -> Replica:
    """A table with an item of alice and one of bob, each with a secret."""
    replica = TestFleet()[US]
    definitions = [
        {"AttributeName": name, "AttributeType": kind} for name, kind in (("owner", "S"), ("n", "N"), ("name", "S"))
    ]
    schema = [{"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}]
    index = {
        "IndexName": "by-name",
        "KeySchema": [{"AttributeName": "name", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    table = simple_table(AttributeDefinitions=definitions, KeySchema=schema, GlobalSecondaryIndexes=[index])
    replica.call("CreateTable", **{**table, "TableName": "table"})
    for owner in ("alice", "bob"):
        replica.put({**key(owner), "name": {"S": owner}, "secret": {"S": SECRET}})
    return replica


def key(owner: str, n: str = "1") -> dict[str, Any]:
    return {"owner": {"S": owner}, "n": {"N": n}}


def items(replica: Replica) -> list[dict[str, Any]]:
    answer = replica.work(lambda context: OPERATIONS["Scan"].run(context, {"TableName": "table"}))
    found: list[dict[str, Any]] = json.loads(codec.encode(answer))["Items"]
    return found


keys = st.builds(key, st.sampled_from(["alice", "bob"]), st.sampled_from(["1", "1.0", "2"]))
names = st.sampled_from(["secret", "#s", "#n", "n"])
condition = st.builds(
    str.format,
    st.sampled_from(["attribute_exists({})", "{} = :v", "begins_with({}, :v)", "attribute_not_exists(n) OR {} = :v"]),
    names,
)
update = st.builds(
    str.format,
    st.sampled_from(["SET x = {0}", "SET #n = {0}", "SET #n = if_not_exists({0}, :v)", "REMOVE {0}", "SET {0} = :v"]),
    names,
)
projection = st.builds(", ".join, st.lists(names, min_size=1, max_size=2, unique=True))
aliases = {"#s": "secret", "#n": "name", "#o": "owner"}
parts: dict[str, st.SearchStrategy[Any]] = {
    "Key": keys,
    "Item": st.builds(lambda one: {**one, "name": {"S": "new"}}, keys),
    "ConditionExpression": condition,
    "FilterExpression": condition,
    "UpdateExpression": update,
    "ProjectionExpression": projection,
    "KeyConditionExpression": st.sampled_from(["#o = :o", "#n = :o", "#o = :o AND n = :one"]),
    "IndexName": st.just("by-name"),
    "Select": st.sampled_from(
        ["SPECIFIC_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "COUNT"]
    ),
    "ReturnValues": st.sampled_from(["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"]),
    "ReturnValuesOnConditionCheckFailure": st.sampled_from(["NONE", "ALL_OLD"]),
    "AttributesToGet": st.lists(st.sampled_from(["secret", "name"]), min_size=1, max_size=2, unique=True),
    "Expected": st.just({"secret": {"Value": {"S": "what"}}}),
    "AttributeUpdates": st.sampled_from([{"name": {"Value": {"S": "x"}}}, {"secret": {"Action": "DELETE"}}]),
    "ScanFilter": st.just({"secret": {"ComparisonOperator": "NOT_NULL"}}),
    "KeyConditions": st.builds(
        lambda owner: {"owner": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": owner}]}},
        st.sampled_from(["alice", "bob"]),
    ),
}


KNOWN = {
    "GetItem": ["ProjectionExpression", "AttributesToGet"],
    "PutItem": ["ConditionExpression", "Expected", "ReturnValues", "ReturnValuesOnConditionCheckFailure"],
    "DeleteItem": ["ConditionExpression", "Expected", "ReturnValues", "ReturnValuesOnConditionCheckFailure"],
    "UpdateItem": ["AttributeUpdates", "ConditionExpression", "ReturnValues", "ReturnValuesOnConditionCheckFailure"],
    "ConditionCheck": ["ReturnValuesOnConditionCheckFailure"],
    "Query": ["FilterExpression", "ProjectionExpression", "IndexName", "Select"],
    "Scan": ["FilterExpression", "ProjectionExpression", "IndexName", "Select", "AttributesToGet", "ScanFilter"],
}
FOREIGN = ["Key", "Item", "Select", "ReturnValues"]


@st.composite
def member(draw: st.DrawFn, operation: str, *needed: str) -> dict[str, Any]:
    """Draw a request, with members that its operation knows, and perhaps one that it does not."""
    chosen = [*needed, *draw(st.lists(st.sampled_from(KNOWN[operation]), max_size=2, unique=True))]
    request = {name: draw(parts[name]) for name in chosen}
    if draw(st.booleans()):
        foreign = draw(st.sampled_from([name for name in FOREIGN if name not in (*needed, *KNOWN[operation])]))
        request[foreign] = draw(parts[foreign])
    arn = f"arn:aws:dynamodb:{US}:{ACCOUNT}:table/table"
    request["TableName"] = draw(st.sampled_from(["table", "table", "table", arn, "absent"]))
    text = " ".join(value for name, value in request.items() if name.endswith("Expression"))
    used = {name: real for name, real in aliases.items() if name in text}
    owner = draw(st.sampled_from(["alice", "bob"]))
    values = {":v": {"S": "what"}, ":one": {"N": "1"}, ":o": {"S": owner}}
    valued = {name: value for name, value in values.items() if name in text.split() or f"{name})" in text.split()}
    if used:
        request["ExpressionAttributeNames"] = used
    if valued:
        request["ExpressionAttributeValues"] = valued
    return request


sentences = st.builds(
    str.format,
    st.sampled_from(
        [
            'SELECT * FROM "table" WHERE "owner" = \'{0}\'',
            'SELECT {1} FROM "table" WHERE "owner" = \'{0}\' AND n = 1',
            "SELECT name FROM \"table\" WHERE \"owner\" = '{0}' AND {1} = 'x'",
            "SELECT name FROM \"table\" WHERE \"owner\" IN ['alice', '{0}'] OR n = 1",
            'SELECT name FROM "table"."by-name" WHERE name = \'{0}\'',
            "INSERT INTO \"table\" VALUE {{'owner': '{0}', 'n': 3, '{1}': 'x'}}",
            "UPDATE \"table\" SET {1} = 'x' WHERE \"owner\" = '{0}' AND n = 1 RETURNING ALL OLD *",
            'UPDATE "table" SET name = {1} WHERE "owner" = \'{0}\' AND n = 1',
            'DELETE FROM "table" WHERE "owner" = \'{0}\' AND n = 1 RETURNING ALL OLD *',
        ]
    ),
    st.sampled_from(["alice", "bob"]),
    st.sampled_from(["secret", "name"]),
)
statement = st.builds(
    lambda text, more: {"Statement": text, **more},
    sentences,
    st.sampled_from([{}, {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}]),
)
writes = st.one_of(
    st.builds(lambda one: {"PutRequest": {"Item": one}}, keys),
    st.builds(lambda one: {"DeleteRequest": {"Key": one}}, keys),
)
gets = member("GetItem", "Key")
puts = member("PutItem", "Item")
deletes = member("DeleteItem", "Key")
changes = st.one_of(member("UpdateItem", "Key", "UpdateExpression"), member("UpdateItem", "Key"))
queries = st.one_of(member("Query", "KeyConditionExpression"), member("Query", "KeyConditions"))
actions = st.one_of(
    st.builds(lambda one: {"Put": one}, puts),
    st.builds(lambda one: {"Delete": one}, deletes),
    st.builds(lambda one: {"Update": one}, member("UpdateItem", "Key", "UpdateExpression")),
    st.builds(lambda one: {"ConditionCheck": one}, member("ConditionCheck", "Key", "ConditionExpression")),
)


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, min_size=1, max_size=2)


requests: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.one_of(
    st.tuples(st.just("GetItem"), gets),
    st.tuples(st.just("PutItem"), puts),
    st.tuples(st.just("DeleteItem"), deletes),
    st.tuples(st.just("UpdateItem"), changes),
    st.tuples(st.just("Query"), queries),
    st.tuples(st.just("Scan"), member("Scan")),
    st.tuples(
        st.just("BatchGetItem"),
        st.builds(lambda found, one: {"RequestItems": {"table": {**one, "Keys": found}}}, some(keys), gets),
    ),
    st.tuples(st.just("BatchWriteItem"), st.builds(lambda found: {"RequestItems": {"table": found}}, some(writes))),
    st.tuples(st.just("TransactWriteItems"), st.builds(lambda found: {"TransactItems": found}, some(actions))),
    st.tuples(st.just("TransactGetItems"), st.builds(lambda one: {"TransactItems": [{"Get": one}]}, gets)),
    st.tuples(st.just("ExecuteStatement"), statement),
    st.tuples(st.just("BatchExecuteStatement"), st.builds(lambda found: {"Statements": found}, some(statement))),
    st.tuples(st.just("ExecuteTransaction"), st.builds(lambda found: {"TransactStatements": found}, some(statement))),
)


def answer(replica: Replica, who: Principal, operation: str, request: dict[str, Any]) -> str:
    """Return all that is told to who sends a request, as text."""
    guard = Guard(lambda: replica.work(lambda context: context))
    circumstances = Circumstances(now_ms=0, region=US, account=ACCOUNT)
    try:
        admitted = guard.admit(OPERATIONS[operation], request, who, lambda: circumstances)
        response = replica.work(lambda context: admitted.run(context, request))
    except DynamoError as error:
        return str(error) + codec.encode(error.fields).decode()
    return codec.encode(response).decode()


@given(st.lists(requests, min_size=1, max_size=10))
def test_who_may_reach_their_own_items_learns_and_changes_nothing_of_others(
    sent: list[tuple[str, dict[str, Any]]],
) -> None:
    replica = world()
    bobs = [item for item in items(replica) if item["owner"] == {"S": "bob"}]
    replica.put({**key("bob"), "name": {"S": "bob"}, "secret": {"S": SECRET + "!"}})
    bobs[0]["secret"] = {"S": SECRET + "!"}
    for operation, request in sent:
        assert SECRET + "!" not in answer(replica, OWNER, operation, request)
    assert [item for item in items(replica) if item["owner"] == {"S": "bob"}] == bobs


@given(st.lists(requests, min_size=1, max_size=10))
def test_who_may_see_some_attributes_never_sees_nor_moves_the_others(sent: list[tuple[str, dict[str, Any]]]) -> None:
    replica = world()
    for operation, request in sent:
        assert SECRET not in answer(replica, READER, operation, request)
    for item in items(replica):
        if item["n"] == {"N": "1"}:
            assert item.get("secret") == {"S": SECRET}
        assert SECRET not in json.dumps({name: value for name, value in item.items() if name != "secret"})
