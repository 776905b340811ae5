"""Metric math: expressions over series, as CloudWatch's user guide says; and what is refused, by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.monitoring.errors import CloudWatchError
from atoll.monitoring.metric_data import get_metric_data
from atoll.monitoring.series import Metric, Point, Series
from atoll.monitoring.syntax import parse

FIRST, SECOND, THIRD = 0, 60, 120


def series() -> Series:
    """Metrics ``a`` (1, 2, 4) and ``b`` (10, -, 40) of two tables, and one with dimensions of two kinds."""
    made = Series()
    for at_s, a, b in ((FIRST, 1.0, 10.0), (SECOND, 2.0, None), (THIRD, 4.0, 40.0)):
        made.add(at_s, Metric("Reads", (("TableName", "a"),)), Point.of(a))
        if b is not None:
            made.add(at_s, Metric("Reads", (("TableName", "b"),)), Point.of(b))
    made.add(FIRST, Metric("Reads", (("GlobalSecondaryIndexName", "i"), ("TableName", "a"))), Point.of(7))
    return made


def query(name: str, table: str, **more: Any) -> dict[str, Any]:
    metric = {"Namespace": "AWS/DynamoDB", "MetricName": "Reads", "Dimensions": [{"Name": "TableName", "Value": table}]}
    return {"Id": name, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False, **more}


def answer(expression: str, **more: Any) -> list[dict[str, Any]]:
    request = {
        "StartTime": FIRST,
        "EndTime": THIRD + 60,
        "ScanBy": "TimestampAscending",
        "MetricDataQueries": [query("a", "a"), query("b", "b"), {"Id": "e", "Expression": expression, **more}],
    }
    results: list[dict[str, Any]] = get_metric_data(series(), request, THIRD + 60, "r")["MetricDataResults"]
    return results


def values(expression: str) -> dict[int, float]:
    (result,) = answer(expression)
    return dict(zip((int(at.timestamp()) for at in result["Timestamps"]), result["Values"], strict=True))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a", {FIRST: 1, SECOND: 2, THIRD: 4}),
        ("a + b", {FIRST: 11, THIRD: 44}),
        ("a - 1", {FIRST: 0, SECOND: 1, THIRD: 3}),
        ("1 + a * 2 ^ 3 ^ 0", {FIRST: 3, SECOND: 5, THIRD: 9}),
        ("-a + 2", {FIRST: 1, SECOND: 0, THIRD: -2}),
        ("(a + 1) / (a - 1)", {SECOND: 3, THIRD: 5 / 3}),
        ("a > 1 AND a < 4", {FIRST: 0, SECOND: 1, THIRD: 0}),
        ("a == 1 || a == 4", {FIRST: 1, SECOND: 0, THIRD: 1}),
        ("SUM([a, b])", {FIRST: 11, SECOND: 2, THIRD: 44}),
        ("AVG(METRICS())", {FIRST: 5.5, SECOND: 2, THIRD: 22}),
        ("MAX(METRICS('b'))", {FIRST: 10, THIRD: 40}),
        ("MIN([a, b])", {FIRST: 1, SECOND: 2, THIRD: 4}),
        ("a / SUM(a)", {FIRST: 1 / 7, SECOND: 2 / 7, THIRD: 4 / 7}),
        ("a * 0 + MAX(a)", {FIRST: 4, SECOND: 4, THIRD: 4}),
        ("a / PERIOD(a)", {FIRST: 1 / 60, SECOND: 2 / 60, THIRD: 4 / 60}),
        ("FILL(b, 0)", {FIRST: 10, SECOND: 0, THIRD: 40}),
        ("FILL(b, REPEAT)", {FIRST: 10, SECOND: 10, THIRD: 40}),
        ("DIFF(a)", {SECOND: 1, THIRD: 2}),
        ("RATE(a)", {SECOND: 1 / 60, THIRD: 2 / 60}),
        ("RUNNING_SUM(a)", {FIRST: 1, SECOND: 3, THIRD: 7}),
        ("IF(a > 1, b, 0 - 1)", {FIRST: -1, THIRD: 40}),
        ("TIME_SERIES(METRIC_COUNT(METRICS()))", {FIRST: 2, SECOND: 2, THIRD: 2}),
        ("ABS(0 - a)", {FIRST: 1, SECOND: 2, THIRD: 4}),
        ("CEIL(a / 3)", {FIRST: 1, SECOND: 1, THIRD: 2}),
        ("LOG10(a - 1)", {SECOND: 0, THIRD: pytest.approx(0.4771, abs=1e-3)}),
    ],
)
def test_an_expression_has_the_values_of_the_guide(expression: str, expected: dict[int, float]) -> None:
    assert values(expression) == pytest.approx(expected)


def test_several_series_stay_several_and_are_told_apart_by_label() -> None:
    assert [(line["Label"], line["Values"]) for line in answer("METRICS() * 2")] == [
        ("a Reads", [2, 4, 8]),
        ("b Reads", [20, 80]),
    ]


@pytest.mark.parametrize(
    ("search", "labels"),
    [
        ("{AWS/DynamoDB,TableName} Reads", ["a Reads", "b Reads"]),
        ('{AWS/DynamoDB,TableName} MetricName="Reads" TableName="b"', ["b Reads"]),
        ('{"AWS/DynamoDB","TableName"} MetricName="Reads" "TableName"=("a" OR "b")', ["a Reads", "b Reads"]),
        ("{AWS/DynamoDB,TableName} Reads NOT TableName=a", ["b Reads"]),
        ("{AWS/DynamoDB,GlobalSecondaryIndexName,TableName} rea", ["i a Reads"]),
        ("{AWS/Other,TableName} Reads", []),
        ('MetricName="None"', []),
    ],
)
def test_search_finds_the_metrics_of_a_schema_that_fit_all_terms(search: str, labels: list[str]) -> None:
    assert [line["Label"] for line in answer(f"SEARCH('{search}', 'Sum', 60)")] == labels


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("c + 1", "Undefined id 'c'"),
        ("e", "refers to itself"),
        ("1 + 1", "A time series is expected"),
        ("a +", "Unexpected 'the end of the expression'"),
        ("a b", "Unexpected 'b'"),
        ("(a", r"Expected '\)'"),
        ("a ? b", r"Unexpected '\?'"),
        ("ANOMALY_DETECTION_BAND(a)", "ANOMALY_DETECTION_BAND is not served here"),
        ("SELECT AVG(Reads) FROM AWS", "Unexpected"),
        ("RATE(a, b)", "takes 1 arguments"),
        ("SEARCH('x', 'tm99', 60)", "tm99 is not supported"),
        ("SEARCH('{AWS/DynamoDB,TableName} (Reads', 'Sum', 60)", "ends|missing"),
        ("(" * 5000 + "a" + ")" * 5000, "nested too deeply"),
        ("a" + " + a" * 5000, "nested too deeply"),
    ],
)
def test_what_makes_no_sense_or_is_not_served_is_refused_by_the_id_of_its_query(expression: str, problem: str) -> None:
    with pytest.raises(CloudWatchError, match=f"Error in expression 'e': .*({problem})"):
        answer(expression)


@given(st.text(alphabet="ab1(),+-*/^[]<>=!&|'\" SUM", max_size=30))
def test_any_text_is_an_expression_or_is_refused(text: str) -> None:
    try:
        parse(text)
    except CloudWatchError:
        return


def test_labels_may_speak_of_the_metric_and_its_values() -> None:
    label = "${PROP('Dim.TableName')} ${PROP('Stat')} ${MAX} of ${DATAPOINT_COUNT} in ${PROP('Region')} ${NONE}"
    request = {
        "StartTime": FIRST,
        "EndTime": THIRD + 60,
        "MetricDataQueries": [query("a", "a", ReturnData=True, Label=label)],
    }
    (result,) = get_metric_data(series(), request, THIRD, "r")["MetricDataResults"]
    assert result["Label"] == "a Sum 4 of 3 in r ${NONE}"
