"""The functions of metric math that are served, by name.

What: a function takes values and the :class:`~atoll.monitoring.periods.Span` that is asked for. Of one line, ``SUM``,
``AVG``, ``MIN``, ``MAX`` and ``STDDEV`` make a number; of several lines they make one, time by time. Others work on
each value of a line.

Invariant: a value that is not defined (a division by zero, the logarithm of nothing) is left out, as CloudWatch does.

Source: AWS CloudWatch user guide, "Using math expressions with CloudWatch metrics" (functions).
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from atoll.monitoring.errors import CloudWatchError
from atoll.monitoring.lines import Line, Value
from atoll.monitoring.periods import Span

Reduce = Callable[[Sequence[float]], float]

OPERATORS: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "^": math.pow,
    "<": lambda left, right: float(left < right),
    ">": lambda left, right: float(left > right),
    "<=": lambda left, right: float(left <= right),
    ">=": lambda left, right: float(left >= right),
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "&&": lambda left, right: float(bool(left) and bool(right)),
    "||": lambda left, right: float(bool(left) or bool(right)),
}
_REDUCTIONS: Final[Mapping[str, Reduce]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
    "STDDEV": statistics.pstdev,
}
_EACH: Final[Mapping[str, Callable[[float], float]]] = {
    "ABS": abs,
    "CEIL": lambda value: float(math.ceil(value)),
    "FLOOR": lambda value: float(math.floor(value)),
    "LOG": math.log,
    "LOG10": math.log10,
}


def call(name: str, arguments: Sequence[Value], span: Span) -> Value:
    """Return what a function makes of its arguments.

    Raises:
        CloudWatchError: there is no such function here, or it takes other arguments.
    """
    if name in _REDUCTIONS and len(arguments) == 1:
        return _reduced(name, _REDUCTIONS[name], arguments[0])
    if name in _EACH and len(arguments) == 1:
        return combined(lambda value, _: _EACH[name](value), arguments[0], 0.0)
    served = _OTHERS.get(name)
    if served is None and name not in _REDUCTIONS and name not in _EACH:
        names = ", ".join(sorted((*_REDUCTIONS, *_EACH, *_OTHERS, "METRICS", "SEARCH")))
        raise CloudWatchError(f"The function {name} is not served here; {names} are")
    if served is None or len(arguments) != served[0]:
        raise CloudWatchError(f"The function {name} takes {1 if served is None else served[0]} arguments")
    return served[1](arguments, span)


def combined(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Return a function of two values: of lines where both have a value, of several lines one by one."""
    if isinstance(left, list) and isinstance(right, list):
        raise CloudWatchError("An operator takes several time series on one side only")
    if isinstance(left, list):
        return [_one(combined(function, each, right)) for each in left]
    if isinstance(right, list):
        return [_one(combined(function, left, each)) for each in right]
    if isinstance(left, Line):
        values = left.values
        if isinstance(right, Line):
            pairs = [(at, value, right.values[at]) for at, value in values.items() if at in right.values]
        else:
            pairs = [(at, value, right) for at, value in values.items()]
        return Line(left.label, _defined(function, pairs))
    if isinstance(right, Line):
        return Line(right.label, _defined(function, [(at, left, value) for at, value in right.values.items()]))
    return _defined(function, [(0, left, right)]).get(0, math.nan)


def _one(value: Value) -> Line:
    if not isinstance(value, Line):
        raise CloudWatchError("A time series is expected")
    return value


def _defined(
    function: Callable[[float, float], float], pairs: Iterable[tuple[int, float, float]]
) -> Mapping[int, float]:
    """Return what is defined of a function of pairs, by time."""
    values: dict[int, float] = {}
    for at, left, right in pairs:
        try:
            value = function(left, right)
        except (ArithmeticError, ValueError):
            continue
        if math.isfinite(value):
            values[at] = value
    return values


