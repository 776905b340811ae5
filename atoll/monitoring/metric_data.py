"""GetMetricData: up to 500 metrics and expressions over them, page by page.

What: a query is a metric with a statistic, or an expression over others' ids. Each that is to be answered becomes one
result, or several where an expression makes several lines.

Invariants: periods are those of the clock, so that lines of one period meet. A page ends after ``MaxDatapoints``; its
token pins the end of the time that is asked for, so that pages of one request fit together while time goes on.

Source: AWS CloudWatch API reference, "GetMetricData", "MetricDataQuery".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from atoll.monitoring import functions, periods, syntax
from atoll.monitoring.errors import CloudWatchError, InvalidTokenError
from atoll.monitoring.labels import Labelled, label_of
from atoll.monitoring.lines import Line, Value
from atoll.monitoring.names import NAMESPACE, UNITS
from atoll.monitoring.queries import asked, moment, packed, unpacked
from atoll.monitoring.search import search
from atoll.monitoring.series import MINUTE_S, MINUTES_KEPT_S, Metric, Series
from atoll.monitoring.statistic import statistic

QUERIES_MAX: Final = 500
DATAPOINTS_MAX: Final = 100_800
DESCENDING: Final = "TimestampDescending"
_ID: Final = re.compile(r"[a-z][a-zA-Z0-9_]*")


class Result(NamedTuple):
    """One line of the answer."""

    id: str
    label: str
    line: Line


def get_metric_data(series: Series, request: Mapping[str, Any], now_s: float, region: str) -> dict[str, Any]:
    """Return values of metrics and expressions.

    Raises:
        CloudWatchError: a query makes no sense; the text names it.
    """
    most = request.get("MaxDatapoints", DATAPOINTS_MAX)
    if not 0 < most <= DATAPOINTS_MAX:
        raise CloudWatchError(f"The parameter MaxDatapoints must be between 1 and {DATAPOINTS_MAX:,}.")
    periods.check_order(request["StartTime"], request["EndTime"])
    begin = _Position(0, 0, 0, min(request["EndTime"], now_s + MINUTE_S))
    if (token := request.get("NextToken")) is not None:
        begin = _Position.of(unpacked(token))
    queries = _checked(request["MetricDataQueries"])
    evaluation = _Evaluation(series, queries, request["StartTime"], begin.end_s, now_s, region)
    shown = [query for query in queries.values() if query.get("ReturnData", True)]
    return _page(evaluation, shown, request.get("ScanBy", DESCENDING) == DESCENDING, begin, most)


class _Position(NamedTuple):
    """Where a page begins: at which query, which of its lines, which of its values; and the end of the time."""

    query: int
    line: int
    value: int
    end_s: float

    @classmethod
    def of(cls, content: Any) -> _Position:
        """Return the position that a token brings."""
        try:
            query, line, value, end_s = content
            return cls(int(query), int(line), int(value), float(end_s))
        except (TypeError, ValueError, OverflowError):
            raise InvalidTokenError("The parameter NextToken is not one that was returned.") from None


def _checked(queries: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the queries by their ids, once they make sense by themselves."""
    if not 0 < len(queries) <= QUERIES_MAX:
        raise CloudWatchError(
            f"The collection MetricDataQueries must have a size between 1 and {QUERIES_MAX}; it has {len(queries)}."
        )
    found: dict[str, dict[str, Any]] = {}
    for query in queries:
        name = query["Id"]
        if _ID.fullmatch(name) is None:
            raise CloudWatchError(
                f"The value {name} for parameter Id is not valid: it must begin with a lower-case letter, followed by "
                "letters, digits and underscores."
            )
        if name in found:
            raise CloudWatchError(f"The value {name} for parameter Id is not unique.")
        if ("MetricStat" in query) == ("Expression" in query):
            raise CloudWatchError(f"The query {name} must have either MetricStat or Expression.")
        if "MetricStat" in query:
            periods.check_period(query["MetricStat"]["Period"], f"{name}.MetricStat.Period")
            if statistic(query["MetricStat"]["Stat"]) is None:
                raise CloudWatchError(
                    f"The value {query['MetricStat']['Stat']} for parameter {name}.MetricStat.Stat is not supported; "
                    "SampleCount, Average, Sum, Minimum, Maximum and percentiles from p0 to p100 are."
                )
        elif "Period" in query:
            periods.check_period(query["Period"], f"{name}.Period")
        found[name] = query
    if not any(query.get("ReturnData", True) for query in queries):
        raise CloudWatchError("At least one query must have ReturnData set to true.")
    return found


