"""DescribeEndpoints and DescribeLimits: what AWS says of the region and of the account.

Source: AWS API reference, the two operations; developer guide, "Quotas".
"""

from __future__ import annotations

from typing import Any, Final

from region.model.change import Response
from region.operation.capacity.throughput import ACCOUNT_UNITS_MAX, TABLE_UNITS_MAX
from region.operation.context import Context

ENDPOINT_CACHE_MINUTES: Final = 1440


def describe_endpoints(context: Context, _request: dict[str, Any]) -> Response:
    """Return AWS's endpoint of the region, for clients that discover endpoints."""
    address = f"dynamodb.{context.settings.region}.amazonaws.com"
    return {"Endpoints": [{"Address": address, "CachePeriodInMinutes": ENDPOINT_CACHE_MINUTES}]}


def describe_limits(_context: Context, _request: dict[str, Any]) -> Response:
    """Return the quotas of provisioned capacity, in units per second."""
    return {
        "AccountMaxReadCapacityUnits": ACCOUNT_UNITS_MAX,
        "AccountMaxWriteCapacityUnits": ACCOUNT_UNITS_MAX,
        "TableMaxReadCapacityUnits": TABLE_UNITS_MAX,
        "TableMaxWriteCapacityUnits": TABLE_UNITS_MAX,
    }
