"""Random conditions against a naive model: plain Python values, and the rules as a person would write them down."""

import copy
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from region.expression import Placeholders, condition
from region.expression.grammar import parse_condition
from region.expression.syntax import (
    And,
    Between,
    Comparison,
    ConditionTree,
    Function,
    In,
    Not,
    Operand,
    Or,
    Parameter,
    Path,
    conjunction,
    disjunction,
)
from region.model.values import AttributeValue, Item

NAMES = ["a", "b", "c"]
SCALARS: list[AttributeValue] = [
    {"N": "1"},
    {"N": "10"},
    {"N": "-2.5"},
    {"S": ""},
    {"S": "a"},
    {"S": "ab"},
    {"B": ""},
    {"B": "YQ=="},
    {"B": "YWI="},
    {"BOOL": True},
    {"NULL": True},
    {"SS": ["a", "ab"]},
    {"NS": ["1", "10"]},
    {"BS": ["YQ=="]},
]
_values = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda elements: {"L": elements})
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3).map(lambda members: {"M": members})
    ),
    max_leaves=5,
)
_items = st.dictionaries(st.sampled_from(NAMES), _values, max_size=3)
_paths = st.builds(
    lambda name, rest: Path((name, *rest)),
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(NAMES) | st.integers(0, 2), max_size=2),
)
_parameters = st.integers(0, len(SCALARS) - 1).map(lambda number: Parameter(f":p{number}"))
_sizes = _paths.map(lambda path: Function("size", (path,)))
_operands: st.SearchStrategy[Operand] = _paths | _parameters | _sizes
_ordered = _paths | st.integers(0, 8).map(lambda number: Parameter(f":p{number}")) | _sizes


def _distinct(*operands: Operand) -> bool:
    return not isinstance(operands[0], Path) or operands[0] not in operands[1:]


_leaves: st.SearchStrategy[ConditionTree] = st.one_of(
    st.builds(Comparison, st.sampled_from(["=", "<>"]), _operands, _operands).filter(
        lambda term: _distinct(term.left, term.right)
    ),
    st.builds(Comparison, st.sampled_from(["<", "<=", ">", ">="]), _ordered, _ordered).filter(
        lambda term: _distinct(term.left, term.right)
    ),
    st.builds(Between, _ordered, _paths, _ordered).filter(lambda term: _distinct(term.operand, term.lower, term.upper)),
    st.builds(
        lambda first, rest: In(first, tuple(rest)), _operands, st.lists(_operands, min_size=1, max_size=3)
    ).filter(lambda term: _distinct(term.operand, *term.candidates)),
    st.builds(lambda path: Function("attribute_exists", (path,)), _paths),
    st.builds(lambda path: Function("attribute_not_exists", (path,)), _paths),
    st.builds(lambda path: Function("attribute_type", (path, Parameter(":type"))), _paths),
    st.builds(lambda one, two: Function("contains", (one, two)), _operands, _operands).filter(
        lambda term: _distinct(*term.operands)
    ),
    st.builds(
        lambda path, number: Function("begins_with", (path, Parameter(f":p{number}"))), _paths, st.integers(3, 8)
    ),
)
_conditions = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: conjunction(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: disjunction(tuple(parts))),
    ),
    max_leaves=6,
)


def _write(term: ConditionTree | Operand) -> str:
    """Write a tree as text, with as few parentheses as the grammar wants."""
    match term:
        case Path(parts):
            text = str(parts[0])
            return text + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts[1:])
        case Parameter(text):
            return text
        case Function(name, operands):
            return f"{name}({', '.join(map(_write, operands))})"
        case Comparison(operator, left, right):
            return f"{_write(left)} {operator} {_write(right)}"
        case Between(operand, lower, upper):
            return f"{_write(operand)} BETWEEN {_write(lower)} AND {_write(upper)}"
        case In(operand, candidates):
            return f"{_write(operand)} IN ({', '.join(map(_write, candidates))})"
        case Not(part):
            return f"NOT {_enclose(part, And, Or)}"
        case And(parts):
            return " AND ".join(_enclose(part, Or) for part in parts)
        case Or(parts):
            return " OR ".join(map(_write, parts))
    raise AssertionError(term)


