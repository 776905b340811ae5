"""Access from the attacker's side: a real region, and boto3 clients of principals that try what they may not."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config as BotoConfig
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from lifecycle import eventually
from settled import Run

from atoll import Cluster
from atoll.config import AccessConfig, ApiConfig, Config
from region.operation import OPERATIONS

EAST, ACCOUNT, FOREIGN = "us-east-1", "000000000000", "222222222222"
TABLES = f"arn:aws:dynamodb:{EAST}:{ACCOUNT}:table"
ONCE = BotoConfig(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5)
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
KEY = {"owner": {"S": "alice"}, "n": {"N": "1"}}
BOBS = {"owner": {"S": "bob"}, "n": {"N": "1"}}


def statement(names: str, resource: Any = f"{TABLES}/*", effect: str = "Allow", **condition: Any) -> dict[str, Any]:
    made = {"Effect": effect, "Action": [f"dynamodb:{name}" for name in names.split()], "Resource": resource}
    return {**made, "Condition": condition} if condition else made


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


ITEMS = "GetItem PutItem UpdateItem DeleteItem Query BatchGetItem BatchWriteItem ConditionCheckItem"
PARTIQL = "PartiQLSelect PartiQLInsert PartiQLUpdate PartiQLDelete"
OWN = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": "${aws:username}"}}
PUBLIC = {
    "ForAllValues:StringEquals": {"dynamodb:Attributes": ["owner", "n", "name"]},
    "StringEqualsIfExists": {
        "dynamodb:Select": "SPECIFIC_ATTRIBUTES",
        "dynamodb:ReturnValues": ["NONE", "UPDATED_OLD", "UPDATED_NEW"],
    },
}
POLICIES = {
    "own": policy(statement(ITEMS, **OWN), statement(PARTIQL, **OWN, Bool={"dynamodb:FullTableScan": "false"})),
    "public": policy(
        statement(f"{ITEMS} Scan PartiQLSelect".replace("PutItem", "X").replace("DeleteItem", "X"), **PUBLIC)
    ),
    "list": policy(statement("ListTables", "*")),
    "nothing": policy(statement("ListTables", "*", "Deny")),
    "streams": policy(statement("DescribeStream GetShardIterator GetRecords", f"{TABLES}/open/stream/*")),
    "everything": policy(statement("*", "*")),
    "daytime": policy(statement("*", "*", DateGreaterThan={"aws:CurrentTime": "2100-01-01"})),
    "local": policy(
        statement("GetItem", IpAddress={"aws:SourceIp": "127.0.0.0/8"}, Bool={"aws:SecureTransport": "false"})
    ),
}
USERS: dict[str, dict[str, Any]] = {
    "alice": {"policies": ["own"]},
    "carol": {"policies": ["public"]},
    "mallory": {"policies": ["nothing"]},
    "lister": {"policies": ["list"]},
    "reader": {"policies": ["streams"]},
    "night": {"policies": ["daytime"]},
    "local": {"policies": ["local"]},
    "bounded": {"policies": ["everything"], "boundary": "list"},
}


def access_file(users: dict[str, dict[str, Any]]) -> dict[str, Any]:
    principals = [
        {"arn": f"arn:aws:iam::{ACCOUNT}:user/{name}", "keys": [{"id": f"AK{name}", "secret": f"s-{name}"}], **more}
        for name, more in users.items()
    ]
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/visitor/today"
    keys = [
        {"id": "AKvisitor", "secret": "s-visitor", "token": "the token"},
        {"id": "AKlate", "secret": "s-late", "token": "old", "expires": "2020-01-01T00:00:00Z"},
    ]
    principals.append({"arn": session, "keys": keys, "policies": ["everything"]})
    foreign = [{"id": "AKforeign", "secret": "s-foreign"}]
    principals.append({"arn": f"arn:aws:iam::{FOREIGN}:user/eve", "keys": foreign, "policies": ["everything"]})
    return {"principals": principals, "policies": POLICIES}


class Guarded:
    """A region with principals."""

    def __init__(self, cluster: Cluster, file: Path) -> None:
        self.cluster = cluster
        self.file = file
        self.clients: dict[tuple[str, str], Any] = {}

    def client(self, name: str, service: str = "dynamodb", **more: Any) -> Any:
        given = {"aws_access_key_id": f"AK{name}", "aws_secret_access_key": f"s-{name}", "config": ONCE, **more}
        return boto3.client(service, region_name=EAST, **{"endpoint_url": self.cluster.endpoint(EAST), **given})

    def __call__(self, name: str, operation: str, **request: Any) -> Any:
        service = "dynamodbstreams" if operation in STREAMS else "dynamodb"
        if (name, service) not in self.clients:
            self.clients[name, service] = self.client(name, service)
        found = self.clients[name, service]
        return getattr(found, boto3.session.botocore.xform_name(operation))(**request)

    def refused(self, name: str, operation: str, **request: Any) -> str:
        with pytest.raises(ClientError) as caught:
            self(name, operation, **request)
        error = caught.value.response["Error"]
        assert error["Code"] == "AccessDeniedException", error
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        return str(error["Message"])


STREAMS = ("ListStreams", "DescribeStream", "GetShardIterator", "GetRecords")


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    file = tmp_path_factory.mktemp("access") / "access.json"
    file.write_text(json.dumps(access_file(USERS)))
    settings = Config(api=ApiConfig(access_keys={"AKroot": "s-root"}), access=AccessConfig(file=str(file)))
    with Cluster((EAST,), durability="memory", template=settings, announce=False, gateway=True) as cluster:
        made = Guarded(cluster, file)
        for name in ("open", "closed"):
            make_table(made, name)
        yield made


def make_table(region: Guarded, name: str) -> None:
    region(
        "root",
        "CreateTable",
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": "owner", "AttributeType": "S"},
            {"AttributeName": "n", "AttributeType": "N"},
            {"AttributeName": "name", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-name",
                "KeySchema": [{"AttributeName": "name", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        BillingMode="PAY_PER_REQUEST",
    )
    for key in (KEY, BOBS):
        item = {**key, "name": key["owner"], "secret": {"S": "s3cret"}}
        region("root", "PutItem", TableName=name, Item=item)


def bobs_item(region: Guarded, table: str = "open") -> Any:
    return region("root", "GetItem", TableName=table, Key=BOBS, ConsistentRead=True).get("Item")


# Who is it?


@pytest.mark.parametrize(
    ("name", "more", "code", "message"),
    [
        ("nobody", {}, "UnrecognizedClientException", "The security token included in the request is invalid."),
        ("alice", {"aws_secret_access_key": "x"}, "InvalidSignatureException", "The request signature we calculated"),
        ("alice", {"aws_session_token": "x"}, "UnrecognizedClientException", "The security token included in the"),
        ("visitor", {}, "UnrecognizedClientException", "The security token included in the request is invalid."),
        ("visitor", {"aws_session_token": "x"}, "UnrecognizedClientException", "The security token included in the"),
        (
            "late",
            {"aws_session_token": "old"},
            "ExpiredTokenException",
            "The security token included in the request is",
        ),
    ],
)
def test_who_cannot_prove_who_it_is_gets_awss_words(
    region: Guarded, name: str, more: dict[str, str], code: str, message: str
) -> None:
    with pytest.raises(ClientError) as caught:
        region.client(name, **more).list_tables()
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["Error"]["Message"].startswith(message)


def test_temporary_credentials_work_with_their_token(region: Guarded) -> None:
    assert region.client("visitor", aws_session_token="the token").list_tables()["TableNames"] == ["closed", "open"]


def post(region: Guarded, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
    try:
        with urlopen(Request(region.cluster.endpoint(EAST), body, headers)) as answer:
            return answer.status, json.loads(answer.read())
    except OSError as error:
        return error.code, json.loads(error.read())  # type: ignore[attr-defined]  # An HTTPError has both.


def signed(
    region: Guarded, target: str, body: bytes, scope: str = EAST, left_out: str = "", name: str = "root"
) -> dict[str, str]:
    """Return the headers of a request that somebody signs, but for one header."""
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{target}", "Content-Type": "application/x-amz-json-1.0"}
    taken = {name: headers.pop(name) for name in [left_out] if name}
    request = AWSRequest("POST", region.cluster.endpoint(EAST) + "/", headers=headers, data=body)
    SigV4Auth(Credentials(f"AK{name}", f"s-{name}"), "dynamodb", scope).add_auth(request)
    return {**dict(request.prepare().headers.items()), **taken}


def test_what_is_overheard_does_nothing_else_and_nowhere_else(region: Guarded) -> None:
    body = b'{"TableName": "closed"}'
    headers = signed(region, "DescribeTable", body)
    assert post(region, headers, body)[0] == 200
    moved = {**headers, "X-Amz-Target": "DynamoDB_20120810.DeleteTable"}
    assert post(region, moved, body)[1]["__type"].endswith("#InvalidSignatureException")
    unsigned = signed(region, "DescribeTable", body, left_out="X-Amz-Target")
    status, answer = post(region, unsigned, body)
    assert (status, answer["message"]) == (400, "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.")
    status, answer = post(region, signed(region, "DescribeTable", body, "eu-west-1"), body)
    assert (status, answer["message"]) == (400, "Credential should be scoped to a valid region, not 'eu-west-1'. ")
    bare = {name: value for name, value in headers.items() if name != "Authorization"}
    assert post(region, bare, body)[1]["__type"].endswith("#MissingAuthenticationTokenException")
    assert region("root", "DescribeTable", TableName="closed")["Table"]["TableStatus"] == "ACTIVE"


def test_a_cluster_with_access_keys_and_commands_with_one_sign_what_they_ask(region: Guarded, run: Run) -> None:
    assert region.cluster.call(EAST, "ListTables", {})["TableNames"]
    assert region.cluster.client(EAST).list_tables()["TableNames"]
    admin = str(region.cluster.admin(EAST))
    keys = {"AWS_ACCESS_KEY_ID": "AKroot", "AWS_SECRET_ACCESS_KEY": "s-root"}
    assert run("backup", "open", "--name", "signed", "--cluster", admin, **keys).returncode == 0
    refused = run("backup", "open", "--name", "unsigned", "--cluster", admin)
    assert refused.returncode == 1
    assert "UnrecognizedClientException" in refused.stderr


# What is said.


def test_denials_come_in_awss_words(region: Guarded) -> None:
    asked = "is not authorized to perform: dynamodb:GetItem on resource: " + f"{TABLES}/open"
    assert region.refused("alice", "GetItem", TableName="open", Key=BOBS) == (
        f"User: {ALICE} {asked} because no identity-based policy allows the dynamodb:GetItem action"
    )
    assert region.refused("bounded", "GetItem", TableName="open", Key=BOBS) == (
        f"User: arn:aws:iam::{ACCOUNT}:user/bounded {asked} because no permissions boundary allows the "
        "dynamodb:GetItem action"
    )
    assert region.refused("mallory", "ListTables") == (
        f"User: arn:aws:iam::{ACCOUNT}:user/mallory is not authorized to perform: dynamodb:ListTables on resource: * "
        "with an explicit deny in an identity-based policy"
    )
    assert region.refused("foreign", "GetItem", TableName=f"{TABLES}/open", Key=KEY) == (
        f"User: arn:aws:iam::{FOREIGN}:user/eve {asked} because no resource-based policy allows the "
        "dynamodb:GetItem action"
    )


# What is learnt.


def requests_for(region: Guarded, table: str) -> dict[str, dict[str, Any]]:
    """Return a request of every operation that names a table, by operation."""
    arn, key = f"{TABLES}/{table}", {"owner": {"S": "x"}, "n": {"N": "1"}}
    put = {"PutRequest": {"Item": key}}
    statement = f'SELECT * FROM "{table}" WHERE "owner" = \'x\' AND "n" = 1'
    provisioned = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    named: dict[str, Any] = {"TableName": table}
    schema = {
        "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    stream = f"{arn}/stream/2026-01-01T00:00:00.000"
    resource = {"ResourceArn": arn}
    kinesis = {**named, "StreamArn": f"arn:aws:kinesis:{EAST}:{ACCOUNT}:stream/s"}
    return {
        "GetItem": {**named, "Key": key},
        "PutItem": {**named, "Item": key},
        "DeleteItem": {**named, "Key": key},
        "UpdateItem": {**named, "Key": key},
        "Query": {
            **named,
            "KeyConditionExpression": "#o = :o",
            "ExpressionAttributeNames": {"#o": "owner"},
            "ExpressionAttributeValues": {":o": {"S": "x"}},
        },
        "Scan": {**named, "IndexName": "by-name"},
        "BatchGetItem": {"RequestItems": {table: {"Keys": [key]}}},
        "BatchWriteItem": {"RequestItems": {table: [put]}},
        "TransactGetItems": {"TransactItems": [{"Get": {**named, "Key": key}}]},
        "TransactWriteItems": {
            "TransactItems": [{"ConditionCheck": {**named, "Key": key, "ConditionExpression": "attribute_exists(n)"}}]
        },
        "ExecuteStatement": {"Statement": statement},
        "ExecuteTransaction": {"TransactStatements": [{"Statement": statement}]},
        "CreateTable": {**named, **schema},
        "DescribeTable": named,
        "UpdateTable": {**named, "BillingMode": "PROVISIONED", "ProvisionedThroughput": provisioned},
        "DeleteTable": named,
        "TagResource": {**resource, "Tags": [{"Key": "a", "Value": "b"}]},
        "UntagResource": {**resource, "TagKeys": ["a"]},
        "ListTagsOfResource": resource,
        "UpdateTimeToLive": {**named, "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "a"}},
        "DescribeTimeToLive": named,
        "DescribeTableReplicaAutoScaling": named,
        "UpdateTableReplicaAutoScaling": named,
        "PutResourcePolicy": {**resource, "Policy": json.dumps(policy())},
        "GetResourcePolicy": resource,
        "DeleteResourcePolicy": resource,
        "UpdateContributorInsights": {**named, "ContributorInsightsAction": "ENABLE"},
        "DescribeContributorInsights": named,
        "EnableKinesisStreamingDestination": kinesis,
        "DisableKinesisStreamingDestination": kinesis,
        "UpdateKinesisStreamingDestination": kinesis,
        "DescribeKinesisStreamingDestination": named,
        "CreateBackup": {**named, "BackupName": "saved"},
        "UpdateContinuousBackups": {**named, "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}},
        "DescribeContinuousBackups": named,
        "RestoreTableToPointInTime": {
            "SourceTableName": table,
            "TargetTableName": "other",
            "UseLatestRestorableTime": True,
        },
        "ExportTableToPointInTime": {"TableArn": arn, "S3Bucket": "bucket"},
        "ImportTable": {
            "S3BucketSource": {"S3Bucket": "bucket"},
            "InputFormat": "CSV",
            "TableCreationParameters": {**named, **schema},
        },
        "DescribeBackup": {"BackupArn": f"{arn}/backup/01489602797149-73d8d5bc"},
        "DeleteBackup": {"BackupArn": f"{arn}/backup/01489602797149-73d8d5bc"},
        "RestoreTableFromBackup": {"BackupArn": f"{arn}/backup/01489602797149-73d8d5bc", "TargetTableName": "other"},
        "DescribeExport": {"ExportArn": f"{arn}/export/01489602797149-73d8d5bc"},
        "DescribeImport": {"ImportArn": f"{arn}/import/01489602797149-73d8d5bc"},
        "CreateGlobalTable": {"GlobalTableName": table, "ReplicationGroup": [{"RegionName": EAST}]},
        "UpdateGlobalTable": {"GlobalTableName": table, "ReplicaUpdates": []},
        "DescribeGlobalTable": {"GlobalTableName": table},
        "DescribeGlobalTableSettings": {"GlobalTableName": table},
        "UpdateGlobalTableSettings": {"GlobalTableName": table},
        "DescribeStream": {"StreamArn": stream},
        "GetShardIterator": {
            "StreamArn": stream,
            "ShardId": "shardId-00000000000000000001-00000001",
            "ShardIteratorType": "LATEST",
        },
        "ListTables": {},
        "ListBackups": named,
        "ListExports": {"TableArn": arn},
        "ListImports": {"TableArn": arn},
        "ListGlobalTables": {},
        "ListStreams": named,
        "ListContributorInsights": named,
        "DescribeLimits": {},
        "DescribeEndpoints": {},
    }


BEYOND = {"GetRecords", "BatchExecuteStatement"}
"""What the other tests are about."""


def test_who_may_nothing_cannot_tell_a_table_that_exists_from_one_that_does_not(region: Guarded) -> None:
    here, gone = requests_for(region, "closed"), requests_for(region, "absent")
    assert here.keys() | BEYOND == OPERATIONS.keys()
    before = region("root", "ListTables")["TableNames"]
    for operation, request in here.items():
        said = region.refused("mallory", operation, **request)
        assert region.refused("mallory", operation, **gone[operation]) == said.replace("/closed", "/absent"), operation
        assert said.startswith(f"User: arn:aws:iam::{ACCOUNT}:user/mallory is not authorized to perform: dynamodb:")
    assert region("root", "ListTables")["TableNames"] == before


def test_who_may_reach_some_items_cannot_tell_a_missing_table_from_one_with_other_items(region: Guarded) -> None:
    for key in (BOBS, {"owner": {"S": "carol"}, "n": {"N": "7"}}):
        here = region.refused("alice", "GetItem", TableName="open", Key=key)
        assert region.refused("alice", "GetItem", TableName="absent", Key=key) == here.replace("open", "absent")


def test_what_is_refused_is_in_the_log_with_what_decided(region: Guarded) -> None:
    region.refused("mallory", "DescribeTable", TableName="logged")
    log = Path(str(region.cluster.data)) / EAST / "region.log"
    eventually(lambda: "table/logged" in log.read_text(), "the refusal was not logged")
    line = next(json.loads(line) for line in log.read_text().splitlines() if "table/logged" in line)
    assert line["event"] == "access_denied"
    assert (line["principal"], line["action"]) == (f"arn:aws:iam::{ACCOUNT}:user/mallory", "dynamodb:DescribeTable")
    assert line["reason"] == "no identity-based policy"


def test_through_the_gateway_it_is_the_same(region: Guarded) -> None:
    assert "Item" in region.client("alice", endpoint_url=region.cluster.gateway).get_item(TableName="open", Key=KEY)
    with pytest.raises(ClientError, match="is not authorized to perform: dynamodb:GetItem"):
        region.client("alice", endpoint_url=region.cluster.gateway).get_item(TableName="open", Key=BOBS)


def test_a_condition_is_not_evaluated_for_who_may_not_write(region: Guarded) -> None:
    put = {"TableName": "open", "Item": {**BOBS, "x": {"S": "1"}}, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    told = {
        region.refused("alice", "PutItem", ConditionExpression=condition, **put)
        for condition in ("attribute_exists(n)", "attribute_not_exists(n)", "secret = n")
    }
    assert len(told) == 1
    assert "x" not in bobs_item(region)


def test_what_is_refused_changes_nothing_and_is_not_in_the_stream_nor_in_the_counts(region: Guarded) -> None:
    before, counted = bobs_item(region), region.cluster.admin(EAST).status().tables
    for request in (
        ("PutItem", {"Item": {**BOBS, "x": {"S": "1"}}}),
        ("DeleteItem", {"Key": BOBS}),
        (
            "UpdateItem",
            {"Key": BOBS, "UpdateExpression": "SET x = :x", "ExpressionAttributeValues": {":x": {"S": "1"}}},
        ),
        ("UpdateItem", {"Key": BOBS, "AttributeUpdates": {"x": {"Value": {"S": "1"}}}}),
    ):
        region.refused("alice", request[0], TableName="open", **request[1])
    assert bobs_item(region) == before
    assert region.cluster.admin(EAST).status().tables == counted


def test_metrics_tell_nothing_of_tables_to_who_may_not_ask(region: Guarded) -> None:
    region.refused("mallory", "DescribeTable", TableName="never-heard-of")
    with pytest.raises(ClientError) as caught:
        region.client("mallory", "cloudwatch").list_metrics()
    assert "is not authorized to perform: cloudwatch:ListMetrics on resource: * because" in str(caught.value)
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        region.client("mallory", "cloudwatch", aws_secret_access_key="x").list_metrics()
    found = region.client("root", "cloudwatch").list_metrics(Namespace="AWS/DynamoDB")["Metrics"]
    named = {each["Value"] for metric in found for each in metric["Dimensions"] if each["Name"] == "TableName"}
    assert "open" in named
    assert "never-heard-of" not in named


# Fine-grained access.


def test_a_user_reaches_their_own_items_and_no_others(region: Guarded) -> None:
    assert region("alice", "GetItem", TableName="open", Key=KEY)["Item"]["secret"] == {"S": "s3cret"}
    owner = {"ExpressionAttributeNames": {"#o": "owner"}}
    query = {"TableName": "open", "KeyConditionExpression": "#o = :o", **owner}
    assert region("alice", "Query", **query, ExpressionAttributeValues={":o": {"S": "alice"}})["Count"] == 1
    region.refused("alice", "Query", **query, ExpressionAttributeValues={":o": {"S": "bob"}})
    legacy = {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "bob"}]}
    region.refused("alice", "Query", TableName="open", KeyConditions={"owner": legacy})
    region.refused("alice", "Scan", TableName="open")
    region.refused("alice", "BatchGetItem", RequestItems={"open": {"Keys": [KEY, BOBS]}})
    write = [{"PutRequest": {"Item": KEY}}, {"DeleteRequest": {"Key": BOBS}}]
    region.refused("alice", "BatchWriteItem", RequestItems={"open": write})
    region.refused("alice", "BatchWriteItem", RequestItems={f"{TABLES}/open": write})
    assert bobs_item(region) is not None


def test_an_index_is_another_way_to_items_and_is_closed_as_well(region: Guarded) -> None:
    query = {
        "TableName": "open",
        "IndexName": "by-name",
        "KeyConditionExpression": "#n = :n",
        "ExpressionAttributeNames": {"#n": "name"},
    }
    said = region.refused("alice", "Query", **query, ExpressionAttributeValues={":n": {"S": "bob"}})
    assert f"on resource: {TABLES}/open/index/by-name because" in said


def test_a_transaction_with_one_item_of_somebody_else_does_nothing(region: Guarded) -> None:
    mine = {"TableName": "open", "Item": {**KEY, "name": {"S": "changed"}}}
    before = region("root", "GetItem", TableName="open", Key=KEY)["Item"]
    for theirs in (
        {"Put": {"TableName": "open", "Item": BOBS}},
        {"Delete": {"TableName": "open", "Key": BOBS}},
        {"ConditionCheck": {"TableName": "open", "Key": BOBS, "ConditionExpression": "attribute_exists(n)"}},
    ):
        region.refused("alice", "TransactWriteItems", TransactItems=[{"Put": mine}, theirs])
    gets = [{"Get": {"TableName": "open", "Key": key}} for key in (KEY, BOBS)]
    region.refused("alice", "TransactGetItems", TransactItems=gets)
    assert region("root", "GetItem", TableName="open", Key=KEY)["Item"] == before
    assert region("alice", "TransactGetItems", TransactItems=gets[:1])["Responses"][0]["Item"] == before


def test_partiql_is_no_way_round(region: Guarded) -> None:
    own = 'SELECT * FROM "open" WHERE "owner" = \'alice\''
    assert len(region("alice", "ExecuteStatement", Statement=own)["Items"]) == 1
    for statement in (
        'SELECT * FROM "open"',
        'SELECT * FROM "open" WHERE "owner" = \'bob\'',
        "SELECT * FROM \"open\" WHERE \"owner\" IN ['alice', 'bob']",
        'SELECT * FROM "open" WHERE "owner" = \'alice\' OR "owner" = \'bob\'',
        'SELECT * FROM "open"."by-name" WHERE "name" = \'bob\'',
        "INSERT INTO \"open\" VALUE {'owner': 'bob', 'n': 7}",
        'UPDATE "open" SET x = 1 WHERE "owner" = \'bob\' AND "n" = 1',
        'DELETE FROM "open" WHERE "owner" = \'bob\' AND "n" = 1',
    ):
        region.refused("alice", "ExecuteStatement", Statement=statement)
    parameters = [{"S": "bob"}]
    region.refused(
        "alice", "ExecuteStatement", Statement='SELECT * FROM "open" WHERE "owner" = ?', Parameters=parameters
    )
    region.refused(
        "alice",
        "ExecuteTransaction",
        TransactStatements=[
            {"Statement": 'UPDATE "open" SET x = 1 WHERE "owner" = \'alice\' AND "n" = 1'},
            {"Statement": 'EXISTS(SELECT * FROM "open" WHERE "owner" = \'bob\' AND "n" = 1 AND secret = \'s3cret\')'},
        ],
    )
    assert "x" not in bobs_item(region)


def test_of_a_batch_of_statements_those_that_may_run_do(region: Guarded) -> None:
    select = 'SELECT "n" FROM "open" WHERE "owner" = \'{}\' AND "n" = 1'
    responses = region(
        "alice", "BatchExecuteStatement", Statements=[{"Statement": select.format(who)} for who in ("bob", "alice")]
    )["Responses"]
    assert responses[0]["Error"]["Code"] == "AccessDenied"
    assert responses[0]["Error"]["Message"].endswith(
        "because no identity-based policy allows the dynamodb:PartiQLSelect action"
    )
    assert "Item" not in responses[0]
    assert responses[1]["Item"] == {"n": {"N": "1"}}
    alone = region("alice", "BatchExecuteStatement", Statements=[{"Statement": select.format("bob")}])["Responses"]
    assert [response["Error"]["Code"] for response in alone] == ["AccessDenied"]


def test_hidden_attributes_stay_hidden_whatever_the_way(region: Guarded) -> None:
    read = {"TableName": "open", "Key": KEY}
    names = {"#o": "owner", "#n": "name"}
    shown = region("carol", "GetItem", **read, ProjectionExpression="#o, #n", ExpressionAttributeNames=names)["Item"]
    assert shown == {"owner": {"S": "alice"}, "name": {"S": "alice"}}
    value = {":s": {"S": "s3cret"}}
    for operation, request in (
        ("GetItem", read),
        ("GetItem", {**read, "ProjectionExpression": "secret"}),
        ("GetItem", {**read, "ProjectionExpression": "#s", "ExpressionAttributeNames": {"#s": "secret"}}),
        ("GetItem", {**read, "AttributesToGet": ["secret"]}),
        ("BatchGetItem", {"RequestItems": {"open": {"Keys": [KEY]}}}),
        ("BatchGetItem", {"RequestItems": {"open": {"Keys": [KEY], "ProjectionExpression": "secret"}}}),
        ("Scan", {"TableName": "open"}),
        (
            "Scan",
            {
                "TableName": "open",
                "ProjectionExpression": "n",
                "FilterExpression": "begins_with(secret, :s)",
                "ExpressionAttributeValues": value,
            },
        ),
        (
            "Scan",
            {
                "TableName": "open",
                "AttributesToGet": ["n"],
                "ScanFilter": {"secret": {"ComparisonOperator": "NOT_NULL"}},
            },
        ),
        ("UpdateItem", {**read, "UpdateExpression": "SET #n = secret", "ExpressionAttributeNames": {"#n": "name"}}),
        (
            "UpdateItem",
            {
                **read,
                "UpdateExpression": "SET #n = if_not_exists(secret, :s)",
                "ExpressionAttributeNames": {"#n": "name"},
                "ExpressionAttributeValues": value,
            },
        ),
        (
            "UpdateItem",
            {
                **read,
                "UpdateExpression": "SET #n = :s",
                "ConditionExpression": "secret = :s",
                "ExpressionAttributeNames": {"#n": "name"},
                "ExpressionAttributeValues": value,
            },
        ),
        ("UpdateItem", {**read, "ReturnValues": "ALL_NEW"}),
        ("UpdateItem", {**read, "Expected": {"secret": {"Exists": False}}}),
        (
            "UpdateItem",
            {
                **read,
                "ConditionExpression": "attribute_not_exists(n)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            },
        ),
        ("ExecuteStatement", {"Statement": 'SELECT * FROM "open" WHERE "owner" = \'alice\''}),
        ("ExecuteStatement", {"Statement": 'SELECT "n" FROM "open" WHERE secret = \'s3cret\''}),
        (
            "TransactWriteItems",
            {
                "TransactItems": [
                    {
                        "ConditionCheck": {
                            **read,
                            "ConditionExpression": "secret = :s",
                            "ExpressionAttributeValues": value,
                        }
                    }
                ]
            },
        ),
    ):
        said = region.refused("carol", operation, **request)
        assert "because no identity-based policy allows" in said


def test_members_that_an_operation_does_not_know_do_not_deceive(region: Guarded) -> None:
    for name, operation, request in (
        ("alice", "PutItem", {"TableName": "open", "Item": {**BOBS, "x": {"S": "1"}}, "Key": KEY}),
        ("alice", "UpdateItem", {"TableName": "open", "Key": BOBS, "Item": KEY}),
        ("alice", "DeleteItem", {"TableName": "open", "Key": BOBS, "Item": KEY}),
        ("carol", "GetItem", {"TableName": "open", "Key": KEY, "Select": "SPECIFIC_ATTRIBUTES"}),
        (
            "carol",
            "BatchGetItem",
            {"RequestItems": {"open": {"Keys": [KEY], "Select": "SPECIFIC_ATTRIBUTES"}}},
        ),
    ):
        body = json.dumps(request).encode()
        status, answer = post(region, signed(region, operation, body, name=name), body)
        assert (status, answer["__type"]) == (400, "com.amazon.coral.service#AccessDeniedException"), operation
    assert "x" not in bobs_item(region)


def test_another_spelling_of_a_number_is_the_same_key(region: Guarded) -> None:
    make_numbered(region)
    deny = {**statement("*", f"{TABLES}/numbered", "Deny"), "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    deny["Condition"] = {"ForAnyValue:StringEquals": {"dynamodb:LeadingKeys": "1"}}
    put_policy(region, f"{TABLES}/numbered", deny)
    for number in ("1", "1.0", "0.1e1", "+1", "001"):
        region.refused("root", "GetItem", TableName="numbered", Key={"n": {"N": number}})
    region("root", "GetItem", TableName="numbered", Key={"n": {"N": "2"}})


def make_numbered(region: Guarded) -> None:
    region(
        "root",
        "CreateTable",
        TableName="numbered",
        AttributeDefinitions=[{"AttributeName": "n", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "n", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


# Streams.


def test_an_iterator_that_somebody_hands_over_opens_nothing(region: Guarded) -> None:
    arn = region("root", "DescribeTable", TableName="open")["Table"]["LatestStreamArn"]
    shard = region("reader", "DescribeStream", StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    asked = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = region("reader", "GetShardIterator", **asked)["ShardIterator"]
    region("reader", "GetRecords", ShardIterator=iterator)
    said = region.refused("mallory", "GetRecords", ShardIterator=iterator)
    assert f"dynamodb:GetRecords on resource: {arn} because" in said
    spelt = iterator.replace("arn:aws:", "arn:other:")
    region.refused("mallory", "GetRecords", ShardIterator=spelt)
    closed = region("root", "DescribeTable", TableName="closed")["Table"]["LatestStreamArn"]
    region.refused("reader", "DescribeStream", StreamArn=closed)
    region.refused("reader", "ListStreams")


# Policies of resources.


def put_policy(region: Guarded, arn: str, *statements: dict[str, Any]) -> None:
    region("root", "PutResourcePolicy", ResourceArn=arn, Policy=json.dumps(policy(*statements)))


def test_a_tables_policy_lets_in_and_keeps_out(region: Guarded) -> None:
    make_table(region, "shared")
    arn, stream = f"{TABLES}/shared", region("root", "DescribeTable", TableName="shared")["Table"]["LatestStreamArn"]
    read = {"TableName": arn, "Key": KEY}
    region.refused("foreign", "GetItem", **read)
    region.refused("mallory", "GetItem", **read)
    granted = statement("GetItem Query", [arn, f"{arn}/index/by-name"])
    put_policy(
        region,
        arn,
        {**granted, "Principal": {"AWS": [f"arn:aws:iam::{FOREIGN}:user/eve", f"arn:aws:iam::{ACCOUNT}:user/mallory"]}},
        {**statement("*", arn, "Deny"), "Principal": {"AWS": ALICE}},
    )
    assert "Item" in region("foreign", "GetItem", **read)
    assert "Item" in region("foreign", "GetItem", TableName="shared", Key=KEY)
    assert "Item" in region("mallory", "GetItem", **read)
    index = {
        "KeyConditionExpression": "#n = :n",
        "ExpressionAttributeNames": {"#n": "name"},
        "ExpressionAttributeValues": {":n": {"S": "bob"}},
    }
    assert region("foreign", "Query", TableName=arn, IndexName="by-name", **index)["Count"] == 1
    region.refused("foreign", "PutItem", TableName=arn, Item=KEY)
    region.refused("foreign", "DeleteResourcePolicy", ResourceArn=arn)
    told = region.refused("alice", "GetItem", TableName="shared", Key=KEY)
    assert told.endswith("with an explicit deny in a resource-based policy")
    for spelling in (arn, arn.replace("arn:aws:", "arn:aws-cn:")):
        region.refused("alice", "GetItem", TableName=spelling, Key=KEY)
    region.refused("mallory", "DescribeStream", StreamArn=stream)
    put_policy(
        region,
        stream,
        {**statement("DescribeStream", stream), "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/mallory"}},
    )
    region("mallory", "DescribeStream", StreamArn=stream)
    region.refused("mallory", "DescribeTable", TableName="shared")
    region("root", "DeleteResourcePolicy", ResourceArn=arn)
    region.refused("foreign", "GetItem", **read)
    region.refused("mallory", "GetItem", **read)


def test_a_backups_arn_with_another_tables_name_finds_no_backup(region: Guarded) -> None:
    made = region("root", "CreateBackup", TableName="closed", BackupName="saved")["BackupDetails"]["BackupArn"]
    forged = made.replace("table/closed", "table/open")
    with pytest.raises(ClientError, match="BackupNotFoundException"):
        region("root", "DescribeBackup", BackupArn=forged)
    told = region.refused("mallory", "DescribeBackup", BackupArn=forged)
    assert "table/closed" not in told


# Circumstances.


def test_time_and_address_count(region: Guarded) -> None:
    region.refused("night", "GetItem", TableName="open", Key=KEY)
    assert "Item" in region("local", "GetItem", TableName="open", Key=KEY)
    assert region("lister", "ListTables")["TableNames"]
    region.refused("lister", "DescribeTable", TableName="open")


def test_a_new_access_file_counts_from_sighup_on_and_a_broken_one_changes_nothing(region: Guarded) -> None:
    original = region.file.read_text()
    pid = region.cluster.pid(EAST)
    try:
        region.file.write_text(json.dumps(access_file({**USERS, "mallory": {"policies": ["everything"]}})))
        os.kill(pid, signal.SIGHUP)
        eventually(lambda: _may(region, "mallory"), "the new policy did not count")
        region.file.write_text("{")
        os.kill(pid, signal.SIGHUP)
        log = region.cluster.data / EAST / "region.log"
        eventually(lambda: "access_kept" in log.read_text(), "the broken file was not noticed")
        assert _may(region, "mallory")
    finally:
        region.file.write_text(original)
        os.kill(pid, signal.SIGHUP)
        eventually(lambda: not _may(region, "mallory"), "the old policy did not come back")


def _may(region: Guarded, name: str) -> bool:
    try:
        region(name, "DescribeTable", TableName="open")
    except ClientError:
        return False
    return True


def test_two_regions_with_tls_share_a_file_and_keep_their_tables_policies_apart(tmp_path: Path) -> None:
    users = {"safe": {"policies": ["encrypted"]}, "local": {"policies": ["local"]}}
    content = access_file(users)
    encrypted = statement("*", "*", Bool={"aws:SecureTransport": "true"})
    content["policies"] = {**POLICIES, "encrypted": policy(encrypted)}
    file = tmp_path / "access.json"
    file.write_text(json.dumps(content))
    settings = Config(api=ApiConfig(access_keys={"AKroot": "s-root"}), access=AccessConfig(file=str(file)))
    west = "eu-west-1"
    with Cluster((EAST, west), durability="memory", tls=True, template=settings, announce=False) as cluster:
        cluster.create_global_table("shared")

        def client(region: str, name: str) -> Any:
            return cluster.client(region, aws_access_key_id=f"AK{name}", aws_secret_access_key=f"s-{name}", config=ONCE)

        client(EAST, "safe").put_item(TableName="shared", Item={"id": {"S": "x"}})
        cluster.wait_converged("shared")
        get = {"TableName": "shared", "Key": {"id": {"S": "x"}}}
        assert "Item" in client(west, "safe").get_item(**get)
        with pytest.raises(ClientError, match="no identity-based policy allows"):
            client(west, "local").get_item(**get)
        arn = f"{TABLES}/shared"
        granted = {**statement("GetItem", arn), "Principal": {"AWS": f"arn:aws:iam::{FOREIGN}:user/eve"}}
        cluster.client(EAST).put_resource_policy(ResourceArn=arn, Policy=json.dumps(policy(granted)))
        assert "Item" in client(EAST, "foreign").get_item(**get)
        with pytest.raises(ClientError, match="no resource-based policy allows"):
            client(west, "foreign").get_item(**get)