class _Evaluation:
    """One request's queries, each evaluated at most once."""

    def __init__(
        self,
        series: Series,
        queries: Mapping[str, dict[str, Any]],
        start_s: float,
        end_s: float,
        now_s: float,
        region: str,
    ) -> None:
        self._series = series
        self._queries = queries
        self._start_s, self._end_s, self._now_s = start_s, end_s, now_s
        self._region = region
        self._values: dict[str, Value] = {}
        self._under_way: set[str] = set()
        names = [query["MetricStat"]["Metric"].get("MetricName") for query in queries.values() if "MetricStat" in query]
        self._repeated = {name for name in names if names.count(name) > 1}
        self._period_s = max(
            (query["MetricStat"]["Period"] for query in queries.values() if "MetricStat" in query), default=5 * MINUTE_S
        )

    def results(self, query: Mapping[str, Any]) -> list[Result]:
        """Return the lines that a query makes."""
        try:
            value = self._value(query["Id"])
            lines = functions.lines_of(value)
        except RecursionError:
            raise CloudWatchError(f"Error in expression '{query['Id']}': it is nested too deeply.") from None
        except CloudWatchError as error:
            if "Expression" not in query or str(error).startswith("Error in expression"):
                raise
            raise CloudWatchError(f"Error in expression '{query['Id']}': {error}.") from None
        several = isinstance(value, list)
        return [Result(query["Id"], self._label(query, line, several), line) for line in lines]

    def _label(self, query: Mapping[str, Any], line: Line, several: bool) -> str:
        stat = query.get("MetricStat")
        own = line.label if stat is not None or several else query["Id"]
        if "Label" not in query:
            return own
        metric = asked(stat["Metric"]) if stat is not None else None
        shown = label_of(query["Label"], Labelled(own, metric, stat, line, self._region))
        return f"{shown} {line.label}" if several and shown == query["Label"] else shown

    def _value(self, name: str) -> Value:
        if name not in self._queries:
            raise CloudWatchError(f"Undefined id '{name}'")
        if name not in self._values:
            if name in self._under_way:
                raise CloudWatchError(f"The id '{name}' refers to itself")
            self._under_way.add(name)
            query = self._queries[name]
            stat = query.get("MetricStat")
            self._values[name] = (
                self._line(stat) if stat is not None else self._evaluate(syntax.parse(query["Expression"]), query)
            )
            self._under_way.discard(name)
        return self._values[name]

    def _line(self, stat: Mapping[str, Any]) -> Line:
        metric = asked(stat["Metric"])
        label = _own_label(metric) if metric.name in self._repeated else metric.name
        unit = UNITS.get(metric.name, "None")
        if stat["Metric"].get("Namespace") != NAMESPACE or stat.get("Unit", unit) != unit:
            return Line(label, {})
        return self._read(metric, label, stat["Stat"], stat["Period"])

    def _read(self, metric: Metric, label: str, stat: str, period_s: int) -> Line:
        span = periods.by_clock(self._start_s, self._end_s, period_s)
        compute = statistic(stat)
        assert compute is not None
        points = self._series.read(metric, period_s, span.start_s, span.end_s)
        values = {begin: compute(point) for begin, point in points.items()}
        return Line(label, {begin: value for begin, value in values.items() if value is not None})

    def _evaluate(self, term: syntax.Term, query: Mapping[str, Any]) -> Value:
        if isinstance(term, syntax.Number):
            return term.value
        if isinstance(term, syntax.Name):
            return self._value(term.value)
        if isinstance(term, syntax.Operation):
            left, right = self._evaluate(term.left, query), self._evaluate(term.right, query)
            return functions.combined(functions.OPERATORS[term.operator], left, right)
        if isinstance(term, syntax.Several):
            return [line for member in term.members for line in functions.lines_of(self._evaluate(member, query))]
        if isinstance(term, syntax.Text):
            raise CloudWatchError(f"Unexpected '{term.value}'")
        return self._call(term, query)

    def _call(self, term: syntax.Call, query: Mapping[str, Any]) -> Value:
        arguments = term.arguments
        if term.function == "METRICS":
            return self._metrics(arguments)
        if term.function == "SEARCH":
            return self._search(arguments, query)
        span = periods.by_clock(self._start_s, self._end_s, query.get("Period", self._period_s))
        if term.function == "FILL" and len(arguments) == 2 and arguments[1] == syntax.Name("REPEAT"):
            return functions.call("REPEAT", [self._evaluate(arguments[0], query)], span)
        return functions.call(term.function, [self._evaluate(argument, query) for argument in arguments], span)

    def _metrics(self, arguments: Sequence[syntax.Term]) -> list[Line]:
        """Return the metrics of the request, or those whose id contains a text."""
        part = arguments[0].value if arguments and isinstance(arguments[0], syntax.Text) else ""
        values = [self._value(name) for name, query in self._queries.items() if "MetricStat" in query and part in name]
        return [line for value in values for line in functions.lines_of(value)]

    def _search(self, arguments: Sequence[syntax.Term], query: Mapping[str, Any]) -> list[Line]:
        match arguments:
            case [syntax.Text(expression), syntax.Text(stat)]:
                period_s = query.get("Period", self._period_s)
            case [syntax.Text(expression), syntax.Text(stat), syntax.Number(period)]:
                period_s = int(period)
            case _:
                raise CloudWatchError("SEARCH takes a search expression, a statistic and a period")
        if statistic(stat) is None:
            raise CloudWatchError(f"The statistic {stat} is not supported")
        periods.check_period(period_s, "Period")
        known = self._series.minutes.metrics(self._now_s - MINUTES_KEPT_S)
        return [self._read(metric, _own_label(metric), stat, period_s) for metric in search(expression, known)]


