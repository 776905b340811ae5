"""AWS's sentences about conditions, one a row: the expression, the values, and what DynamoDB says."""

from typing import Any

import pytest
from expression_sentences import (
    MISUSED,
    NEEDS_PATH,
    NO_NAME,
    NO_VALUE,
    REDUNDANT,
    RESERVED_WORD,
    SAME,
    TOO_MANY,
    TYPES,
    WRONG_COUNT,
    WRONG_TYPE,
    refusal,
    syntax,
)

from region.expression import Placeholders, condition
from region.expression.reserved import RESERVED
from region.model.values import Item

N5, N1, S, B, M, L, SS, BOOL, NULL = (
    {"N": "5"},
    {"N": "1"},
    {"S": "x"},
    {"B": "YWJj"},
    {"M": {}},
    {"L": []},
    {"SS": ["a"]},
    {"BOOL": True},
    {"NULL": True},
)
ITEM: Item = {
    "pk": {"S": "1"},
    "n": {"N": "5"},
    "s": {"S": "abc"},
    "ss": {"SS": ["a", "b"]},
    "l": {"L": [{"N": "1"}]},
    "m": {"M": {"a": {"N": "1"}}},
}


def _condition(text: str, values: dict[str, Any] | None = None, names: dict[str, str] | None = None) -> None:
    condition(text, Placeholders(names, values)).matches(ITEM)


SYNTAX = [
    ("  ", "<EOF>", "  "),
    ("a", "<EOF>", "a"),
    ("a.b", "<EOF>", "b"),
    ("a = ", "<EOF>", "= "),
    ("= :v", "=", "= :v"),
    ("  = :v", "=", "  = :v"),
    ("a = :v AND", "<EOF>", "AND"),
    ("a = :v)", ")", ":v)"),
    ("(a = :v", "<EOF>", ":v"),
    ("(a)", "<EOF>", ")"),
    ("(a) AND b = :v", "AND", ") AND b"),
    ("a == :v", "=", "== :v"),
    ("a   =   =   :v", "=", "=   =   :v"),
    ("a != :v", "!", "a !="),
    ("a <=> :v", ">", "<=> :v"),
    ("a & :v", "&", "a & :v"),
    ('a = "x"', '"', '= "x'),
    ("a = 5", "5", "= 5"),
    ("1a = :v", "1", "1a"),
    ("_a = :v", "_", "_a"),
    ("a-b = :v", "-", "a-b"),
    ("a. = :v", "=", ". = :v"),
    (".a = :v", ".", ".a"),
    ("a[-1] = :v", "-", "[-1"),
    ("a[x] = :v", "x", "[x]"),
    ("a[01] = :v", "1", "01]"),
    ("a[", "<EOF>", "["),
    ("a[1].[2] = :v", "[", ".[2"),
    ("a.1 = :v", "1", ".1 ="),
    ("# = :v", "#", "# ="),
    ("a = :", ":", "= :"),
    ("é = :v", "é", "é ="),
    ("a BETWEEN :v", "<EOF>", ":v"),
    ("a BETWEEN (:v AND :v)", "AND", ":v AND :v"),
    ("(a BETWEEN b) AND c", ")", "b) AND"),
    ("a IN ()", ")", "()"),
    ("a IN :v", ":v", "IN :v"),
    ("a IN (:v,)", ")", ",)"),
    ("a NOT IN (:v)", "NOT", "a NOT IN"),
    ("a AND b", "AND", "a AND b"),
    ("a = b = c", "=", "b = c"),
    ("a = (b = :v)", "=", "b = :v"),
    ("(a = :v) = :v", "=", ") = :v"),
    ("a + :v = :v", "+", "a + :v"),
    ("f(a)(b)", "(", ")(b"),
    ("#a(b)", "(", "#a(b"),
    ("f()", ")", "()"),
    ("SET(a)", "SET", "SET("),
    ("set = :v", "set", "set ="),
    ("m.and = :v", "and", ".and ="),
    ("a = :v;", ";", ":v;"),
    ("a = b /* x */", "/", "b /*"),
]


