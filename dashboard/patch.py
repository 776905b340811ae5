"""Merge patches: what has changed between two JSON values, in RFC 7386's form.

What: a page that knows a state is told only what is another now. A member that is gone is ``null``; so a state itself
holds no ``None``: a number that is not known is left out.

Invariant: ``apply(old, diff(old, new)) == new`` for objects without ``None``; lists are replaced whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> Json:
    """Return the merge patch that makes ``new`` of ``old``; empty where they are equal."""
    patch: Json = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            if inner := diff(before, value):
                patch[name] = inner
        elif value != before or name not in old:
            patch[name] = value
    return patch


def apply(old: Mapping[str, Any], patch: Mapping[str, Any]) -> Json:
    """Return what a merge patch makes of ``old``, which stays as it is."""
    new = dict(old)
    for name, value in patch.items():
        if value is None:
            new.pop(name, None)
        elif isinstance(value, dict):
            before = new.get(name)
            new[name] = apply(before if isinstance(before, dict) else {}, value)
        else:
            new[name] = value
    return new
