"""``SEARCH``: which metrics fit a search expression.

What: a schema in braces (namespace and the names of the dimensions, all of them), and terms that a metric must fit:
``MetricName="…"``, ``TableName="…"``, ``"TableName"=("a" OR "b")``, or a word that its name or a value contains. Terms
are joined by a space or ``AND``, and by ``OR``, with ``NOT`` and parentheses.

Source: AWS CloudWatch user guide, "Search expression syntax".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from atoll.monitoring.errors import CloudWatchError
from atoll.monitoring.names import NAMESPACE
from atoll.monitoring.series import Metric

Test = Callable[[Metric], bool]

FOUND_MAX: Final = 100
_SCHEMA: Final = re.compile(r"\s*\{([^}]*)\}")
_TOKEN: Final = re.compile(r"""\s*("[^"]*"|[=()]|[^\s"=()]+)""")


def search(expression: str, metrics: Iterable[Metric]) -> list[Metric]:
    """Return the metrics that fit, sorted; at most a hundred, as CloudWatch.

    Raises:
        CloudWatchError: it is no search expression.
    """
    schema = _SCHEMA.match(expression)
    names: frozenset[str] | None = None
    if schema is not None:
        namespace, *dimensions = [part.strip().strip('"') for part in schema[1].split(",")]
        if namespace != NAMESPACE:
            return []
        names = frozenset(dimensions)
    terms = _Terms(_TOKEN.findall(expression[schema.end() if schema else 0 :]))
    fits = terms.any_of()
    if terms.left:
        raise CloudWatchError(f"Unexpected {terms.left[0]!r} in the search expression")
    found = sorted(
        metric
        for metric in metrics
        if (names is None or names == {name for name, _ in metric.dimensions}) and fits(metric)
    )
    return found[:FOUND_MAX]


class _Terms:
    """Reads terms; ``left`` are the words that are still to be read."""

    def __init__(self, words: list[str]) -> None:
        self.left = words

    def any_of(self) -> Test:
        """Read terms joined by OR."""
        tests = [self._all_of()]
        while self.left and self.left[0] == "OR":
            self.left = self.left[1:]
            tests.append(self._all_of())
        return lambda metric: any(test(metric) for test in tests)

    def _all_of(self) -> Test:
        tests: list[Test] = []
        while self.left and self.left[0] not in ("OR", ")"):
            if self.left[0] == "AND":
                self.left = self.left[1:]
            tests.append(self._term())
        return lambda metric: all(test(metric) for test in tests)

    def _term(self) -> Test:
        word = self._take()
        if word == "NOT":
            test = self._term()
            return lambda metric: not test(metric)
        if word == "(":
            test = self.any_of()
            self._expect(")")
            return test
        if self.left and self.left[0] == "=":
            self.left = self.left[1:]
            wanted = self._values()
            return lambda metric: _property(metric, word.strip('"')) in wanted
        return _contains(word.strip('"'), exact=word.startswith('"'))

    def _values(self) -> frozenset[str]:
        """Read one value, or several in parentheses."""
        if self.left and self.left[0] != "(":
            return frozenset((self._take().strip('"'),))
        self._expect("(")
        values: set[str] = set()
        while self.left and self.left[0] != ")":
            word = self._take()
            if word != "OR":
                values.add(word.strip('"'))
        self._expect(")")
        return frozenset(values)

    def _take(self) -> str:
        if not self.left:
            raise CloudWatchError("The search expression ends where a term is expected")
        word, self.left = self.left[0], self.left[1:]
        return word

    def _expect(self, sign: str) -> None:
        if self._take() != sign:
            raise CloudWatchError(f"A {sign!r} is missing in the search expression")


def _property(metric: Metric, name: str) -> str | None:
    if name.lower() == "metricname":
        return metric.name
    if name.lower() == "namespace":
        return NAMESPACE
    return dict(metric.dimensions).get(name)


def _contains(word: str, *, exact: bool) -> Test:
    """Return whether name or values are a word, or contain it whatever its case."""
    if exact:
        return lambda metric: word in (metric.name, *(value for _, value in metric.dimensions))
    return lambda metric: any(
        word.lower() in text.lower() for text in (metric.name, *(value for _, value in metric.dimensions))
    )