def _own_label(metric: Metric) -> str:
    """Return what tells a metric from others of its name: the values of its dimensions, and its name."""
    return " ".join((*(value for _, value in metric.dimensions), metric.name))


def _page(
    evaluation: _Evaluation, queries: Sequence[Mapping[str, Any]], descending: bool, begin: _Position, most: int
) -> dict[str, Any]:
    """Return the page of results that begins at a position; nothing that comes after it is computed."""
    answered: list[dict[str, Any]] = []
    room = most
    for number, query in enumerate(queries[begin.query :], begin.query):
        first_line, first_value = (begin.line, begin.value) if number == begin.query else (0, 0)
        for line_number, result in enumerate(evaluation.results(query)[first_line:], first_line):
            values = list(result.line.values.items())
            if descending:
                values.reverse()
            skip = first_value if line_number == first_line else 0
            shown = values[skip : skip + room]
            complete = skip + len(shown) == len(values)
            if shown or complete:
                answered.append(_told(result, shown, complete=complete))
            room -= len(shown)
            if not complete:
                token = packed(_Position(number, line_number, skip + len(shown), begin.end_s))
                return {"MetricDataResults": answered, "Messages": [], "NextToken": token}
    return {"MetricDataResults": answered, "Messages": []}


def _told(result: Result, values: Sequence[tuple[int, float]], *, complete: bool) -> dict[str, Any]:
    return {
        "Id": result.id,
        "Label": result.label,
        "Timestamps": [moment(at) for at, _ in values],
        "Values": [value for _, value in values],
        "StatusCode": "Complete" if complete else "PartialData",
    }
