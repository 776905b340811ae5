"""AWS's sentences about updates and projections, one a row: the expression, the values, and what DynamoDB says."""

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
    WRONG_COUNT,
    WRONG_TYPE,
    overlap,
    refusal,
    syntax,
)

from region.expression import Placeholders, projection, update
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


def _update(text: str, values: dict[str, Any] | None = None, names: dict[str, str] | None = None) -> None:
    update(text, Placeholders(names, values)).apply(ITEM, {})


def _operand(section: str, kind: str) -> str:
    return (
        f"Incorrect operand type for operator or function; operator: {section}, operand type: {kind}, "
        f"typeSet: ALLOWED_FOR_{section}_OPERAND"
    )


UPDATES: list[tuple[str, dict[str, Any] | None, str]] = [
    ("", None, "The expression can not be empty;"),
    ("  ", None, syntax("<EOF>", "  ")),
    ("SET", None, syntax("<EOF>", "SET")),
    ("SET a = :v,", None, syntax("<EOF>", ",")),
    ("SET a = :v b", None, syntax("b", ":v b")),
    ("foo a = :v", None, syntax("foo", "foo a")),
    ("REMOVE :v", None, syntax(":v", "REMOVE :v")),
    ("SET n = n + :v + :v", None, syntax("+", ":v + :v")),
    ("SET n = n + (n + :v)", None, syntax("+", "n + :v")),
    ("SET a = (n + :v) - n", None, syntax("-", ") - n")),
    ("SET a = (n", None, syntax("<EOF>", "n")),
    ("SET a = ()", None, syntax(")", "()")),
    ("SET n = -:v", None, syntax("-", "= -:v")),
    ("SET (a) = :v", None, syntax("(", "SET (a")),
    ("SET foo(a) = :v", None, syntax("(", "foo(a")),
    ("ADD q n", None, syntax("n", "q n")),
    ("ADD q (:v)", None, syntax("(", "q (:v")),
    ("SET n = ((n + :v))", None, REDUNDANT),
    ("SET n = ((n))", None, REDUNDANT),
    ("SET a = (n + ((:n)))", None, REDUNDANT),
    ("SET name = foo(x)", None, RESERVED_WORD + "name"),
    ("SET a = foo(x), name = :v", None, "Invalid function name; function: foo"),
    ("SET q = size(l)", None, "The function is not allowed in an update expression; function: size"),
    ("SET q = list_append(list_append(l,:l),:l)", None, MISUSED + "list_append"),
    ("SET q = list_append(l,:l) + :n", None, MISUSED + "list_append"),
    ("SET q = n + list_append(l,:l)", None, MISUSED + "list_append"),
    ("SET a = :v SET b = :v", None, 'The "SET" section can only be used once in an update expression;'),
    ("REMOVE a REMOVE b", None, 'The "REMOVE" section can only be used once in an update expression;'),
    ("SET c=c SET name=d", None, RESERVED_WORD + "name"),
    ("SET " + ",".join(f"b{i}=n+n" for i in range(301)), None, TOO_MANY),
    ("REMOVE #x SET a=:q", None, NO_NAME + "#x"),
    ("SET a=:q, b=:r", None, NO_VALUE + ":r"),
    ("REMOVE a, a", None, overlap("[a]", "[a]")),
    ("SET a.b = :v, a = :v", None, overlap("[a, b]", "[a]")),
    ("SET a=:v REMOVE a", None, overlap("[a]", "[a]")),
    ("REMOVE a[0], a.b", None, overlap("[a, [0]]", "[a, b]", "conflict")),
    ("SET a = :s + :t, a = :q", None, overlap("[a]", "[a]")),
    ("SET s = n + :w", {":w": S}, WRONG_TYPE + "+, operand type: S"),
    ("SET s = :w - n", {":w": S}, WRONG_TYPE + "-, operand type: S"),
    ("SET q = list_append(l, :v)", {":v": N5}, WRONG_TYPE + "list_append, operand type: N"),
    ("SET q = list_append(l)", None, WRONG_COUNT + "list_append, number of operands: 1"),
    ("SET q = if_not_exists(:v, :v)", {":v": N5}, NEEDS_PATH + "if_not_exists"),
    ("SET q = if_not_exists(n, n)", None, SAME + "if_not_exists, first operand: [n]"),
    ("ADD n :v", {":v": S}, _operand("ADD", "STRING")),
    ("ADD n :v", {":v": B}, _operand("ADD", "BINARY")),
    ("ADD n :v", {":v": BOOL}, _operand("ADD", "BOOLEAN")),
    ("ADD n :v", {":v": NULL}, _operand("ADD", "NULL")),
    ("ADD n :v", {":v": L}, _operand("ADD", "LIST")),
    ("ADD n :v", {":v": M}, _operand("ADD", "MAP")),
    ("DELETE ss :v", {":v": N5}, _operand("DELETE", "NUMBER")),
    ("SET b = :q ADD a :s", {":s": S}, _operand("ADD", "STRING")),
]