def _enclose(term: ConditionTree, *kinds: type) -> str:
    return f"({_write(term)})" if isinstance(term, kinds) else _write(term)


def _naive_value(term: Operand, item: Item, values: dict[str, AttributeValue]) -> AttributeValue | None:
    if isinstance(term, Parameter):
        return values[term.text]
    if isinstance(term, Function):
        value = _naive_value(term.operands[0], item, values)
        if value is None:
            return None
        kind, content = _native(value)
        return {"N": str(len(content))} if kind not in ("N", "BOOL", "NULL") else None
    assert isinstance(term, Path)
    here: Any = {"M": item}
    for part in term.parts:
        container = here.get("M" if isinstance(part, str) else "L")
        try:
            here = container[part]
        except (KeyError, IndexError, TypeError):
            return None
    assert isinstance(here, dict)
    return here


def _native(value: AttributeValue) -> tuple[str, Any]:
    from base64 import b64decode

    ((kind, content),) = value.items()
    if kind == "N":
        return kind, Decimal(content)
    return kind, b64decode(content) if kind == "B" else content


def _naive(term: ConditionTree, item: Item, values: dict[str, AttributeValue]) -> bool:
    def value(operand: Operand) -> AttributeValue | None:
        return _naive_value(operand, item, values)

    def compare(left: Operand, operator: str, right: Operand) -> bool:
        one, two = value(left), value(right)
        if operator in ("=", "<>"):
            return (one is not None and one == two) == (operator == "=")
        if one is None or two is None:
            return False
        (kind, first), (other, second) = _native(one), _native(two)
        if kind != other or kind not in ("S", "N", "B"):
            return False
        less, equal = first < second, first == second
        return {"<": less, "<=": less or equal, ">": not less and not equal, ">=": not less}[operator]

    match term:
        case Not(part):
            return not _naive(part, item, values)
        case And(parts):
            return all(_naive(part, item, values) for part in parts)
        case Or(parts):
            return any(_naive(part, item, values) for part in parts)
        case Comparison(operator, left, right):
            return compare(left, operator, right)
        case Between(operand, lower, upper):
            return compare(operand, ">=", lower) and compare(operand, "<=", upper)
        case In(operand, candidates):
            return any(compare(operand, "=", candidate) for candidate in candidates)
        case Function(name, operands):
            first = value(operands[0])
            if len(operands) == 1:
                return (first is not None) == (name == "attribute_exists")
            second = value(operands[1])
            return first is not None and second is not None and _naive_function(name, first, second)
    raise AssertionError(term)


def _naive_function(name: str, first: AttributeValue, second: AttributeValue) -> bool:
    (kind, content), (other, sought) = _native(first), _native(second)
    if name == "attribute_type":
        return kind == sought
    if name == "begins_with":
        return kind == other and kind in ("S", "B") and content[: len(sought)] == sought
    if kind in ("S", "B"):
        return kind == other and sought in content
    if kind in ("SS", "NS", "BS"):
        return kind == other + "S" and second[other] in content
    return kind == "L" and second in content


_PARAMETERS: dict[str, AttributeValue] = {
    **{f":p{number}": value for number, value in enumerate(SCALARS)},
    ":type": {"S": "L"},
}


@settings(max_examples=300, deadline=None)
@given(term=_conditions, item=_items)
def test_a_random_condition_agrees_with_the_naive_model(term: ConditionTree, item: Item) -> None:
    text = _write(term)
    assert parse_condition(text, "ConditionExpression").tree == term
    before = copy.deepcopy(item)
    compiled = condition(text, Placeholders(None, copy.deepcopy(_PARAMETERS)))
    assert compiled.matches(item) == _naive(term, item, _PARAMETERS)
    assert item == before
