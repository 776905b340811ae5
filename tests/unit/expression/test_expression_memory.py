"""Callers who never repeat themselves do not fill the memory: what is kept of expressions is bounded."""

from __future__ import annotations

import tracemalloc

from region.expression import Placeholders, condition, key_condition, projection, update
from region.expression.plans import CACHED_PLANS_PER_TEXT, CACHED_TEXTS

GROWTH_BYTES_MAX = 1 << 20


def _compile(first: int, count: int) -> None:
    for number in range(first, first + count):
        values = Placeholders(None, {":v": {"N": "1"}})
        condition(f"a{number} = :v AND b.c[{number}] > :v", values)
        update(f"SET a{number} = :v REMOVE b[{number}]", values)
        projection(f"a{number}, b.c[{number}]", Placeholders(None, None))
        key_condition(f"a{number} = :v", values)


def _held_bytes() -> int:
    return tracemalloc.get_traced_memory()[0]


def test_many_distinct_expressions_are_held_in_bounded_memory() -> None:
    tracemalloc.start()
    try:
        _compile(0, CACHED_TEXTS)
        full = _held_bytes()
        _compile(CACHED_TEXTS, CACHED_TEXTS * 2)
        assert _held_bytes() - full < GROWTH_BYTES_MAX
    finally:
        tracemalloc.stop()


def test_one_expression_with_many_types_of_values_is_held_in_bounded_memory() -> None:
    names = [f"x{number}" for number in range(CACHED_PLANS_PER_TEXT * 40)]
    text = "#n = :v"

    def compile_all(some: list[str]) -> None:
        for name in some:
            condition(text, Placeholders({"#n": name}, {":v": {"N": "1"}}))

    tracemalloc.start()
    try:
        compile_all(names[:CACHED_PLANS_PER_TEXT])
        full = _held_bytes()
        compile_all(names[CACHED_PLANS_PER_TEXT:])
        assert _held_bytes() - full < GROWTH_BYTES_MAX // 8
    finally:
        tracemalloc.stop()
