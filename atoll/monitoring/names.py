"""DynamoDB's metrics as CloudWatch knows them: the namespace, and the unit of each.

Invariant: every metric that is collected stands here, which a test checks.

Source: AWS developer guide, "DynamoDB metrics and dimensions".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NAMESPACE: Final = "AWS/DynamoDB"
COUNT: Final = "Count"
MILLISECONDS: Final = "Milliseconds"
BYTES: Final = "Bytes"
PERCENT: Final = "Percent"

UNITS: Final[Mapping[str, str]] = {
    "AccountMaxReads": COUNT,
    "AccountMaxTableLevelReads": COUNT,
    "AccountMaxTableLevelWrites": COUNT,
    "AccountMaxWrites": COUNT,
    "AccountProvisionedReadCapacityUtilization": PERCENT,
    "AccountProvisionedWriteCapacityUtilization": PERCENT,
    "AgeOfOldestUnreplicatedRecord": MILLISECONDS,
    "ConditionalCheckFailedRequests": COUNT,
    "ConsumedChangeDataCaptureUnits": COUNT,
    "ConsumedReadCapacityUnits": COUNT,
    "ConsumedWriteCapacityUnits": COUNT,
    "FailedToReplicateRecordCount": COUNT,
    "MaxProvisionedTableReadCapacityUtilization": PERCENT,
    "MaxProvisionedTableWriteCapacityUtilization": PERCENT,
    "OnDemandMaxReadRequestUnits": COUNT,
    "OnDemandMaxWriteRequestUnits": COUNT,
    "PendingReplicationCount": COUNT,
    "ProvisionedReadCapacityUnits": COUNT,
    "ProvisionedWriteCapacityUnits": COUNT,
    "ReadThrottleEvents": COUNT,
    "ReplicationLatency": MILLISECONDS,
    "ReturnedBytes": BYTES,
    "ReturnedItemCount": COUNT,
    "ReturnedRecordsCount": COUNT,
    "SuccessfulRequestLatency": MILLISECONDS,
    "SystemErrors": COUNT,
    "ThrottledPutRecordCount": COUNT,
    "ThrottledRequests": COUNT,
    "TimeToLiveDeletedItemCount": COUNT,
    "UserErrors": COUNT,
    "WriteThrottleEvents": COUNT,
}
