"""The dashboard for Grafana speaks of metrics and labels that a region exposes, and Prometheus finds the regions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from atoll import Cluster
from atoll.child import ServingChild
from atoll.metric_families import families

GRAFANA = Path(__file__).parents[2] / "examples" / "grafana"
SCRAPED = frozenset({"region", "instance", "job"})
"""Labels that a scrape adds."""
WORDS = frozenset(("sum", "max", "min", "count", "rate", "increase", "or", "vector", "histogram_quantile", "by"))
_STRING = re.compile(r'"[^"]*"')
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MATCHERS = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)\s*\{([^}]*)\}")
_GROUPING = re.compile(r"\b(?:by|without|on)\s*\(([^)]*)\)")


def expressions() -> list[str]:
    panels = json.loads((GRAFANA / "atoll.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def names(expression: str) -> set[str]:
    """Return the metrics that an expression speaks of."""
    bare = re.sub(r"\[[^\]]*\]", "", re.sub(r"\{[^}]*\}", "", _GROUPING.sub(" ", _STRING.sub("", expression))))
    return {name for name in _NAME.findall(bare) if name not in WORDS}


def labels(expression: str) -> set[str]:
    """Return the labels that an expression selects or groups by."""
    matched = [name for _, inside in _MATCHERS.findall(_STRING.sub("", expression)) for name in _NAME.findall(inside)]
    grouped = [name for inside in _GROUPING.findall(expression) for name in _NAME.findall(inside)]
    return {*matched, *grouped}


@pytest.fixture(scope="module")
def scraped(cluster: Cluster) -> str:
    """What a region exposes that has sent and been sent something."""
    cluster.create_global_table("graphed")
    for region in cluster.regions:
        cluster.call(region, "PutItem", {"TableName": "graphed", "Item": {"id": {"S": region}}})
    cluster.wait_converged("graphed")
    return cluster.admin(cluster.regions[0]).metrics()


@pytest.fixture(scope="module")
def exposed(scraped: str) -> dict[str, set[str]]:
    """The labels of each metric by the names of its samples; of one without samples, those of its family."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(scraped):
        declared = families().get(family.name) or families().get(f"{family.name}_total")
        suffix = "_total" if family.type == "counter" else ""
        found.setdefault(family.name + suffix, set()).update(declared._labelnames if declared is not None else ())
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_expression_speaks_of_metrics_and_labels_that_there_are(exposed: dict[str, set[str]]) -> None:
    assert len(expressions()) > 25
    for expression in expressions():
        spoken = names(expression)
        assert spoken, expression
        assert spoken <= exposed.keys(), expression
        known = SCRAPED.union(*(exposed[name] for name in spoken))
        assert labels(expression) <= known, expression


def test_values_that_expressions_select_are_values_that_there_are(scraped: str) -> None:
    for expression in expressions():
        for _, inside in _MATCHERS.findall(expression):
            for matcher in re.findall(r'(\w+)!?="([^"]*)"', inside):
                assert '{}="{}"'.format(*matcher) in scraped, expression


def test_legends_speak_of_labels_that_their_expressions_keep() -> None:
    panels = json.loads((GRAFANA / "atoll.json").read_text())["panels"]
    for panel in panels:
        for target in panel.get("targets", ()):
            told = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert told <= labels(target["expr"]), panel["title"]


def test_panels_lie_side_by_side_and_each_says_what_it_shows() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((GRAFANA / "atoll.json").read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["description"]


@pytest.fixture
def page(cluster: Cluster, tmp_path: Path) -> Iterator[str]:
    """The dashboard's server of the cluster."""
    child = ServingChild(["dashboard", f"--cluster={cluster.data}", "--port=0"], tmp_path)
    child.launch()
    yield child.wait_ready(30)
    child.stop()


def test_prometheus_is_told_where_the_regions_are_and_finds_their_metrics_there(page: str, cluster: Cluster) -> None:
    with urlopen(page + "targets", timeout=10) as answer:
        groups: list[dict[str, Any]] = json.load(answer)
        assert answer.headers.get_content_type() == "application/json"
    assert [group["labels"]["region"] for group in groups] == list(cluster.regions)
    for group in groups:
        (target,) = group["targets"]
        with urlopen(f"{group['labels']['__scheme__']}://{target}/metrics", timeout=10) as answer:
            assert f'region="{group["labels"]["region"]}"' in answer.read().decode()
