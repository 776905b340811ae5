"""Projections: which parts of an item they answer with."""

import pytest

from region.expression import Placeholders, projection, projection_of
from region.expression.syntax import Path
from region.model.values import Item

ITEM: Item = {
    "pk": {"S": "1"},
    "n": {"N": "5"},
    "a.b": {"N": "6"},
    "l": {"L": [{"N": "1"}, {"S": "x"}, {"M": {"a": {"N": "7"}}}]},
    "m": {"M": {"a": {"N": "1"}, "b": {"M": {"c": {"S": "z"}}}}},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n", {"n": {"N": "5"}}),
        ("zz, pk , n", {"pk": {"S": "1"}, "n": {"N": "5"}}),
        ("m", {"m": ITEM["m"]}),
        ("m.a", {"m": {"M": {"a": {"N": "1"}}}}),
        ("m.a, m.b.c", {"m": ITEM["m"]}),
        ("m.b.c", {"m": {"M": {"b": {"M": {"c": {"S": "z"}}}}}}),
        ("l[1],l[0]", {"l": {"L": [{"N": "1"}, {"S": "x"}]}}),
        ("l[2].a, l[0]", {"l": {"L": [{"N": "1"}, {"M": {"a": {"N": "7"}}}]}}),
        ("l[0].a, l[2].a", {"l": {"L": [{"M": {"a": {"N": "7"}}}]}}),
        ("l[9], l[2].zz, n.a, m[0]", {}),
        ("l.a, n[0], zz.a", {}),
        ("#d", {"a.b": {"N": "6"}}),
        ("#m.#a", {"m": {"M": {"a": {"N": "1"}}}}),
    ],
)
def test_a_projection_answers_with_nested_values_within_their_parents(text: str, expected: Item) -> None:
    names = {"#d": "a.b", "#m": "m", "#a": "a"}
    assert projection(text, Placeholders(names, None)).apply(ITEM) == expected


def test_a_projection_knows_its_paths() -> None:
    compiled = projection("m.b, #l[0]", Placeholders({"#l": "l"}, None))
    assert compiled.paths == (("m", "b"), ("l", 0))
    assert compiled.top_level_names == {"m", "l"}


def test_a_projection_can_be_built_from_paths() -> None:
    assert projection_of([Path(("name",)), Path(("m", "a"))]).apply(ITEM) == {"m": {"M": {"a": {"N": "1"}}}}
    with pytest.raises(Exception, match="overlap"):
        projection_of([Path(("m",)), Path(("m", "a"))])
