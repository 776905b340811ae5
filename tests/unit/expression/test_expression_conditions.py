"""Conditions: what holds of an item, and what does not."""

import copy

import pytest

from region.expression import Condition, Placeholders, condition, condition_of
from region.expression.syntax import (
    Between,
    Comparison,
    Function,
    In,
    Literal,
    Parameter,
    Path,
    conjunction,
    disjunction,
)
from region.model.values import AttributeValue, Item

ITEM: Item = {
    "pk": {"S": "1"},
    "n": {"N": "5"},
    "s": {"S": "abc"},
    "b": {"B": "YWJj"},
    "l": {"L": [{"N": "1"}, {"S": "x"}, {"M": {"a": {"N": "7"}}}]},
    "m": {"M": {"a": {"N": "1"}, "b": {"M": {"c": {"S": "z"}}}}},
    "ss": {"SS": ["a", "b"]},
    "ns": {"NS": ["1", "2"]},
    "bs": {"BS": ["YWJj"]},
    "nul": {"NULL": True},
    "t": {"BOOL": True},
}
VALUES: dict[str, AttributeValue] = {
    ":v": {"N": "5"},
    ":n1": {"N": "1.0"},
    ":n3": {"N": "3"},
    ":n6": {"N": "6"},
    ":n10": {"N": "10"},
    ":w": {"S": "abc"},
    ":a": {"S": "a"},
    ":b": {"B": "YWJj"},
    ":ba": {"B": "YQ=="},
    ":ss": {"SS": ["b", "a"]},
    ":m7": {"M": {"a": {"N": "7.0"}}},
    ":t": {"BOOL": True},
    ":nul": {"NULL": True},
    ":S": {"S": "S"},
    ":NULL": {"S": "NULL"},
}


def _holds(text: str, item: Item | None = ITEM) -> bool:
    return condition(text, Placeholders({"#n": "n", "#dotted": "a.b"}, copy.deepcopy(VALUES))).matches(item)


@pytest.mark.parametrize(
    "text",
    [
        "n = :v",
        "#n = :v",
        "n <> :w",
        "n < :n10",
        "n > :n1",
        "n >= :v AND n <= :v",
        ":n6 > n",
        "s > :a",
        "s <= :w",
        "b = :b",
        "b > :ba",
        "ss = :ss",
        "nul = :nul",
        "t = :t",
        "l[0] = :n1",
        "l[2] = :m7",
        "l[2].a > :n6",
        "m.b.c > :a",
        "n BETWEEN :v AND :n6",
        "s BETWEEN :a AND :w",
        "s IN (:v, :w)",
        "n IN (zz, :v)",
        "attribute_exists(l[0])",
        "attribute_not_exists(m.b.d)",
        "attribute_not_exists(#dotted)",
        "attribute_type(s, :S)",
        "attribute_type(nul, :NULL)",
        "begins_with(s, :a)",
        "begins_with(b, :ba)",
        "contains(s, :a)",
        "contains(b, :ba)",
        "contains(ss, :a)",
        "contains(ns, :n1)",
        "contains(bs, :b)",
        "contains(l, :n1)",
        "contains(l, :m7)",
        "size(s) = :n3",
        "size(b) = :n3",
        "size(l) = :n3",
        "size(ss) < :n3 AND size(m) < :n3 AND size(bs) < :n3",
        ":v = :v",
        "m.a = :n1 AND NOT (attribute_exists(zz) OR n <> :v)",
        "NOT n = :n6 OR n = :n6",
        "n = :v OR n = :v AND n = :n6",
        "NOT NOT n = :v",
        "((n) = (:v))",
        "(NOT (NOT (n=:v)))",
        "not n = :n6 AnD s Between :a aNd :w",
    ],
)
def test_a_condition_that_is_true_of_the_item_holds(text: str) -> None:
    assert _holds(text)
    assert not _holds(f"NOT {text}" if text.startswith("(") else f"NOT ({text})")