def lines_of(value: Value) -> list[Line]:
    """Return the lines of a value.

    Raises:
        CloudWatchError: it is a number.
    """
    if isinstance(value, Line):
        return [value]
    if isinstance(value, list):
        return value
    raise CloudWatchError("A time series is expected in place of a number")


def _reduced(name: str, reduce: Reduce, value: Value) -> Value:
    if isinstance(value, Line):
        if not value.values:
            raise CloudWatchError(f"{name} of a time series without data points is not defined")
        return reduce(list(value.values.values()))
    by_time: dict[int, list[float]] = {}
    for line in lines_of(value):
        for at, each in line.values.items():
            by_time.setdefault(at, []).append(each)
    return Line(name, {at: reduce(by_time[at]) for at in sorted(by_time)})


def _number(value: Value) -> float:
    if not isinstance(value, float):
        raise CloudWatchError("A number is expected in place of a time series")
    return value


def _each_line(change: Callable[[Line, Span], Mapping[int, float]]) -> Callable[[Sequence[Value], Span], Value]:
    """Return a function that changes one line, or each of several."""

    def run(arguments: Sequence[Value], span: Span) -> Value:
        value = arguments[0]
        changed = [Line(line.label, change(line, span)) for line in lines_of(value)]
        return changed if isinstance(value, list) else changed[0]

    return run


def _steps(line: Line, divide: bool) -> Mapping[int, float]:
    """Return by how much each value is above the one before it, or by how much a second."""
    times = list(line.values)
    return {
        late: (line.values[late] - line.values[early]) / (late - early if divide else 1)
        for early, late in itertools.pairwise(times)
    }


def _running(line: Line, _: Span) -> Mapping[int, float]:
    total = 0.0
    return {at: (total := total + value) for at, value in line.values.items()}


def _fill(arguments: Sequence[Value], span: Span) -> Value:
    """Return lines with a value at each time: the filler where there was none."""
    filler = _number(arguments[1])
    return _each_line(lambda line, span: {at: line.values.get(at, filler) for at in span.times()})(arguments, span)


def _repeat(line: Line, span: Span) -> Mapping[int, float]:
    last: float | None = None
    return {at: last for at in span.times() if (last := line.values.get(at, last)) is not None}


def _if(arguments: Sequence[Value], span: Span) -> Value:
    """Return the second where the first is not 0, and the third elsewhere."""
    condition, then, otherwise = arguments
    if isinstance(condition, float):
        return then if condition else otherwise
    lines = [value.values for value in arguments if isinstance(value, Line)]
    values: dict[int, float] = {}
    for at in span.times():
        if all(at in line for line in lines):
            chosen = then if _at(condition, at) else otherwise
            values[at] = _at(chosen, at)
    return Line("IF", values)


def _at(value: Value, at: int) -> float:
    return _one(value).values[at] if not isinstance(value, float) else value


_OTHERS: Final[Mapping[str, tuple[int, Callable[[Sequence[Value], Span], Value]]]] = {
    "DIFF": (1, _each_line(lambda line, _: _steps(line, divide=False))),
    "FILL": (2, _fill),
    "IF": (3, _if),
    "METRIC_COUNT": (1, lambda arguments, _: float(len(lines_of(arguments[0])))),
    "PERIOD": (1, lambda _, span: float(span.period_s)),
    "RATE": (1, _each_line(lambda line, _: _steps(line, divide=True))),
    "REMOVE_EMPTY": (1, lambda arguments, _: [line for line in lines_of(arguments[0]) if line.values]),
    "REPEAT": (1, _each_line(_repeat)),
    "RUNNING_SUM": (1, _each_line(_running)),
    "TIME_SERIES": (
        1,
        lambda arguments, span: Line("TIME_SERIES", dict.fromkeys(span.times(), _number(arguments[0]))),
    ),
}
"""Functions by name: how many arguments they take, and what they do. ``REPEAT`` is ``FILL(line, REPEAT)``."""
