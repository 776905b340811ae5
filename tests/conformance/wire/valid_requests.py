"""A valid request or more of every built operation, for tests that change them.

``STREAM-ARN``, ``SHARD-ID`` and ``SHARD-ITERATOR`` stand for names that only a running region knows.
"""

from __future__ import annotations

import json
from typing import Any

REGION = "us-east-1"
TABLE = "mutated"
ARN = f"arn:aws:dynamodb:{REGION}:000000000000:table/{TABLE}"
KINESIS_ARN = f"arn:aws:kinesis:{REGION}:000000000000:stream/changes"
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
                "Action": "dynamodb:GetItem",
                "Resource": ARN,
            }
        ],
    }
)
KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}
THROUGHPUT = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
DEFINITION: dict[str, Any] = {
    "TableName": TABLE,
    "BillingMode": "PAY_PER_REQUEST",
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": kind} for name, kind in (("pk", "S"), ("sk", "N"), ("g", "S"))
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-g",
            "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["list"]},
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
ITEM = {
    **KEY,
    "g": {"S": "x"},
    "list": {"L": [{"N": "1.5e10"}, {"NULL": True}, {"BOOL": False}, {"M": {"deep": {"B": "AAEC"}}}]},
    "set": {"NS": ["1", "2.0", "-3e-5"]},
    "words": {"SS": ["a", "b"]},
    "bytes": {"BS": ["AAEC", "AQ=="]},
}
NAMES = {"#g": "g", "#l": "list", "#d": "deep"}
WHERE = {
    "ConditionExpression": (
        "attribute_exists(pk) AND (NOT #l[3].#d IN (:b, :g) OR size(#g) BETWEEN :low AND :high) "
        "AND begins_with(#g, :g) OR contains(words, :g) OR attribute_type(#l, :type)"
    ),
    "ExpressionAttributeNames": NAMES,
    "ExpressionAttributeValues": {
        ":b": {"B": "AAEC"},
        ":g": {"S": "x"},
        ":low": {"N": "0"},
        ":high": {"N": "100"},
        ":type": {"S": "L"},
    },
}
ON_DELETION = {"ReturnValues": "ALL_OLD", "ReturnConsumedCapacity": "INDEXES", "ReturnItemCollectionMetrics": "SIZE"}
VALID: dict[str, list[dict[str, Any]]] = {
    "GetItem": [
        {"TableName": TABLE, "Key": KEY, "ConsistentRead": True},
        {
            "TableName": ARN,
            "Key": KEY,
            "ProjectionExpression": "#g, #l[0], #l[3].#d, pk",
            "ExpressionAttributeNames": NAMES,
            "ReturnConsumedCapacity": "TOTAL",
        },
    ],
    "PutItem": [{"TableName": TABLE, "Item": ITEM}, {"TableName": TABLE, "Item": ITEM, **WHERE, **ON_DELETION}],
    "UpdateItem": [
        {
            "TableName": TABLE,
            "Key": KEY,
            "UpdateExpression": (
                "SET #l[1] = list_append(if_not_exists(more, :empty), :empty), n = if_not_exists(n, :one) - :one "
                "REMOVE #l[3].#d, gone ADD c :one, tags :tags DELETE words :tags"
            ),
            "ExpressionAttributeNames": {"#l": "list", "#d": "deep"},
            "ExpressionAttributeValues": {":one": {"N": "1"}, ":empty": {"L": []}, ":tags": {"SS": ["a", "t"]}},
            "ReturnValues": "UPDATED_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    ],
    "DeleteItem": [{"TableName": TABLE, "Key": KEY, **WHERE, **ON_DELETION}, {"TableName": TABLE, "Key": KEY}],
    "Query": [
        {
            "TableName": TABLE,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :low AND :high",
            "FilterExpression": "attribute_not_exists(nothing)",
            "ExpressionAttributeValues": {":pk": {"S": "a"}, ":low": {"N": "-1"}, ":high": {"N": "1e3"}},
            "ScanIndexForward": False,
            "Limit": 3,
            "ExclusiveStartKey": {"pk": {"S": "a"}, "sk": {"N": "500"}},
        },
        {
            "TableName": TABLE,
            "IndexName": "by-g",
            "KeyConditionExpression": "#g = :g",
            "ExpressionAttributeNames": {"#g": "g"},
            "ExpressionAttributeValues": {":g": {"S": "x"}},
            "Select": "ALL_PROJECTED_ATTRIBUTES",
            "ReturnConsumedCapacity": "INDEXES",
        },
    ],
    "Scan": [
        {"TableName": TABLE, "Segment": 1, "TotalSegments": 4, "Limit": 2, "Select": "COUNT"},
        {
            "TableName": TABLE,
            "IndexName": "local",
            "FilterExpression": "size(pk) > :n",
            "ExpressionAttributeValues": {":n": {"N": "0"}},
        },
    ],
    "BatchGetItem": [
        {
            "RequestItems": {
                TABLE: {
                    "Keys": [KEY, {"pk": {"S": "b"}, "sk": {"N": "2"}}],
                    "ConsistentRead": True,
                    "ProjectionExpression": "pk, #g",
                    "ExpressionAttributeNames": {"#g": "g"},
                }
            }
        }
    ],
    "BatchWriteItem": [
        {
            "RequestItems": {
                TABLE: [
                    {"PutRequest": {"Item": ITEM}},
                    {"DeleteRequest": {"Key": {"pk": {"S": "b"}, "sk": {"N": "2"}}}},
                ]
            },
            "ReturnItemCollectionMetrics": "SIZE",
        }
    ],
    "TransactGetItems": [
        {
            "TransactItems": [
                {"Get": {"TableName": TABLE, "Key": KEY, "ProjectionExpression": "pk"}},
                {"Get": {"TableName": TABLE, "Key": {"pk": {"S": "b"}, "sk": {"N": "2"}}}},
            ],
            "ReturnConsumedCapacity": "TOTAL",
        }
    ],
    "TransactWriteItems": [
        {
            "TransactItems": [
                {"ConditionCheck": {"TableName": TABLE, "Key": KEY, "ConditionExpression": "attribute_exists(pk)"}},
                {"Put": {"TableName": TABLE, "Item": {"pk": {"S": "t"}, "sk": {"N": "1"}}}},
                {"Delete": {"TableName": TABLE, "Key": {"pk": {"S": "t"}, "sk": {"N": "2"}}}},
                {
                    "Update": {
                        "TableName": TABLE,
                        "Key": {"pk": {"S": "t"}, "sk": {"N": "3"}},
                        "UpdateExpression": "ADD n :one",
                        "ExpressionAttributeValues": {":one": {"N": "1"}},
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                },
            ],
            "ReturnItemCollectionMetrics": "SIZE",
        }
    ],
    "ExecuteStatement": [
        {
            "Statement": "SELECT pk, g, words FROM mutated WHERE pk = ? AND sk > 0",
            "Parameters": [{"S": "a"}],
            "Limit": 3,
        },
        {"Statement": 'SELECT * FROM "mutated"."by-g" WHERE g = \'x\'', "ReturnConsumedCapacity": "INDEXES"},
        {"Statement": "INSERT INTO mutated VALUE {'pk': ?, 'sk': 9, 'more': [1, 'b']}", "Parameters": [{"S": "p"}]},
        {"Statement": "UPDATE mutated SET n = 1 REMOVE gone WHERE pk = 'a' AND sk = 1 RETURNING ALL NEW *"},
        {"Statement": "DELETE FROM mutated WHERE pk = 'p' AND sk = 9"},
    ],
    "BatchExecuteStatement": [
        {
            "Statements": [
                {"Statement": "SELECT * FROM mutated WHERE pk = 'a' AND sk = 1", "ConsistentRead": True},
                {"Statement": "SELECT * FROM mutated WHERE pk = ? AND sk = 2", "Parameters": [{"S": "a"}]},
            ]
        }
    ],
    "ExecuteTransaction": [
        {
            "TransactStatements": [
                {"Statement": "EXISTS(SELECT * FROM mutated WHERE pk = 'a' AND sk = 1 AND g = 'x')"},
                {"Statement": "UPDATE mutated SET n = 2 WHERE pk = 'b' AND sk = ?", "Parameters": [{"N": "2"}]},
            ]
        }
    ],
    "ListStreams": [{"TableName": TABLE, "Limit": 10}, {}],
    "DescribeStream": [{"StreamArn": "STREAM-ARN", "Limit": 5}],
    "GetShardIterator": [
        {"StreamArn": "STREAM-ARN", "ShardId": "SHARD-ID", "ShardIteratorType": "TRIM_HORIZON"},
    ],
    "GetRecords": [{"ShardIterator": "SHARD-ITERATOR", "Limit": 7}],
    "CreateTable": [
        DEFINITION,
        {
            **DEFINITION,
            "TableName": "mutated-too",
            "BillingMode": "PROVISIONED",
            "ProvisionedThroughput": THROUGHPUT,
            "GlobalSecondaryIndexes": [
                {**DEFINITION["GlobalSecondaryIndexes"][0], "ProvisionedThroughput": THROUGHPUT}
            ],
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            "SSESpecification": {"Enabled": True, "SSEType": "KMS"},
            "Tags": [{"Key": "owner", "Value": "me"}],
            "DeletionProtectionEnabled": False,
            "TableClass": "STANDARD",
        },
    ],
    "DescribeTable": [{"TableName": TABLE}, {"TableName": ARN}],
    "ListTables": [{}, {"ExclusiveStartTableName": "mutate", "Limit": 1}],
    "UpdateTable": [
        {"TableName": TABLE, "BillingMode": "PROVISIONED", "ProvisionedThroughput": THROUGHPUT},
        {
            "TableName": TABLE,
            "AttributeDefinitions": [{"AttributeName": "h", "AttributeType": "S"}],
            "GlobalSecondaryIndexUpdates": [
                {
                    "Create": {
                        "IndexName": "by-h",
                        "KeySchema": [{"AttributeName": "h", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                }
            ],
        },
        {"TableName": TABLE, "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by-h"}}]},
        {"TableName": TABLE, "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}},
        {"TableName": TABLE, "ReplicaUpdates": [{"Create": {"RegionName": "eu-west-1"}}]},
        {"TableName": TABLE, "DeletionProtectionEnabled": False, "TableClass": "STANDARD_INFREQUENT_ACCESS"},
    ],
    "DeleteTable": [{"TableName": "mutated-too"}],
    "TagResource": [{"ResourceArn": ARN, "Tags": [{"Key": "owner", "Value": "me"}, {"Key": "cost", "Value": ""}]}],
    "UntagResource": [{"ResourceArn": ARN, "TagKeys": ["owner", "cost"]}],
    "ListTagsOfResource": [{"ResourceArn": ARN}],
    "DescribeTimeToLive": [{"TableName": TABLE}],
    "UpdateTimeToLive": [
        {"TableName": TABLE, "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "expires"}}
    ],
    "DescribeEndpoints": [{}],
    "DescribeLimits": [{}],
    "CreateGlobalTable": [{"GlobalTableName": TABLE, "ReplicationGroup": [{"RegionName": REGION}]}],
    "UpdateGlobalTable": [{"GlobalTableName": TABLE, "ReplicaUpdates": [{"Create": {"RegionName": "eu-west-1"}}]}],
    "DescribeGlobalTable": [{"GlobalTableName": TABLE}],
    "DescribeGlobalTableSettings": [{"GlobalTableName": TABLE}],
    "UpdateGlobalTableSettings": [{"GlobalTableName": TABLE, "GlobalTableBillingMode": "PAY_PER_REQUEST"}],
    "ListGlobalTables": [{"Limit": 5}],
    "PutResourcePolicy": [{"ResourceArn": ARN, "Policy": POLICY, "ConfirmRemoveSelfResourceAccess": True}],
    "GetResourcePolicy": [{"ResourceArn": ARN}],
    "DeleteResourcePolicy": [{"ResourceArn": ARN}],
    "DescribeTableReplicaAutoScaling": [{"TableName": TABLE}],
    "UpdateTableReplicaAutoScaling": [
        {
            "TableName": TABLE,
            "ProvisionedWriteCapacityAutoScalingUpdate": {
                "MinimumUnits": 1,
                "MaximumUnits": 10,
                "ScalingPolicyUpdate": {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70.0}},
            },
        }
    ],
    "UpdateContributorInsights": [{"TableName": TABLE, "ContributorInsightsAction": "ENABLE", "IndexName": "by-g"}],
    "DescribeContributorInsights": [{"TableName": TABLE}],
    "ListContributorInsights": [{"MaxResults": 10}],
    "EnableKinesisStreamingDestination": [{"TableName": TABLE, "StreamArn": KINESIS_ARN}],
    "DisableKinesisStreamingDestination": [{"TableName": TABLE, "StreamArn": KINESIS_ARN}],
    "UpdateKinesisStreamingDestination": [
        {
            "TableName": TABLE,
            "StreamArn": KINESIS_ARN,
            "UpdateKinesisStreamingConfiguration": {"ApproximateCreationDateTimePrecision": "MILLISECOND"},
        }
    ],
    "DescribeKinesisStreamingDestination": [{"TableName": TABLE}],
}
LEGACY: dict[str, list[dict[str, Any]]] = {
    "GetItem": [{"TableName": TABLE, "Key": KEY, "AttributesToGet": ["pk", "g"]}],
    "Query": [
        {"TableName": TABLE, "KeyConditions": {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [KEY["pk"]]}}}
    ],
    "Scan": [
        {"TableName": TABLE, "ScanFilter": {"g": {"ComparisonOperator": "NOT_NULL"}}, "ConditionalOperator": "AND"}
    ],
    "PutItem": [{"TableName": TABLE, "Item": ITEM, "Expected": {"g": {"Exists": True, "Value": {"S": "x"}}}}],
    "UpdateItem": [{"TableName": TABLE, "Key": KEY, "AttributeUpdates": {"c": {"Action": "ADD", "Value": {"N": "1"}}}}],
}
ARCHIVE: dict[str, list[dict[str, Any]]] = {
    "UpdateContinuousBackups": [
        {
            "TableName": TABLE,
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7},
        }
    ],
    "DescribeContinuousBackups": [{"TableName": TABLE}],
    "CreateBackup": [{"TableName": TABLE, "BackupName": "mutated"}],
    "DescribeBackup": [{"BackupArn": f"{ARN}/backup/01700000000000-0badcafe"}],
    "DeleteBackup": [{"BackupArn": f"{ARN}/backup/01700000000000-0badcafe"}],
    "ListBackups": [{"TableName": TABLE, "Limit": 5, "BackupType": "ALL"}],
    "RestoreTableFromBackup": [
        {"TargetTableName": "mutated-restored", "BackupArn": f"{ARN}/backup/01700000000000-0badcafe"}
    ],
    "RestoreTableToPointInTime": [
        {"SourceTableName": "mutated-no-more", "TargetTableName": "mutated-again", "UseLatestRestorableTime": True}
    ],
    "ExportTableToPointInTime": [{"TableArn": f"{ARN}-no-more", "S3Bucket": "bucket-of-mutants"}],
    "DescribeExport": [{"ExportArn": f"{ARN}/export/01700000000000-0badcafe"}],
    "ListExports": [{"TableArn": ARN, "MaxResults": 5}],
    "ImportTable": [
        {
            "S3BucketSource": {"S3Bucket": "bucket-of-mutants"},
            "InputFormat": "DYNAMODB_JSON",
            "TableCreationParameters": {
                "TableName": TABLE,
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
            },
        }
    ],
    "DescribeImport": [{"ImportArn": f"{ARN}/import/01700000000000-0badcafe"}],
    "ListImports": [{"PageSize": 5}],
}
"""Requests of the archive, whose work goes on after the answer: a log that moves later proves nothing about them."""