@pytest.mark.parametrize(("text", "values", "sentence"), UPDATES)
def test_an_update_that_means_nothing_is_answered_in_awss_words(
    text: str, values: dict[str, Any] | None, sentence: str
) -> None:
    assert refusal(lambda: _update(text, values)) == f"Invalid UpdateExpression: {sentence}"


MISSING = "The provided expression refers to an attribute that does not exist in the item"
NO_PLACE = "The document path provided in the update expression is invalid for update"
WRONG_DATA = "An operand in the update expression has an incorrect data type"


@pytest.mark.parametrize(
    ("text", "values", "sentence"),
    [
        ("SET a = zz", None, MISSING),
        ("SET a = l[7]", None, MISSING),
        ("SET a = n.q", None, MISSING),
        ("SET a = if_not_exists(zz, yy)", None, MISSING),
        ("SET a = if_not_exists(n, yy)", None, MISSING),
        ("SET a = list_append(zz, n)", None, MISSING),
        ("SET a = zz + s", None, MISSING),
        ("SET a = s + zz", None, WRONG_DATA),
        ("SET a = list_append(n, zz)", None, WRONG_DATA),
        ("ADD s :v", {":v": N5}, WRONG_DATA),
        ("ADD n :v", {":v": SS}, WRONG_DATA),
        ("ADD ss :v", {":v": {"NS": ["1"]}}, WRONG_DATA),
        ("DELETE n :v", {":v": SS}, WRONG_DATA),
        ("SET zz.a = :v", {":v": N5}, NO_PLACE),
        ("SET n[0] = :v", {":v": N5}, NO_PLACE),
        ("SET l.a = :v", {":v": N5}, NO_PLACE),
        ("SET m[0] = :v", {":v": N5}, NO_PLACE),
        ("SET l[5].b = :v", {":v": N5}, NO_PLACE),
        ("REMOVE zz.a", None, NO_PLACE),
        ("REMOVE l[9].a", None, NO_PLACE),
        ("ADD m.x.y :v", {":v": N5}, NO_PLACE),
        ("DELETE zz.a :v", {":v": SS}, NO_PLACE),
        (
            "SET n = n + :v",
            {":v": {"N": "0.00000000000000000000000000000000000000001"}},
            "Attempting to store more than 38 significant digits in a Number",
        ),
        (
            "SET n = :v + :v",
            {":v": {"N": "9.9E125"}},
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
    ],
)
def test_an_update_that_the_item_does_not_allow_is_answered_in_awss_words(
    text: str, values: dict[str, Any] | None, sentence: str
) -> None:
    assert refusal(lambda: _update(text, values)) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The expression can not be empty;"),
        ("n,", syntax("<EOF>", ",")),
        ("n,,s", syntax(",", ",,s")),
        ("n s", syntax("s", "n s")),
        (":v", syntax(":v", ":v")),
        ("size(l)", syntax("(", "size(l")),
        ("(n)", syntax("(", "(n")),
        ("name", RESERVED_WORD + "name"),
        ("#a", NO_NAME + "#a"),
        ("n, n", overlap("[n]", "[n]")),
        ("m, m.a", overlap("[m]", "[m, a]")),
        ("l[2].a,l[2].a", overlap("[l, [2], a]", "[l, [2], a]")),
        ("m.a, m[0]", overlap("[m, a]", "[m, [0]]", "conflict")),
        (".".join("a" * 33), "The document path has too many nesting levels; nesting levels: 33"),
    ],
)
def test_a_projection_that_means_nothing_is_answered_in_awss_words(text: str, sentence: str) -> None:
    answer = refusal(lambda: projection(text, Placeholders(None, None)))
    assert answer == f"Invalid ProjectionExpression: {sentence}"