@pytest.mark.parametrize(("text", "token", "near"), SYNTAX)
def test_a_condition_that_is_no_sentence_is_answered_with_its_token_and_neighbours(
    text: str, token: str, near: str
) -> None:
    assert refusal(lambda: _condition(text)) == f"Invalid ConditionExpression: {syntax(token, near)}"


CONDITIONS: list[tuple[str, dict[str, Any] | None, str]] = [
    ("", None, "The expression can not be empty;"),
    ("a = :v" + " " * 4091, None, "Expression size has exceeded the maximum allowed size; expression size: 4097"),
    ("((a = :v))", None, REDUNDANT),
    ("((a)) = :v", None, REDUNDANT),
    ("NOT ((a = :v))", None, REDUNDANT),
    ("((a = :v)) AND a = 5", None, REDUNDANT),
    ("size(((s))) = :v", None, REDUNDANT),
    ("(((a=:v) AND (a=:v)))", None, REDUNDANT),
    ("name = :v AND ((a = :v))", None, REDUNDANT),
    ("name = :v", None, RESERVED_WORD + "name"),
    ("a.Name = :v", None, RESERVED_WORD + "Name"),
    ("name=:b AND foo(#a)", None, RESERVED_WORD + "name"),
    ("foo(#a) AND name = :b", None, "Invalid function name; function: foo"),
    ("ATTRIBUTE_EXISTS(a)", None, "Invalid function name; function: ATTRIBUTE_EXISTS"),
    (
        "if_not_exists(a,:v) = :v",
        None,
        "The function is not allowed in a condition expression; function: if_not_exists",
    ),
    ("size(a)", None, MISUSED + "size"),
    ("#x = :x AND size(name)", None, MISUSED + "size"),
    ("attribute_exists(a) = :v", None, MISUSED + "attribute_exists"),
    ("contains(contains(a,b),c)", None, MISUSED + "contains"),
    ("a = begins_with(b, :w)", None, MISUSED + "begins_with"),
    ("a[2147483648] = :v", None, "List index is not within the allowable range; index: [2147483648]"),
    ("a[99999999999] = :v AND foo(x)", None, "List index is not within the allowable range; index: [99999999999]"),
    ("#x = :y", None, NO_NAME + "#x"),
    (":y = #x", None, NO_VALUE + ":y"),
    (".".join("a" * 33) + " = :v", None, "The document path has too many nesting levels; nesting levels: 33"),
    ("a" + "[0]" * 32 + " = :v", None, "The document path has too many nesting levels; nesting levels: 33"),
    ("attribute_exists(a,b)", None, WRONG_COUNT + "attribute_exists, number of operands: 2"),
    ("begins_with(a)", None, WRONG_COUNT + "begins_with, number of operands: 1"),
    ("attribute_exists(:v)", {":v": N5}, NEEDS_PATH + "attribute_exists"),
    ("attribute_exists(size(a))", None, NEEDS_PATH + "attribute_exists"),
    ("a = a", None, SAME + "=, first operand: [a]"),
    ("a[0] <> a[0]", None, SAME + "<>, first operand: [a, [0]]"),
    ("a BETWEEN :v AND a", {":v": N5}, SAME + "BETWEEN, first operand: [a]"),
    ("a IN (b, a)", None, SAME + "IN, first operand: [a]"),
    ("contains(a.b, a.b)", None, SAME + "contains, first operand: [a, b]"),
    ("a < :v", {":v": M}, WRONG_TYPE + "<, operand type: M"),
    (":v >= a", {":v": BOOL}, WRONG_TYPE + ">=, operand type: BOOL"),
    ("b < :m AND #x = :zz", {":m": NULL}, WRONG_TYPE + "<, operand type: NULL"),
    ("a BETWEEN b AND :v", {":v": SS}, WRONG_TYPE + "BETWEEN, operand type: SS"),
    ("begins_with(a, :v)", {":v": N5}, WRONG_TYPE + "begins_with, operand type: N"),
    ("begins_with(size(s), :v)", {":v": S}, WRONG_TYPE + "begins_with, operand type: N"),
    ("size(:v) = :v", {":v": N5}, WRONG_TYPE + "size, operand type: N"),
    ("size(size(a)) = :v", {":v": N5}, WRONG_TYPE + "size, operand type: N"),
    ("attribute_type(a, :v)", {":v": N5}, WRONG_TYPE + "attribute_type, operand type: N"),
    ("attribute_type(a, b)", None, WRONG_TYPE + "attribute_type, operand type: " + TYPES),
    (
        "attribute_type(a, :v)",
        {":v": {"S": "QQ"}},
        f"Invalid attribute type name found; type: QQ, valid types: {TYPES}",
    ),
    (
        "a BETWEEN :x AND :y AND b = :undefined",
        {":x": N5, ":y": N1},
        "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
        "lower bound operand: AttributeValue: {N:5}, upper bound operand: AttributeValue: {N:1}",
    ),
    (
        "a BETWEEN :x AND :y",
        {":x": N5, ":y": S},
        "The BETWEEN operator requires same data type for lower and upper bounds; "
        "lower bound operand: AttributeValue: {N:5}, upper bound operand: AttributeValue: {S:x}",
    ),
    (
        "a BETWEEN :x AND :y",
        {":x": B, ":y": {"B": "YQ=="}},
        "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
        "lower bound operand: AttributeValue: {B:java.nio.HeapByteBuffer[pos=0 lim=3 cap=3]}, "
        "upper bound operand: AttributeValue: {B:java.nio.HeapByteBuffer[pos=0 lim=1 cap=1]}",
    ),
    (
        f"a IN ({','.join([':v'] * 101)})",
        {":v": N5},
        "The IN operator is provided with too many operands; number of operands: 101",
    ),
    (" OR ".join(["a=:v"] * 151), {":v": N5}, TOO_MANY),
    (" OR ".join(["attribute_exists(a)"] * 151), None, TOO_MANY),
    ("NOT " * 300 + "a=:v", {":v": N5}, TOO_MANY),
]


