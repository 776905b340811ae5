"""Whatever the text, the parsers answer with a tree or a ValidationError, and with nothing else."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from region.errors import ValidationError
from region.expression import Placeholders, condition, key_condition, projection, update

WORDS = [
    "a",
    "b.c",
    "l[0]",
    "name",
    "#n",
    ":v",
    ":m",
    "5",
    "(",
    ")",
    "((",
    "))",
    "[",
    "]",
    ".",
    ",",
    "=",
    "<>",
    "<",
    ">=",
    "+",
    "-",
    "AND",
    "or",
    "NOT",
    "BETWEEN",
    "IN",
    "SET",
    "REMOVE",
    "ADD",
    "DELETE",
    "size(",
    "attribute_exists(",
    "contains(",
    "begins_with(",
    "if_not_exists(",
    "list_append(",
    "f(",
    "é",
    "\x00",
    "\ud800",
    "\U0001f600",
]
_sentences = st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join) | st.text(max_size=60)


def _compile(text: str) -> None:
    def placeholders() -> Placeholders:
        return Placeholders({"#n": "name"}, {":v": {"N": "1"}, ":m": {"M": {}}})

    compilers: list[Callable[[], object]] = [
        lambda: condition(text, placeholders()).matches({"a": {"L": []}, "b": {"M": {"c": {"N": "1"}}}}),
        lambda: key_condition(text, placeholders()).resolve(("a",), ("b",), {"a": "N", "b": "N"}).bounds(),
        lambda: projection(text, placeholders()).apply({"a": {"L": []}}),
        lambda: update(text, placeholders()).apply({"a": {"L": []}, "b": {"M": {"c": {"N": "1"}}}}, {}),
    ]
    for compile_ in compilers:
        with suppress(ValidationError):
            compile_()


@settings(max_examples=500, deadline=None)
@given(_sentences)
def test_arbitrary_text_is_answered_with_a_validation_error_at_worst(text: str) -> None:
    _compile(text)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["", "SET ", "REMOVE ", "ADD ", "SET a = "]), _sentences)
def test_arbitrary_sections_are_answered_with_a_validation_error_at_worst(section: str, text: str) -> None:
    _compile(section + text)


@pytest.mark.parametrize("count", [10, 300, 1000, 2040])
@pytest.mark.parametrize(
    "pattern",
    [
        ("(", "a = :v", ")"),
        ("NOT ", "a = :v", ""),
        ("NOT (", "a = :v", ")"),
        ("NOT((", "a = :v", "))"),
        ("(a=:v AND ", "a = :v", ")"),
        ("(a=:v OR a=:v AND ", "a = :v", ")"),
        ("size(", "a", ")"),
        ("f(", "a", ")"),
        ("SET a = if_not_exists(b, " + "if_not_exists(b, ", ":v", "))"),
        ("SET a = (", "b", ")"),
        ("", "a", ".a"),
        ("", "a", "[0]"),
        ("(", "", ""),
        ("f(", "", ""),
        ("NOT ", "", ""),
    ],
)
def test_no_depth_of_nesting_exhausts_the_stack(pattern: tuple[str, str, str], count: int) -> None:
    opening, middle, closing = pattern
    for repetitions in (count, min(count, 4000 // max(1, len(opening) + len(closing)))):
        _compile(opening * repetitions + middle + closing * repetitions)


def test_nested_calls_up_to_the_size_of_an_expression_are_evaluated() -> None:
    depth = 190
    text = "SET a = " + "if_not_exists(b," * depth + ":v" + ")" * depth
    new, _ = update(text, Placeholders(None, {":v": {"N": "1"}})).apply({}, {})
    assert new == {"a": {"N": "1"}}
