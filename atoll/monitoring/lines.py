"""Lines: what metric math computes with, beside plain numbers: one value for each time, and a label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A time series: values by time in seconds since 1970, oldest first. ``label`` tells it from others."""

    label: str
    values: Mapping[int, float]


Value = float | Line | list[Line]
"""A number, a line, or several lines."""
