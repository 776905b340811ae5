"""CloudWatch on a region's endpoint: requests that are signed for ``monitoring``, from bytes to bytes.

What: :func:`serve` reads a request in its protocol, collects what has happened up to this moment, runs the operation,
and writes the answer.

Invariant: only reads are served; nothing that is asked changes anything. An operation that is not served is refused by
name, with those that are.

Source: AWS CloudWatch API reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from atoll.monitoring import protocols
from atoll.monitoring.collector import Collector
from atoll.monitoring.errors import CloudWatchError, RefusedError, UnknownOperationError
from atoll.monitoring.insight_rules import describe_insight_rules, get_insight_rule_report
from atoll.monitoring.metric_data import get_metric_data
from atoll.monitoring.protocols import Request
from atoll.monitoring.queries import get_metric_statistics, list_metrics
from atoll.monitoring.shapes import check, model
from region.errors import DynamoError
from region.wire.answers import Page

Operation = Callable[[Collector, dict[str, Any], float], dict[str, Any]]
"""From what is collected, the parameters and the time in seconds to the answer."""

OPERATIONS: Final[Mapping[str, Operation]] = {
    "GetMetricData": lambda known, request, now_s: get_metric_data(known.series, request, now_s, known.region),
    "GetMetricStatistics": lambda known, request, _now_s: get_metric_statistics(known.series, request),
    "ListMetrics": lambda known, request, now_s: list_metrics(known.series, request, now_s),
    "GetInsightRuleReport": lambda known, request, _now_s: get_insight_rule_report(known.key_counts, request),
    "DescribeInsightRules": lambda known, request, _now_s: describe_insight_rules(known.key_counts, request),
}


def serve(collector: Collector, request: Request, request_id: str) -> Page:
    """Page one request."""
    protocol = protocols.of(request)
    try:
        operation, parameters = protocol.read(request)
        run = OPERATIONS.get(operation)
        if run is None:
            served = ", ".join(OPERATIONS)
            raise UnknownOperationError(f"The operation {operation or '(none)'} is not served here; {served} are.")
        checked = check(model()["operations"][operation]["input"]["shape"], parameters)
        now_s = collector.collect()
        return protocol.write(operation, run(collector, checked, now_s), request_id)
    except CloudWatchError as error:
        return protocol.refuse(error, request_id)


def refuse(request: Request, error: DynamoError, request_id: str) -> Page:
    """Tell in the protocol of a request that the endpoint has refused it."""
    return protocols.of(request).refuse(RefusedError(error.name, str(error), error.status), request_id)
