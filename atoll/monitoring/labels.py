"""Labels of GetMetricData: what ``${…}`` in them stands for.

Source: AWS CloudWatch user guide, "Using dynamic labels".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from atoll.monitoring.lines import Line
from atoll.monitoring.names import NAMESPACE
from atoll.monitoring.series import Metric

_PLACE: Final = re.compile(r"\$\{([A-Z_]+)(?:\('([^']*)'\))?\}")
_OF_VALUES: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "AVG": lambda values: sum(values) / len(values),
    "DATAPOINT_COUNT": len,
    "FIRST": lambda values: values[0],
    "LAST": lambda values: values[-1],
    "MAX": max,
    "MIN": min,
    "SUM": sum,
}


class Labelled(NamedTuple):
    """What a label may speak of: the label there would be, the metric and statistic if it is of one, the line."""

    label: str
    metric: Metric | None
    stat: Mapping[str, Any] | None
    line: Line
    region: str


def label_of(template: str, labelled: Labelled) -> str:
    """Return a label with everything in the place of what stands for it; what is not known stays."""
    return _PLACE.sub(lambda match: _text(match, labelled), template)


def _text(match: re.Match[str], labelled: Labelled) -> str:
    word, argument = match[1], match[2]
    if word == "LABEL":
        return labelled.label
    if word == "PROP" and argument is not None:
        found = _property(argument, labelled)
        return match[0] if found is None else found
    if word in _OF_VALUES:
        values = list(labelled.line.values.values())
        return f"{_OF_VALUES[word](values):g}" if values else "--"
    return match[0]


def _property(name: str, labelled: Labelled) -> str | None:
    if name == "Region":
        return labelled.region
    if labelled.metric is None or labelled.stat is None:
        return None
    if name.startswith("Dim."):
        return dict(labelled.metric.dimensions).get(name[4:])
    known = {
        "MetricName": labelled.metric.name,
        "Namespace": NAMESPACE,
        "Period": str(labelled.stat["Period"]),
        "Stat": str(labelled.stat["Stat"]),
    }
    return known.get(name)
