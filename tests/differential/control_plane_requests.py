"""The control plane under comparison: definitions of tables, right and wrong, and what can be done to a table."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any, Final

from comparison import Comparison, wait_active

TABLE: Final = "differential-control"
MUTANTS: Final = 120
DEFINITION: Final[dict[str, Any]] = {
    "TableName": TABLE,
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "N"},
        {"AttributeName": "g", "AttributeType": "B"},
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-g",
            "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x"]},
        }
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "local",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "g", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}
THROUGHPUT: Final = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
REPLACEMENTS: Final[tuple[Any, ...]] = (
    "",
    "a",
    "a b",
    "x" * 256,
    "pk",
    "sk",
    "g",
    "x",
    "S",
    "N",
    "M",
    "HASH",
    "RANGE",
    "ALL",
    "KEYS_ONLY",
    "INCLUDE",
    "PROVISIONED",
    [],
    {},
    None,
    0,
    1,
    True,
    ["x", "x"],
    THROUGHPUT,
)
ADDITIONS: Final[dict[str, Any]] = {
    "ProvisionedThroughput": THROUGHPUT,
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    "DeletionProtectionEnabled": False,
    "Tags": [{"Key": "a", "Value": "b"}],
    "TableClass": "STANDARD",
}
UPDATES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"BillingMode": "PAY_PER_REQUEST"},
    {"BillingMode": "PROVISIONED"},
    {"BillingMode": "NONSENSE"},
    {"ProvisionedThroughput": THROUGHPUT},
    {"StreamSpecification": {"StreamEnabled": False}},
    {"StreamSpecification": {"StreamEnabled": True}},
    {"GlobalSecondaryIndexUpdates": []},
    {"GlobalSecondaryIndexUpdates": [{}]},
    {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "missing"}}]},
    {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "local"}}]},
    {"GlobalSecondaryIndexUpdates": [{"Update": {"IndexName": "by-g", "ProvisionedThroughput": THROUGHPUT}}]},
    {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by-g"}}, {"Delete": {"IndexName": "by-g"}}]},
    {"GlobalSecondaryIndexUpdates": [{"Create": {**DEFINITION["GlobalSecondaryIndexes"][0]}}]},
    {"GlobalSecondaryIndexUpdates": [{"Create": {**DEFINITION["GlobalSecondaryIndexes"][0], "IndexName": "b"}}]},
    {"DeletionProtectionEnabled": True},
)
OTHERS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("DescribeTable", {}),
    ("DescribeTable", {"TableName": ""}),
    ("DescribeTable", {"TableName": "a"}),
    ("DescribeTable", {"TableName": "missing"}),
    ("DescribeTable", {"TableName": "bad name"}),
    ("DeleteTable", {"TableName": "missing"}),
    ("DeleteTable", {}),
    ("UpdateTable", {"TableName": "missing", "BillingMode": "PAY_PER_REQUEST"}),
    ("ListTables", {"Limit": 0}),
    ("ListTables", {"Limit": 101}),
    ("ListTables", {"ExclusiveStartTableName": "a"}),
    ("DescribeTimeToLive", {"TableName": "missing"}),
    ("DescribeTimeToLive", {"TableName": TABLE}),
    ("UpdateTimeToLive", {"TableName": TABLE}),
    ("UpdateTimeToLive", {"TableName": TABLE, "TimeToLiveSpecification": {"Enabled": False, "AttributeName": "x"}}),
    ("UpdateTimeToLive", {"TableName": TABLE, "TimeToLiveSpecification": {"Enabled": True, "AttributeName": ""}}),
    ("ListTagsOfResource", {}),
    ("ListTagsOfResource", {"ResourceArn": "nonsense"}),
    ("TagResource", {"ResourceArn": "nonsense", "Tags": []}),
    ("UntagResource", {"ResourceArn": "nonsense"}),
    ("CreateTable", DEFINITION),
)
# Deletion protection would keep the table of one case in the way of the next.
UNPROTECTED: Final = {"DeletionProtectionEnabled": False}


def compare_control_plane(comparison: Comparison, rng: random.Random) -> None:
    """Compare definitions and updates of a table, and requests about a table and about none."""
    _remove(comparison)
    for definition in _definitions(rng):
        comparison.compare("CreateTable", definition)
        _settle(comparison)
        if _exists(comparison):
            comparison.compare("DescribeTable", {"TableName": TABLE})
        _remove(comparison)
    comparison.compare("CreateTable", DEFINITION)
    _settle(comparison)
    for operation, body in OTHERS:
        comparison.compare(operation, body)
    for update in UPDATES:
        _with_table(comparison, lambda update=update: comparison.compare("UpdateTable", {"TableName": TABLE, **update}))
    comparison.compare("DeleteTable", {"TableName": TABLE})
    _remove(comparison)


def _with_table(comparison: Comparison, action: Callable[[], Any]) -> None:
    """Run an action on a table that is made anew, and compare the table's description afterwards."""
    _remove(comparison)
    for side in (comparison.region, comparison.oracle):
        side.ask("CreateTable", DEFINITION)
    _settle(comparison)
    action()
    _settle(comparison)
    comparison.compare("DescribeTable", {"TableName": TABLE})


def _definitions(rng: random.Random) -> list[dict[str, Any]]:
    definitions = [DEFINITION, *({**DEFINITION, name: value} for name, value in ADDITIONS.items())]
    provisioned = {**DEFINITION, "BillingMode": "PROVISIONED", "ProvisionedThroughput": THROUGHPUT}
    del provisioned["GlobalSecondaryIndexes"]
    definitions.append(provisioned)
    for _ in range(MUTANTS):
        definition = copy.deepcopy(DEFINITION)
        container, name = rng.choice(_places(definition))
        if name == "TableName":
            continue
        match rng.randrange(3):
            case 0:
                del container[name]
            case 1 if isinstance(container, list):
                container.append(copy.deepcopy(container[name]))
            case _:
                container[name] = copy.deepcopy(rng.choice(REPLACEMENTS))
        definitions.append(definition)
    return definitions


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found = []
    for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        found.append((tree, name))
        if isinstance(value, dict | list):
            found += _places(value)
    return found


def _exists(comparison: Comparison) -> bool:
    described = [side.ask("DescribeTable", {"TableName": TABLE}) for side in (comparison.region, comparison.oracle)]
    return not any(reply.error for reply in described)


def _settle(comparison: Comparison) -> None:
    for side in (comparison.region, comparison.oracle):
        wait_active(side, TABLE)


def _remove(comparison: Comparison) -> None:
    """Delete the table on both sides, and wait until it is gone."""
    for side in (comparison.region, comparison.oracle):
        side.ask("UpdateTable", {"TableName": TABLE, **UNPROTECTED})
        wait_active(side, TABLE)
        while not side.ask("DescribeTable", {"TableName": TABLE}).error:
            side.ask("DeleteTable", {"TableName": TABLE})
