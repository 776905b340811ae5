"""CreateTable: what it refuses, and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import (
    PROVISIONED,
    US,
    TestFleet,
    attributes,
    included,
    index,
    keys,
    schema,
    simple_table,
    units,
    wide,
)

from region.errors import ValidationError

INVALID = "One or more parameter values were invalid: "
TWO_KEYS = {"AttributeDefinitions": attributes("a", "b", "c"), "KeySchema": keys("a", "b")}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (
        "a definition of an attribute that is no key",
        {"AttributeDefinitions": attributes("a", "b")},
        f"{INVALID}Number of attributes in KeySchema does not exactly match number of attributes defined in "
        "AttributeDefinitions",
    ),
    (
        "a definition that neither table nor index uses",
        {"AttributeDefinitions": attributes("a", "b", "c"), "GlobalSecondaryIndexes": [index("g", "b")]},
        f"{INVALID}Some AttributeDefinitions are not used. AttributeDefinitions: [a, b, c], keys used: [a, b]",
    ),
    (
        "a key without a definition",
        {"KeySchema": keys("b")},
        f"{INVALID}Some index key attributes are not defined in AttributeDefinitions. "
        "Keys: [b], AttributeDefinitions: [a]",
    ),
    (
        "an index key without a definition",
        {"GlobalSecondaryIndexes": [index("g", "a", "b")]},
        f"{INVALID}Some index key attributes are not defined in AttributeDefinitions. "
        "Keys: [a, b], AttributeDefinitions: [a]",
    ),
    (
        "one attribute defined twice",
        {"AttributeDefinitions": attributes("a", "a:N")},
        "Cannot have two attributes with the same name",
    ),
    (
        "no key schema",
        {"KeySchema": None},
        "1 validation error detected: Value null at 'keySchema' failed to satisfy constraint: Member must not be null",
    ),
    (
        "a range key first",
        {**TWO_KEYS, "KeySchema": schema(("a", "RANGE"), ("b", "HASH"))},
        "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
    ),
    (
        "two hash keys",
        {**TWO_KEYS, "KeySchema": schema(("a", "HASH"), ("b", "HASH"))},
        "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
    ),
    (
        "three keys",
        {**TWO_KEYS, "KeySchema": schema(("a", "HASH"), ("b", "RANGE"), ("c", "RANGE"))},
        "Invalid KeySchema: The KeySchema exceeds the maximum allowed number of RANGE key attributes",
    ),
    (
        "one attribute as both keys",
        {"KeySchema": keys("a", "a")},
        "Both the Hash Key and the Range Key element in the KeySchema have the same name",
    ),
    (
        "provisioned billing without throughput",
        {"BillingMode": "PROVISIONED"},
        f"{INVALID}ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
    ),
    (
        "no billing mode and no throughput",
        {"BillingMode": None},
        f"{INVALID}ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
    ),
    (
        "on-demand billing with throughput",
        {"ProvisionedThroughput": units(1, 1)},
        f"{INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
        "PAY_PER_REQUEST",
    ),
    (
        "throughput beyond the quota",
        {"BillingMode": None, "ProvisionedThroughput": units(40_001, 1)},
        "Cannot increase provisioned throughput to more than 40,000 units per table",
    ),
    (
        "an index without throughput in a provisioned table",
        {**PROVISIONED, "GlobalSecondaryIndexes": [index("g", "a")]},
        f"{INVALID}ProvisionedThroughput is not specified for index: g",
    ),
    (
        "an index with throughput in an on-demand table",
        {"GlobalSecondaryIndexes": [index("g", "a", ProvisionedThroughput=units(1, 1))]},
        f"{INVALID}ProvisionedThroughput should not be specified for index: g when BillingMode is PAY_PER_REQUEST",
    ),
    (
        "an empty list of global indexes",
        {"GlobalSecondaryIndexes": []},
        f"{INVALID}List of GlobalSecondaryIndexes is empty",
    ),
    (
        "an empty list of local indexes",
        {"LocalSecondaryIndexes": []},
        f"{INVALID}List of LocalSecondaryIndexes is empty",
    ),
    (
        "a local index on a table without range key",
        {"LocalSecondaryIndexes": [index("l", "a", "b")]},
        f"{INVALID}Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
    ),
    (
        "a local index without range key",
        {**TWO_KEYS, "LocalSecondaryIndexes": [index("l", "a")]},
        f"{INVALID}Index KeySchema does not have a range key for index: l",
    ),
    (
        "a local index with another hash key",
        {**TWO_KEYS, "LocalSecondaryIndexes": [index("l", "c", "b")]},
        f"{INVALID}Index KeySchema does not have the same leading hash key as table KeySchema for index: l. "
        "index hash key: c, table hash key: a",
    ),
    (
        "two indexes of one name",
        {**TWO_KEYS, "LocalSecondaryIndexes": [index("x", "a", "c")], "GlobalSecondaryIndexes": [index("x", "c")]},
        f"{INVALID}Duplicate index name: x",
    ),
    (
        "six local indexes",
        {**TWO_KEYS, "LocalSecondaryIndexes": [index(f"l{i}", "a", "c") for i in range(6)]},
        f"{INVALID}Number of LocalSecondaryIndexes exceeds per-table limit of 5",
    ),
    (
        "21 global indexes",
        {"GlobalSecondaryIndexes": [index(f"g{i}", "a") for i in range(21)]},
        f"{INVALID}GlobalSecondaryIndex count exceeds the per-table limit of 20",
    ),
    (
        "a range key of an index before its last hash key",
        {
            **TWO_KEYS,
            "GlobalSecondaryIndexes": [
                {**index("g"), "KeySchema": schema(("a", "HASH"), ("b", "RANGE"), ("c", "HASH"))}
            ],
        },
        "Invalid KeySchema: All HASH key attributes must precede RANGE key attributes in the KeySchema",
    ),
    (
        "five hash keys of an index",
        wide(5, 1),
        "Invalid KeySchema: The KeySchema exceeds the maximum allowed number of HASH key attributes",
    ),
    (
        "five range keys of an index",
        wide(1, 5),
        "Invalid KeySchema: The KeySchema exceeds the maximum allowed number of RANGE key attributes",
    ),
    (
        "no projection type",
        {"GlobalSecondaryIndexes": [{**index("g", "a"), "Projection": {}}]},
        f"{INVALID}Unknown ProjectionType: null",
    ),
    (
        "INCLUDE without attributes",
        {"GlobalSecondaryIndexes": [index("g", "a", kind="INCLUDE")]},
        f"{INVALID}ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
    ),
    (
        "ALL with attributes",
        {
            "GlobalSecondaryIndexes": [
                {**included("g", 1), "Projection": {"ProjectionType": "ALL", "NonKeyAttributes": ["z"]}}
            ]
        },
        f"{INVALID}ProjectionType is ALL, but NonKeyAttributes is specified",
    ),
    (
        "101 projected attributes",
        {"GlobalSecondaryIndexes": [included(f"g{i}", 20) for i in range(5)] + [included("g5", 1)]},
        f"{INVALID}Number of NonKeyAttributes over all indexes exceeds per-table limit of 100",
    ),
    (
        "a stream without a view type",
        {"StreamSpecification": {"StreamEnabled": True}},
        f"{INVALID}Table is being created with a stream enabled, UpdateViewType should be specified",
    ),
    (
        "no stream but a view type",
        {"StreamSpecification": {"StreamEnabled": False, "StreamViewType": "NEW_IMAGE"}},
        f"{INVALID}Table is being created with a stream disabled, UpdateViewType should not be specified",
    ),
    (
        "encryption by AES256",
        {"SSESpecification": {"Enabled": True, "SSEType": "AES256"}},
        f"{INVALID}SSEType AES256 is not supported",
    ),
    (
        "an on-demand limit of nothing",
        {"OnDemandThroughput": {"MaxReadRequestUnits": 0}},
        f"{INVALID}Requested MaxReadRequestUnits for OnDemandThroughput for table is outside of valid range",
    ),
    (
        "warm throughput below the least",
        {"WarmThroughput": {"ReadUnitsPerSecond": 11_999}},
        f"{INVALID}Requested ReadUnitsPerSecond for WarmThroughput for table is lower than current WarmThroughput, "
        "decreasing WarmThroughput is not supported",
    ),
    (
        "a multi-account source",
        {"GlobalTableSourceArn": "arn:aws:dynamodb:us-east-1:1:table/x"},
        f"{INVALID}GlobalTableSourceArn of CreateTable is not supported by Atoll",
    ),
    (
        "vector indexes",
        {"VectorIndexes": [{"IndexName": "v"}]},
        f"{INVALID}VectorIndexes of CreateTable is not supported by Atoll",
    ),
    (
        "a resource policy",
        {"ResourcePolicy": "{}"},
        f"{INVALID}Invalid policy document: Missing required field Statement",
    ),
    (
        "a reserved tag",
        {"Tags": [{"Key": "aws:x", "Value": "y"}]},
        f"{INVALID}Tag keys that begin with aws: are reserved. Tag key: aws:x",
    ),
]


@pytest.mark.parametrize(("change", "message"), [pytest.param(c, m, id=i) for i, c, m in REFUSED])
def test_create_table_refuses(change: dict[str, Any], message: str) -> None:
    region = TestFleet()[US]
    with pytest.raises(ValidationError) as caught:
        region.call("CreateTable", **simple_table(**change))
    assert caught.value.message == message
    assert region.call("ListTables") == {"TableNames": []}
