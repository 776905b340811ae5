"""Key conditions: how they fit a key schema, and that their range of keys holds exactly what they select."""

from base64 import b64decode, b64encode
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from region.errors import ValidationError
from region.expression import Placeholders, RangeCondition, ResolvedKey, key_condition, key_condition_of
from region.expression.syntax import Comparison, Function, Literal, Path, conjunction
from region.model import keys
from region.model.values import AttributeValue, normalise

VALUES: dict[str, AttributeValue] = {":p": {"S": "p"}, ":s": {"S": "s"}, ":t": {"S": "t"}, ":n": {"N": "1"}}
TYPES = {"pk": "S", "sk": "S", "h1": "S", "h2": "N", "r1": "S", "r2": "S", "r3": "N"}


def _resolve(text: str, hash_: tuple[str, ...] = ("pk",), range_: tuple[str, ...] = ("sk",)) -> ResolvedKey:
    return key_condition(text, Placeholders(None, dict(VALUES))).resolve(hash_, range_, TYPES)


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("pk = :p", ()),
        ("(:p = pk)", ()),
        ("sk = :s AND pk = :p", (RangeCondition("=", ({"S": "s"},)),)),
        ("(pk = :p) AND (sk < :s)", (RangeCondition("<", ({"S": "s"},)),)),
        ("pk = :p AND :s < sk", (RangeCondition(">", ({"S": "s"},)),)),
        ("pk = :p AND :s >= sk", (RangeCondition("<=", ({"S": "s"},)),)),
        ("pk = :p AND sk BETWEEN :s AND :t", (RangeCondition("BETWEEN", ({"S": "s"}, {"S": "t"})),)),
        ("pk = :p AND begins_with(sk, :s)", (RangeCondition("begins_with", ({"S": "s"},)),)),
    ],
)
def test_a_key_condition_fits_a_simple_key(text: str, conditions: tuple[RangeCondition, ...]) -> None:
    assert _resolve(text) == ResolvedKey(({"S": "p"},), conditions)


def test_a_key_of_many_attributes_takes_equalities_and_one_last_inequality() -> None:
    schema = (("h1", "h2"), ("r1", "r2", "r3"))
    assert _resolve("h2 = :n AND h1 = :p", *schema) == ResolvedKey(({"S": "p"}, {"N": "1"}), ())
    resolved = _resolve("r2 > :t AND h1 = :p AND r1 = :s AND h2 = :n", *schema)
    assert resolved.range_conditions == (RangeCondition("=", ({"S": "s"},)), RangeCondition(">", ({"S": "t"},)))
    whole = _resolve("h1 = :p AND h2 = :n AND r1 = :s AND r2 = :t AND r3 <= :n", *schema)
    assert [condition.operator for condition in whole.range_conditions] == ["=", "=", "<="]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("h1 = :p", "Query condition missed key schema element: h2"),
        ("h1 = :p AND h2 > :n", "Query key condition not supported"),
        ("h1 = :p AND h2 = :n AND r2 = :s", "Query condition missed key schema element: r1"),
        ("h1 = :p AND h2 = :n AND r1 = :s AND r3 = :n", "Query condition missed key schema element: r2"),
        ("h1 = :p AND h2 = :n AND r1 > :s AND r2 = :t", "Query key condition not supported"),
        ("h1 = :p AND h2 = :n AND q = :s", "Query condition missed key schema element: r1"),
    ],
)
def test_a_key_of_many_attributes_is_used_from_left_to_right(text: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _resolve(text, ("h1", "h2"), ("r1", "r2", "r3"))
    assert caught.value.message == sentence


def test_a_key_condition_can_be_built_from_a_tree_with_literals() -> None:
    tree = conjunction(
        (
            Comparison("=", Path(("pk",)), Literal({"S": "p"})),
            Function("begins_with", (Path(("sk",)), Literal({"S": "s"}))),
        )
    )
    assert key_condition_of(tree).resolve(("pk",), ("sk",), TYPES) == _resolve("pk = :p AND begins_with(sk, :s)")
    assert key_condition_of(tree).top_level_names == {"pk", "sk"}


# Few distinct values, so that they meet; bytes at the edges of the encoding, so that ranges are put to the test.

_bytes = st.lists(st.sampled_from([0, 1, 0x61, 0xFE, 0xFF]), min_size=1, max_size=3).map(bytes)
_scalars: dict[str, st.SearchStrategy[AttributeValue]] = {
    "S": st.text(st.sampled_from(["\0", "\1", "a", "b", "\uffff", "\U0001f600"]), min_size=1, max_size=3).map(
        lambda text: {"S": text}
    ),
    "N": st.sampled_from(["0", "1", "-1", "10", "99", "100", "0.01", "-0.5", "1.5", "-10", "1E125", "-1E-130"]).map(
        lambda number: {"N": number}
    ),
    "B": _bytes.map(lambda raw: {"B": b64encode(raw).decode()}),
}


def _sortable(value: AttributeValue) -> Any:
    ((kind, content),) = value.items()
    if kind == "N":
        return Decimal(content)
    return b64decode(content) if kind == "B" else content.encode()


def _selects(condition: RangeCondition, value: AttributeValue) -> bool:
    left, right = _sortable(value), [_sortable(operand) for operand in condition.values]
    match condition.operator:
        case "=":
            return bool(left == right[0])
        case "<":
            return bool(left < right[0])
        case "<=":
            return bool(left <= right[0])
        case ">":
            return bool(left > right[0])
        case ">=":
            return bool(left >= right[0])
        case "BETWEEN":
            return bool(right[0] <= left <= right[1])
    return bool(left.startswith(right[0]))


@st.composite
def _queries(draw: st.DrawFn) -> tuple[list[tuple[tuple[AttributeValue, ...], ...]], ResolvedKey]:
    kinds = draw(st.lists(st.sampled_from("SNB"), min_size=1, max_size=3))
    hash_kind = draw(st.sampled_from("SNB"))

    def scalar(kind: str) -> AttributeValue:
        value = dict(draw(_scalars[kind]))
        normalise(value)
        return value

    hashes = [scalar(hash_kind) for _ in range(2)]
    rows = [
        ((draw(st.sampled_from(hashes)),), tuple(scalar(kind) for kind in kinds))
        for _ in range(draw(st.integers(1, 12)))
    ]
    conditions = []
    for kind in kinds[: draw(st.integers(0, len(kinds)))]:
        operators = ["=", "=", "<", "<=", ">", ">=", "BETWEEN"] + ([] if kind == "N" else ["begins_with"])
        operator = draw(st.sampled_from(operators))
        operands = sorted((scalar(kind) for _ in range(2 if operator == "BETWEEN" else 1)), key=_sortable)
        conditions.append(RangeCondition(operator, tuple(operands)))
        if operator != "=":
            break
    return rows, ResolvedKey((hashes[0],), tuple(conditions))


@settings(max_examples=400, deadline=None)
@given(_queries())
def test_the_range_of_keys_holds_exactly_what_the_conditions_select(
    case: tuple[list[tuple[tuple[AttributeValue, ...], ...]], ResolvedKey],
) -> None:
    rows, resolved = case
    lower, upper = resolved.bounds()
    for hash_values, range_values in rows:
        expected = hash_values == resolved.hash_values and all(
            _selects(condition, value)
            for condition, value in zip(resolved.range_conditions, range_values, strict=False)
        )
        key = keys.key(hash_values, range_values)
        # An index appends the key of the table, which must not move an entry across a bound.
        for entry in (key, key + b"\x00", key + b"\xff" * 9):
            assert (lower <= entry < upper) == expected
