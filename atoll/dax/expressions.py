"""Expressions as DAX sends them, trees in CBOR, turned back into the text that a region takes.

What: AWS's client parses an expression and sends the tree: ``[function, argument, …]`` with names in place and values
by number. :class:`Writer` writes trees of one request as text whose names and values are placeholders of its own, so
that the region checks and evaluates them with its own rules and in AWS's words.

Invariant: the text means what the tree says, whatever stands in it: no name or value of a client becomes syntax, and
every step is in parentheses where a grammar could read it otherwise.

Source: the generator of amazon-dax-client 2.1 (``CborSExprGenerator``), whose inverse this is.
"""

from __future__ import annotations

from typing import Any, Final

from atoll.dax import frames, values
from atoll.dax.frames import Index, MalformedError
from region.model.values import AttributeValue

ENCODING: Final = 1
Path = tuple[str | int, ...]

_COMPARISONS: Final = {0: "=", 1: "<>", 2: "<", 3: ">=", 4: ">", 5: "<="}
_AND, _OR, _NOT, _BETWEEN, _IN = 6, 7, 8, 9, 10
_FUNCTIONS: Final = {
    11: "attribute_exists",
    12: "attribute_not_exists",
    13: "attribute_type",
    14: "begins_with",
    15: "contains",
    16: "size",
    23: "if_not_exists",
    24: "list_append",
}
_VARIABLE, _PATH = 17, 18
_SET, _ADD, _DELETE, _REMOVE = 19, 20, 21, 22
_CLAUSES: Final = {_SET: "SET", _REMOVE: "REMOVE", _ADD: "ADD", _DELETE: "DELETE"}
_PLUS, _MINUS = 25, 26


class Writer:
    """Writes the expressions of one request; ``names`` and ``values`` are what its placeholders stand for."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, AttributeValue] = {}
        self._placeholders: dict[str, str] = {}
        self._variables: list[str] = []

    def condition(self, encoded: bytes) -> str:
        """Return the text of a condition, a filter or a key condition.

        Raises:
            MalformedError: it is none.
        """
        return self._condition(self._tree(encoded))

    def update(self, encoded: bytes) -> str:
        """Return the text of an update.

        Raises:
            MalformedError: it is none.
        """
        clauses: dict[int, list[str]] = {}
        for action in _items(self._tree(encoded)):
            function, arguments = _call(action)
            if function not in _CLAUSES:
                raise MalformedError(f"the function {function} as an action")
            operands = [self._operand(each) for each in arguments]
            if len(operands) != (1 if function == _REMOVE else 2):
                raise MalformedError("an action with a wrong number of operands")
            clauses.setdefault(function, []).append((" = " if function == _SET else " ").join(operands))
        return " ".join(f"{_CLAUSES[function]} {', '.join(actions)}" for function, actions in clauses.items())

    def projection(self, encoded: bytes) -> str:
        """Return the text of a projection.

        Raises:
            MalformedError: it is none.
        """
        return ", ".join(self.path(path) for path in paths(encoded))

    def path(self, path: Path) -> str:
        """Return the text of a document path."""
        text = ""
        for part in path:
            if isinstance(part, int):
                text += f"[{part}]"
            else:
                text += ("." if text else "") + self._name(part)
        return text

    def _tree(self, encoded: bytes) -> Any:
        tree, *rest = _envelope(encoded)
        self._variables = []
        for value in _items(rest[0]) if rest else ():
            placeholder = f":v{len(self.values)}"
            self.values[placeholder] = values.to_json(value)
            self._variables.append(placeholder)
        return tree

    def _name(self, name: str) -> str:
        placeholder = self._placeholders.get(name)
        if placeholder is None:
            placeholder = self._placeholders[name] = f"#n{len(self.names)}"
            self.names[placeholder] = name
        return placeholder

    def _condition(self, tree: Any) -> str:
        function, arguments = _call(tree)
        if function in (_AND, _OR) and len(arguments) == 2:
            left, right = (self._condition(each) for each in arguments)
            return f"({left} {'AND' if function == _AND else 'OR'} {right})"
        if function == _NOT and len(arguments) == 1:
            return f"(NOT {self._condition(arguments[0])})"
        if function in _COMPARISONS and len(arguments) == 2:
            left, right = (self._operand(each) for each in arguments)
            return f"{left} {_COMPARISONS[function]} {right}"
        if function == _BETWEEN and len(arguments) == 3:
            operand, low, high = (self._operand(each) for each in arguments)
            return f"{operand} BETWEEN {low} AND {high}"
        if function == _IN and len(arguments) == 2:
            operand = self._operand(arguments[0])
            return f"{operand} IN ({', '.join(self._operand(each) for each in _items(arguments[1]))})"
        return self._operand(tree)

    def _operand(self, tree: Any) -> str:
        function, arguments = _call(tree)
        if function == _PATH:
            return self.path(_path(arguments))
        if function == _VARIABLE and len(arguments) == 1:
            number = arguments[0]
            if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(self._variables):
                raise MalformedError("a variable that stands for nothing")
            return self._variables[number]
        if function in (_PLUS, _MINUS) and len(arguments) == 2:
            left, right = (self._operand(each) for each in arguments)
            return f"{left} {'+' if function == _PLUS else '-'} {right}"
        if function in _FUNCTIONS:
            return f"{_FUNCTIONS[function]}({', '.join(self._operand(each) for each in arguments)})"
        raise MalformedError(f"the function {function} in an expression")


def paths(encoded: bytes) -> list[Path]:
    """Return the document paths of a projection, in its order.

    Raises:
        MalformedError: it is none.
    """
    found = []
    for each in _items(_envelope(encoded)[0]):
        function, arguments = _call(each)
        if function != _PATH:
            raise MalformedError("a projection of what is no path")
        found.append(_path(arguments))
    return found


def _envelope(encoded: bytes) -> list[Any]:
    """Return the tree, and behind it its values where it may have some."""
    envelope = _items(frames.decode(encoded) if isinstance(encoded, bytes) else None)
    if len(envelope) not in (2, 3) or envelope[0] != ENCODING:
        raise MalformedError("an expression in another encoding")
    return envelope[1:]


def _call(tree: Any) -> tuple[int, list[Any]]:
    call = _items(tree)
    if not call or not isinstance(call[0], int) or isinstance(call[0], bool):
        raise MalformedError("an expression without a function")
    return call[0], call[1:]


def _items(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise MalformedError("an expression that is no list")
    return value


def _path(parts: list[Any]) -> Path:
    path: list[str | int] = []
    for part in parts:
        if isinstance(part, Index) and path:
            path.append(part.position)
        elif isinstance(part, str):
            path.append(part)
        else:
            raise MalformedError("a document path that is none")
    if not path:
        raise MalformedError("an empty document path")
    return tuple(path)