@pytest.mark.parametrize(
    "text",
    [
        "n = :w",
        "n < :w",
        "n < :n1",
        "n > :n10",
        "m < n",
        "ss < s",
        "begins_with(n, :a)",
        "begins_with(s, :ba)",
        "contains(s, :v)",
        "contains(ss, :ss)",
        "contains(m, :a)",
        "contains(n, :v)",
        "contains(l, :w)",
        "size(n) = :v",
        "size(nul) > :v",
        "size(t) = size(t)",
        "n BETWEEN n6 AND :v",
        "t <> :t",
        "attribute_exists(l[5])",
        "attribute_exists(n.a)",
        "attribute_exists(l.a)",
        "attribute_exists(m[0])",
        "(n = :v OR n = :v) AND n = :n6",
        "NOT n = :v AND n = :v",
    ],
)
def test_a_condition_that_is_false_of_the_item_does_not_hold(text: str) -> None:
    assert not _holds(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("zz = :v", False),
        ("zz <> :v", True),
        ("zz = yy", False),
        ("zz <> yy", True),
        ("zz < :v", False),
        ("zz BETWEEN :v AND :n6", False),
        ("n BETWEEN zz AND :n6", False),
        ("zz IN (:v)", False),
        ("zz IN (yy)", False),
        ("begins_with(zz, :w)", False),
        ("contains(zz, :w)", False),
        ("contains(s, zz)", False),
        ("attribute_type(zz, :S)", False),
        ("size(zz) = :v", False),
        ("size(zz) <> :v", True),
        ("attribute_exists(zz)", False),
        ("attribute_not_exists(zz)", True),
    ],
)
def test_what_is_missing_equals_nothing_and_differs_from_everything(text: str, expected: bool) -> None:
    assert _holds(text) is expected
    assert _holds(f"NOT ({text})") is not expected


def test_an_item_that_does_not_exist_has_no_attributes() -> None:
    assert _holds("attribute_not_exists(pk)", None)
    assert _holds("NOT n = :v", None)
    assert not _holds("attribute_exists(pk)", None)


def test_strings_are_measured_in_utf_16_units_and_ordered_by_utf_8_bytes() -> None:
    def holds(text: str, item: Item, number: str = "0") -> bool:
        values = {":n": {"N": number}} if ":n" in text else None
        return condition(text, Placeholders(None, values)).matches(item)

    assert holds("size(a) = :n", {"a": {"S": "é"}}, "1")
    assert holds("size(a) = :n", {"a": {"S": "\U0001f600"}}, "2")
    assert holds("a > b", {"a": {"S": "\U0001f600"}, "b": {"S": "\uffff"}})


def test_a_cached_plan_serves_other_values_and_is_not_used_for_other_types() -> None:
    def holds(value: AttributeValue) -> bool:
        return condition("n < :limit", Placeholders(None, {":limit": value})).matches(ITEM)

    assert [holds({"N": "4"}), holds({"N": "6"}), holds({"S": "z"})] == [False, True, False]
    with pytest.raises(Exception, match="operand type: L"):
        holds({"L": []})


def test_a_cached_plan_is_not_used_for_other_names() -> None:
    def holds(name: str) -> bool:
        return condition("attribute_exists(#a)", Placeholders({"#a": name}, None)).matches(ITEM)

    assert [holds("n"), holds("zz"), holds("s")] == [True, False, True]


def test_checks_on_contents_are_made_for_every_request_that_uses_a_cached_plan() -> None:
    def compile_(low: str, high: str) -> Condition:
        return condition("n BETWEEN :a AND :b", Placeholders(None, {":a": {"N": low}, ":b": {"N": high}}))

    assert compile_("1", "9").matches(ITEM)
    with pytest.raises(Exception, match="requires upper bound"):
        compile_("9", "1")


def test_a_condition_knows_the_top_level_attributes_it_reads() -> None:
    compiled = condition("a.b = :v AND size(#n[1]) > c", Placeholders({"#n": "x.y"}, {":v": {"N": "1"}}))
    assert compiled.top_level_names == {"a", "x.y", "c"}


def test_a_condition_can_be_built_from_a_tree_with_literals() -> None:
    tree = conjunction(
        (
            Comparison("=", Path(("m", "a")), Literal({"N": "1"})),
            disjunction((Between(Path(("n",)), Literal({"N": "9"}), Literal({"N": "9"})), Function("size", ()))[:1]),
            In(Path(("s",)), (Literal({"S": "q"}), Parameter(":w"))),
        )
    )
    placeholders = Placeholders(None, {":w": {"S": "abc"}})
    assert not condition_of(tree, placeholders=placeholders).matches(ITEM)
    assert condition_of(Function("attribute_exists", (Path(("name",)),))).matches({"name": {"S": "reserved words too"}})
    with pytest.raises(Exception, match="operator or function: begins_with, operand type: N"):
        condition_of(Function("begins_with", (Path(("s",)), Literal({"N": "1"}))))
