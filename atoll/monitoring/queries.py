"""ListMetrics and GetMetricStatistics, and what GetMetricData shares with them.

What: functions over a region's :class:`~atoll.monitoring.series.Series`, from parameters as ``shapes`` returns them to
answers whose times are ``datetime``.

Source: AWS CloudWatch API reference of the operations.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from atoll.monitoring import periods
from atoll.monitoring.errors import (
    InvalidParameterCombinationError,
    InvalidParameterValueError,
    InvalidTokenError,
)
from atoll.monitoring.names import NAMESPACE, UNITS
from atoll.monitoring.series import MINUTES_KEPT_S, Metric, Series
from atoll.monitoring.statistic import SIMPLE, statistic

LISTED_MAX: Final = 500
DATAPOINTS_MAX: Final = 1440
RECENTLY_S: Final = 3 * 60 * 60


def list_metrics(series: Series, request: Mapping[str, Any], now_s: float) -> dict[str, Any]:
    """Return the metrics of the last day, or of the last three hours, that fit a filter; 500 at a time."""
    filters: Sequence[Mapping[str, str]] = request.get("Dimensions", ())
    kept_s = RECENTLY_S if request.get("RecentlyActive") else MINUTES_KEPT_S
    fitting = sorted(
        metric
        for metric in series.minutes.metrics(now_s - kept_s)
        if request.get("Namespace", NAMESPACE) == NAMESPACE
        and request.get("MetricName", metric.name) == metric.name
        and _fits(dict(metric.dimensions), filters)
    )
    if (token := request.get("NextToken")) is not None:
        after = _metric_of(unpacked(token))
        fitting = [metric for metric in fitting if metric > after]
    answer: dict[str, Any] = {"Metrics": [described(metric) for metric in fitting[:LISTED_MAX]]}
    if len(fitting) > LISTED_MAX:
        answer["NextToken"] = packed(fitting[LISTED_MAX - 1])
    return answer


def _fits(dimensions: Mapping[str, str], filters: Sequence[Mapping[str, str]]) -> bool:
    return all(
        wanted["Name"] in dimensions and wanted.get("Value", dimensions[wanted["Name"]]) == dimensions[wanted["Name"]]
        for wanted in filters
    )


def get_metric_statistics(series: Series, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return statistics of one metric.

    Raises:
        CloudWatchError: a parameter is wrong, or there would be more than 1,440 data points.
    """
    plain: Sequence[str] = request.get("Statistics", ())
    extended: Sequence[str] = request.get("ExtendedStatistics", ())
    if not plain and not extended:
        raise InvalidParameterCombinationError(
            "At least one of the parameters Statistics and ExtendedStatistics must be specified."
        )
    for name in extended:
        if statistic(name) is None or name in SIMPLE:
            raise InvalidParameterValueError(
                f"The value {name} for parameter ExtendedStatistics is not supported; percentiles from p0 to p100 are."
            )
    period_s = request["Period"]
    periods.check_period(period_s, "Period")
    periods.check_order(request["StartTime"], request["EndTime"])
    span = periods.from_start(request["StartTime"], request["EndTime"], period_s)
    if span.periods > DATAPOINTS_MAX:
        raise InvalidParameterCombinationError(
            f"You have requested up to {span.periods:,} datapoints, which exceeds the limit of {DATAPOINTS_MAX:,}. "
            "You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )
    metric = asked(request)
    unit = UNITS.get(metric.name, "None")
    if request["Namespace"] != NAMESPACE or request.get("Unit", unit) != unit:
        return {"Label": metric.name, "Datapoints": []}
    datapoints = []
    for begin, point in series.read(metric, period_s, span.start_s, span.end_s).items():
        datapoint: dict[str, Any] = {"Timestamp": moment(begin)}
        datapoint |= {name: SIMPLE[name](point) for name in plain}
        datapoint["Unit"] = unit
        values = {name: found(point) for name in extended if (found := statistic(name)) is not None}
        if known := {name: value for name, value in values.items() if value is not None}:
            datapoint["ExtendedStatistics"] = known
        datapoints.append(datapoint)
    return {"Label": metric.name, "Datapoints": datapoints}


def asked(metric: Mapping[str, Any]) -> Metric:
    """Return the metric that a request names.

    Raises:
        InvalidParameterValueError: a dimension is given twice.
    """
    dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", ())}
    if len(dimensions) != len(metric.get("Dimensions", ())):
        raise InvalidParameterValueError("The parameter Dimensions must not name a dimension more than once.")
    return Metric(metric.get("MetricName", ""), tuple(sorted(dimensions.items())))


def described(metric: Metric) -> dict[str, Any]:
    """Return a metric as answers tell it."""
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    return {"Namespace": NAMESPACE, "MetricName": metric.name, "Dimensions": dimensions}


def moment(at_s: float) -> datetime:
    """Return a time as answers tell it."""
    return datetime.fromtimestamp(at_s, UTC)


def packed(content: Any) -> str:
    """Return a token that brings a content back."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def unpacked(token: str) -> Any:
    """Return what a token brings.

    Raises:
        InvalidTokenError: no answer gave it.
    """
    try:
        return json.loads(base64.b64decode(token.encode(), b"-_", validate=True))
    except (ValueError, RecursionError):
        raise InvalidTokenError("The parameter NextToken is not one that was returned.") from None


def _metric_of(content: Any) -> Metric:
    try:
        name, dimensions = content
        return Metric(str(name), tuple((str(key), str(value)) for key, value in dimensions))
    except (TypeError, ValueError):
        raise InvalidTokenError("The parameter NextToken is not one that was returned.") from None
