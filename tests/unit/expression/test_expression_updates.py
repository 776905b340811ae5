"""Updates: what they make of an item, what they share with it, and a naive model on random ones."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from region.expression import Placeholders, Updated, touched, update, update_of
from region.expression.syntax import Action, Add, Arithmetic, Delete, Function, Literal, Path, Remove, Set
from region.model.values import AttributeValue, Item

KEY: Item = {"pk": {"S": "1"}}
ITEM: Item = {
    "pk": {"S": "1"},
    "n": {"N": "5"},
    "s": {"S": "abc"},
    "l": {"L": [{"N": "1"}, {"S": "x"}, {"M": {"a": {"N": "7"}}}]},
    "m": {"M": {"a": {"N": "1"}, "b": {"M": {"c": {"S": "z"}}}, "e": {"L": []}}},
    "ss": {"SS": ["a", "b"]},
    "ns": {"NS": ["2", "10"]},
    "sl": {"L": [{"SS": ["a"]}, {"N": "1"}]},
}
VALUES: dict[str, AttributeValue] = {
    ":v": {"N": "5"},
    ":w": {"S": "x"},
    ":l": {"L": [{"N": "9"}]},
    ":m": {"M": {"z": {"N": "1"}}},
    ":ss": {"SS": ["a"]},
    ":cs": {"SS": ["c"]},
    ":ns": {"NS": ["9"]},
    ":ab": {"SS": ["a", "b"]},
    ":big": {"N": "99999999999999999999999999999999999999"},
    ":half": {"N": "0.5"},
}


def _apply(text: str, item: Item | None = ITEM) -> Updated:
    before = copy.deepcopy(item)
    updated = update(text, Placeholders(None, copy.deepcopy(VALUES))).apply(item, KEY)
    assert item == before
    return updated


def _changes(text: str) -> dict[str, AttributeValue | None]:
    new = _apply(text).item
    return {name: new.get(name) for name in {*ITEM, *new} if new.get(name) != ITEM.get(name)}


ONE, X, A7 = ITEM["l"]["L"]
FIVE, S_X = {"N": "5"}, {"S": "x"}


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("SET a = :v", {"a": FIVE}),
        ("set a = :v remove n", {"a": FIVE, "n": None}),
        ("SET a = n", {"a": FIVE}),
        ("SET a = pk", {"a": {"S": "1"}}),
        ("SET n = n", {}),
        ("SET n = n + :v", {"n": {"N": "10"}}),
        ("SET n = n-:v", {"n": {"N": "0"}}),
        ("SET n = (n - :half)", {"n": {"N": "4.5"}}),
        ("SET n = ((n) + (:v))", {"n": {"N": "10"}}),
        ("SET n = :big + n - n", None),
        ("SET n = n + n", {"n": {"N": "10"}}),
        ("SET n = :big + :v - :v", None),
        ("SET a = if_not_exists(n, :w)", {"a": FIVE}),
        ("SET a = if_not_exists(zz, :w)", {"a": S_X}),
        ("SET a = if_not_exists(n.b.zz, :v) + :v", {"a": {"N": "10"}}),
        ("SET a = if_not_exists(zz, if_not_exists(yy, :v))", {"a": FIVE}),
        ("SET a = list_append(:l, :l)", {"a": {"L": [{"N": "9"}, {"N": "9"}]}}),
        ("SET a = list_append(if_not_exists(zz, :l), l)", {"a": {"L": [{"N": "9"}, ONE, X, A7]}}),
        ("SET l = list_append(l, :l)", {"l": {"L": [ONE, X, A7, {"N": "9"}]}}),
        ("SET n = s, s = n", {"n": {"S": "abc"}, "s": FIVE}),
        ("REMOVE n SET q = n", {"n": None, "q": FIVE}),
        ("ADD n :v SET q = n", {"n": {"N": "10"}, "q": FIVE}),
        ("REMOVE zz, m.zz, l[9]", {}),
        ("ADD n :v", {"n": {"N": "10"}}),
        ("ADD q :v, r :ss", {"q": FIVE, "r": {"SS": ["a"]}}),
        ("ADD ss :cs", {"ss": {"SS": ["a", "b", "c"]}}),
        ("ADD ss :ss", {}),
        ("ADD ns :ns", {"ns": {"NS": ["2", "9", "10"]}}),
        ("DELETE ss :ss", {"ss": {"SS": ["b"]}}),
        ("DELETE ss :ab", {"ss": None}),
        ("DELETE ss :cs, zz :cs, m.zz :cs, l[9] :cs", {}),
        ("SET m.b.d = :v", {"m": {"M": {**ITEM["m"]["M"], "b": {"M": {"c": {"S": "z"}, "d": FIVE}}}}}),
        ("SET m.a = m.b, m.b = m.a", {"m": {"M": {"a": {"M": {"c": {"S": "z"}}}, "b": ONE, "e": {"L": []}}}}),
        ("SET m.e[0] = :v", {"m": {"M": {**ITEM["m"]["M"], "e": {"L": [FIVE]}}}}),
        ("SET m = m.b", {"m": {"M": {"c": {"S": "z"}}}}),
        ("REMOVE m.a, m.b.c", {"m": {"M": {"b": {"M": {}}, "e": {"L": []}}}}),
        ("ADD m.a :v, m.q :v", {"m": {"M": {**ITEM["m"]["M"], "a": {"N": "6"}, "q": FIVE}}}),
        ("SET l[2].b = :v", {"l": {"L": [ONE, X, {"M": {"a": {"N": "7"}, "b": FIVE}}]}}),
        ("SET l[0]=l[1], l[1]=l[0]", {"l": {"L": [X, ONE, A7]}}),
        ("REMOVE l[0], l[1]", {"l": {"L": [A7]}}),
        ("REMOVE l[1], l[0], l[2]", {"l": {"L": []}}),
        ("REMOVE l[2].a, l[1]", {"l": {"L": [ONE, {"M": {}}]}}),
        ("REMOVE l[0] SET l[1] = :v", {"l": {"L": [FIVE, A7]}}),
        ("SET l[9] = :v", {"l": {"L": [ONE, X, A7, FIVE]}}),
        ("SET l[9] = :v, l[7] = :w", {"l": {"L": [ONE, X, A7, S_X, FIVE]}}),
        ("SET l[9]=:v, l[0]=:w REMOVE l[1]", {"l": {"L": [S_X, A7, FIVE]}}),
        ("SET l[9]=:v REMOVE l[3]", {"l": {"L": [ONE, X, A7, FIVE]}}),
        ("ADD l[0] :v, l[9] :v SET l[8] = :w", {"l": {"L": [{"N": "6"}, X, A7, S_X, FIVE]}}),
        ("DELETE sl[0] :ss", {"sl": {"L": [ONE]}}),
        ("DELETE sl[0] :ss REMOVE sl[1]", {"sl": {"L": []}}),
        ("SET sl[1]=sl[0], sl[7]=sl[1] DELETE sl[0] :ss", {}),
    ],
)
def test_an_update_changes_what_it_says(text: str, changes: dict[str, AttributeValue | None] | None) -> None:
    if changes is None:
        with pytest.raises(Exception, match="Syntax error"):
            _changes(text)
    else:
        assert _changes(text) == changes


def test_arithmetic_is_exact_to_38_digits() -> None:
    assert _changes("SET n = :big - :v")["n"] == {"N": "99999999999999999999999999999999999994"}
    with pytest.raises(Exception, match="38 significant digits"):
        _changes("SET n = :big + :half")


def test_an_update_of_an_item_that_does_not_exist_starts_from_its_key() -> None:
    assert _apply("SET a = pk REMOVE b", None).item == {"pk": {"S": "1"}, "a": {"S": "1"}}
    assert _apply("ADD a :v DELETE b :ss", None).item == {"pk": {"S": "1"}, "a": FIVE}
    assert KEY == {"pk": {"S": "1"}}


def test_the_new_item_shares_all_that_no_path_touches() -> None:
    new = _apply("SET m.b.c = :v").item
    assert new["l"] is ITEM["l"]
    assert new["m"]["M"]["e"] is ITEM["m"]["M"]["e"]
    assert new["m"]["M"]["b"] is not ITEM["m"]["M"]["b"]


def test_an_update_says_which_paths_it_touched() -> None:
    placeholders = Placeholders({"#a": "a.b"}, {":v": {"N": "1"}})
    compiled = update("SET #a[0].c = :v, n = :v REMOVE m.a", placeholders)
    assert compiled.top_level_names == {"a.b", "n", "m"}
    item: Item = {"a.b": {"L": [{"M": {}}]}, "m": {"M": {"a": {"N": "1"}, "b": {"N": "2"}}}, "other": {"N": "3"}}
    new, paths = compiled.apply(item, {})
    assert paths == (("a.b", 0, "c"), ("n",), ("m", "a"))
    assert touched(new, paths) == {"a.b": {"L": [{"M": {"c": {"N": "1"}}}]}, "n": {"N": "1"}}
    assert touched(item, paths) == {"m": {"M": {"a": {"N": "1"}}}}


def test_an_update_can_be_built_from_actions_with_literals() -> None:
    compiled = update_of(
        (
            Set(Path(("name",)), Literal({"S": "a reserved word"})),
            Set(Path(("m", "x")), Arithmetic("-", Path(("n",)), Literal({"N": "1"}))),
            Set(Path(("l", 9)), Function("if_not_exists", (Path(("zz",)), Literal({"N": "2"})))),
            Remove(Path(("s",))),
            Add(Path(("q",)), Literal({"N": "3"})),
            Delete(Path(("ss",)), Literal({"SS": ["a"]})),
        )
    )
    new, _ = compiled.apply(ITEM, KEY)
    assert new["name"] == {"S": "a reserved word"}
    assert new["m"]["M"]["x"] == {"N": "4"}
    assert new["l"]["L"][3] == {"N": "2"}
    assert "s" not in new
    assert new["q"] == {"N": "3"}
    assert new["ss"] == {"SS": ["b"]}


# The model: change a deep copy in place, mark what is removed, sweep in the end.

NAMES = ["a", "b", "c"]
_values = st.recursive(
    st.integers(-3, 3).map(lambda number: {"N": str(number)}) | st.sampled_from([{"S": "x"}, {"SS": ["a", "b"]}]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda elements: {"L": elements})
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3).map(lambda members: {"M": members})
    ),
    max_leaves=8,
)
_items = st.dictionaries(st.sampled_from(NAMES), _values, min_size=1, max_size=3)
Found = list[tuple[tuple[str | int, ...], AttributeValue | None]]


def _places(value: AttributeValue, path: tuple[str | int, ...], found: Found) -> None:
    """Collect every path of a value, and a few that could be set in it."""
    found.append((path, value))
    for name, member in value.get("M", {}).items():
        _places(member, (*path, name), found)
    for index, element in enumerate(value.get("L", [])):
        _places(element, (*path, index), found)
    if "M" in value:
        found.append(((*path, "new"), None))
    if "L" in value:
        found.extend(((*path, len(value["L"]) + beyond), None) for beyond in (0, 2))


@st.composite
def _updates(draw: st.DrawFn) -> tuple[Item, list[Action]]:
    item: Item = draw(_items)
    found: Found = [(("new",), None)]
    for name, value in item.items():
        _places(value, (name,), found)
    sources = [path for path, value in found if value is not None]
    actions: list[Action] = []
    taken: list[tuple[str | int, ...]] = []
    for path, value in draw(st.lists(st.sampled_from(found), min_size=1, max_size=4)):
        if any(path[: len(other)] == other[: len(path)] for other in taken):
            continue
        taken.append(path)
        kinds = ["literal", "copy", "remove"]
        kinds += ["add", "plus"] if value is not None and "N" in value else []
        kinds += ["delete", "unite"] if value is not None and "SS" in value else []
        target = Path(path)
        match draw(st.sampled_from(kinds)):
            case "literal":
                actions.append(Set(target, Literal(draw(_values))))
            case "copy":
                actions.append(Set(target, Path(draw(st.sampled_from(sources)))))
            case "remove":
                actions.append(Remove(target))
            case "add":
                actions.append(Add(target, Literal({"N": "2"})))
            case "plus":
                actions.append(Set(target, Arithmetic("+", target, Literal({"N": "2"}))))
            case "delete":
                actions.append(Delete(target, Literal({"SS": draw(st.sampled_from([["a"], ["a", "b"]]))})))
            case "unite":
                actions.append(Add(target, Literal({"SS": ["c"]})))
    return item, actions


REMOVED: Any = type("Removed", (), {})


def _find(root: Any, path: tuple[Any, ...]) -> Any:
    here = {"M": root}
    for part in path:
        container = here["M" if isinstance(part, str) else "L"]
        if (part not in container) if isinstance(part, str) else (part >= len(container)):
            return None
        here = container[part]
    return here


def _model(item: Item, actions: list[Action]) -> Item:
    new = copy.deepcopy(item)
    appended: list[tuple[list[Any], int, Any]] = []
    lengths = {}

    def remember(value: Any) -> None:
        for element in value.get("L", []):
            remember(element)
        for member in value.get("M", {}).values():
            remember(member)
        if "L" in value:
            lengths[id(value["L"])] = len(value["L"])

    remember({"M": new})
    for action in actions:
        path = action.path.parts
        old = _find(item, path)
        parent = _find(new, path[:-1]) if len(path) > 1 else {"M": new}
        container = parent["M" if isinstance(path[-1], str) else "L"]
        result = copy.deepcopy(_model_result(action, item, old))
        if isinstance(path[-1], int) and path[-1] >= lengths[id(container)]:
            if result is not REMOVED:
                appended.append((container, path[-1], result))
        elif result is not REMOVED or old is not None:
            container[path[-1]] = result
    swept: Item = _sweep({"M": new}, appended)["M"]
    return swept


def _model_result(action: Action, item: Item, old: Any) -> Any:
    match action:
        case Set(_, Literal(value)):
            return value
        case Set(_, Path(parts)):
            return _find(item, parts)
        case Set(_, Arithmetic()):
            return {"N": str(int(old["N"]) + 2)}
        case Add(_, Literal(value)):
            if "N" in value:
                return {"N": str(int(old["N"]) + 2)}
            return {"SS": sorted({*old["SS"], *value["SS"]})}
        case Delete(_, Literal(value)):
            left = [member for member in old["SS"] if member not in value["SS"]]
            return {"SS": left} if left else REMOVED
    return REMOVED


def _sweep(value: Any, appended: list[tuple[list[Any], int, Any]]) -> Any:
    if "M" in value:
        members = {name: member for name, member in value["M"].items() if member is not REMOVED}
        return {"M": {name: _sweep(member, appended) for name, member in members.items()}}
    if "L" in value:
        tail = sorted((entry[1:] for entry in appended if entry[0] is value["L"]), key=lambda entry: entry[0])
        kept = [_sweep(element, appended) for element in value["L"] if element is not REMOVED]
        return {"L": kept + [element for _, element in tail]}
    return value


@settings(max_examples=300, deadline=None)
@given(_updates())
def test_a_random_update_agrees_with_the_naive_model(case: tuple[Item, list[Action]]) -> None:
    item, actions = case
    before = copy.deepcopy(item)
    new, paths = update_of(actions).apply(item, {})
    assert new == _model(item, actions)
    assert item == before
    assert paths == tuple(action.path.parts for action in actions)
