"""Expressions: the tree that AWS's client makes of a text, written back, means what the text said."""

from __future__ import annotations

from typing import Any

import pytest
from amazondax.CborSExprGenerator import encode_expressions

from atoll.dax import frames
from atoll.dax.expressions import Writer, paths
from atoll.dax.frames import MalformedError

ITEM_VALUES: dict[str, Any] = {":a": {"N": "1"}, ":b": {"S": "x"}, ":c": {"L": []}}


def tree(**texts: str) -> Any:
    """What the client sends of one expression."""
    given = [texts.get(kind) for kind in ("condition", "key_condition", "filter", "update", "projection")]
    names = {name: name.strip("#") + ".x" for name in ("#n", "#m") if any(name in text for text in texts.values())}
    used = {name: value for name, value in ITEM_VALUES.items() if any(name in text for text in texts.values())}
    return encode_expressions(*given, names, used)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a = :a", "#n0 = :v0"),
        ("#n.b[2].c <> :b", "#n0.#n1[2].#n2 <> :v0"),
        ("a < :a AND b >= :a", "(#n0 < :v0 AND #n1 >= :v0)"),
        ("a > :a OR b <= :a AND NOT c = :b", "(#n0 > :v0 OR (#n1 <= :v0 AND (NOT #n2 = :v1)))"),
        ("(a > :a OR b <= :a) AND c = :b", "((#n0 > :v0 OR #n1 <= :v0) AND #n2 = :v1)"),
        ("a BETWEEN :a AND :b", "#n0 BETWEEN :v0 AND :v1"),
        ("a IN (:a, :b, c)", "#n0 IN (:v0, :v1, #n1)"),
        ("attribute_exists(a) AND attribute_not_exists(b)", "(attribute_exists(#n0) AND attribute_not_exists(#n1))"),
        ("begins_with(a, :b) AND contains(b, :b)", "(begins_with(#n0, :v0) AND contains(#n1, :v0))"),
        ("attribute_type(a, :b) AND size(b) > :a", "(attribute_type(#n0, :v0) AND size(#n1) > :v1)"),
    ],
)
def test_a_condition_is_written_back(text: str, written: str) -> None:
    writer = Writer()
    assert writer.condition(tree(condition=text).Condition) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("SET a = :a, #n.b[0] = :b", "SET #n0 = :v0, #n1.#n2[0] = :v1"),
        ("SET a = a + :a REMOVE b, c[1]", "SET #n0 = #n0 + :v0 REMOVE #n1, #n2[1]"),
        ("SET a = if_not_exists(a, :a) - :a", "SET #n0 = if_not_exists(#n0, :v0) - :v0"),
        (
            "SET a = list_append(:c, a) ADD b :a DELETE d :b",
            "SET #n0 = list_append(:v0, #n0) ADD #n1 :v1 DELETE #n2 :v2",
        ),
    ],
)
def test_an_update_is_written_back(text: str, written: str) -> None:
    assert Writer().update(tree(update=text).Update) == written


def test_a_projection_is_written_back_and_read_as_paths() -> None:
    encoded = tree(projection="a, #n.b[2], c").Projection
    writer = Writer()
    assert writer.projection(encoded) == "#n0, #n1.#n2[2], #n3"
    assert list(writer.names.values()) == ["a", "n.x", "b", "c"]
    assert paths(encoded) == [("a",), ("n.x", "b", 2), ("c",)]


def test_expressions_of_one_request_share_their_placeholders() -> None:
    sent = tree(condition="a = :a", update="SET a = :b")
    writer = Writer()
    assert writer.condition(sent.Condition) == "#n0 = :v0"
    assert writer.update(sent.Update) == "SET #n0 = :v1"
    assert writer.names == {"#n0": "a"}
    assert writer.values == {":v0": {"N": "1"}, ":v1": {"S": "x"}}


def test_no_name_becomes_syntax() -> None:
    hostile = frames.encode([1, [0, [18, "a) OR (b"], [17, 0]], ["x"]])
    writer = Writer()
    assert writer.condition(hostile) == "#n0 = :v0"
    assert writer.names == {"#n0": "a) OR (b"}


@pytest.mark.parametrize(
    "sent",
    [
        [2, [0, [17, 0], [17, 0]], ["x"]],
        [1, [0, [17, 1], [17, 0]], ["x"]],
        [1, [99, [17, 0]], ["x"]],
        [1, [0, [18], [17, 0]], ["x"]],
        [1, "a = :a", []],
        [1],
        "a = :a",
        [1, [17, True], ["x", "y"]],
    ],
)
def test_a_tree_that_no_client_makes_is_malformed(sent: Any) -> None:
    with pytest.raises(MalformedError):
        Writer().condition(frames.encode(sent))