@pytest.mark.parametrize(("text", "values", "sentence"), CONDITIONS)
def test_a_condition_that_means_nothing_is_answered_in_awss_words(
    text: str, values: dict[str, Any] | None, sentence: str
) -> None:
    assert refusal(lambda: _condition(text, values)) == f"Invalid ConditionExpression: {sentence}"


def test_a_condition_may_use_all_of_the_limits() -> None:
    value = {":v": {"N": "5"}}
    for text in (
        " OR ".join(["a=:v"] * 150),
        " OR ".join(["attribute_exists(a)"] * 150),
        "NOT " * 299 + "a=:v",
        "NOT (" * 299 + "a=:v" + ")" * 299,
        f"a IN ({','.join([':v'] * 100)})",
        ".".join("a" * 32) + " = :v",
        "a[2147483647] = :v",
        "a = :v" + " " * 4090,
    ):
        _condition(text, value)


def test_an_error_names_the_parameter_it_is_about() -> None:
    def compile_filter() -> None:
        condition("", Placeholders(None, None), parameter="FilterExpression")

    assert refusal(compile_filter) == "Invalid FilterExpression: The expression can not be empty;"


def test_all_573_reserved_words_are_refused_in_any_case_but_not_behind_an_alias() -> None:
    assert len(RESERVED) == 573
    grammar = {"ADD", "AND", "BETWEEN", "DELETE", "IN", "NOT", "OR", "SET"}
    for word in RESERVED - grammar:
        for spelling in (word, word.lower()):
            expected = f"Invalid ConditionExpression: {RESERVED_WORD}{spelling}"
            assert refusal(lambda spelling=spelling: _condition(f"attribute_exists({spelling})")) == expected
    for word in grammar:
        expected = f"Invalid ConditionExpression: {syntax(word, f'({word})')}"
        assert refusal(lambda word=word: _condition(f"attribute_exists({word})")) == expected
    _condition("attribute_exists(#n)", names={"#n": "name"})
