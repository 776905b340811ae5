"""Metric math as text: from an expression to a tree.

What: numbers, strings, ids, lists in brackets, calls, and operators with CloudWatch's precedence: ``OR`` (``||``),
``AND`` (``&&``), comparisons, ``+ -``, ``* /``, ``^``, a sign.

Source: AWS CloudWatch user guide, "Using math expressions with CloudWatch metrics".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from atoll.monitoring.errors import CloudWatchError

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>\|\||&&|<=|>=|==|!=|[-+*/^()\[\],<>]))"
)
_LEVELS: Final = (
    ("OR", "||"),
    ("AND", "&&"),
    ("<", ">", "<=", ">=", "==", "!="),
    ("+", "-"),
    ("*", "/"),
    ("^",),
)
_WORDS: Final = {"OR": "||", "AND": "&&"}


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A string in quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of another query, or a word of a function."""

    value: str


@dataclass(frozen=True, slots=True)
class Several:
    """A list in brackets."""

    members: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments."""

    function: str
    arguments: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator between two."""

    operator: str
    left: Term
    right: Term


Term = Number | Text | Name | Several | Call | Operation


def parse(text: str) -> Term:
    """Return the tree of an expression.

    Raises:
        CloudWatchError: it has none; the text says where it ends to make sense.
        RecursionError: it is nested too deeply.
    """
    parser = _Parser(_tokens(text))
    term = parser.level(0)
    if parser.kind:
        raise CloudWatchError(f"Unexpected {parser.value!r}")
    return term


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise CloudWatchError(f"Unexpected {text[position:].strip()[:1]!r}")
        found.append((match.lastgroup or "", match[match.lastgroup or 0]))
        position = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = [*tokens, ("", "the end of the expression")]
        self._position = 0

    @property
    def kind(self) -> str:
        return self._tokens[self._position][0]

    @property
    def value(self) -> str:
        return self._tokens[self._position][1]

    def _next(self) -> str:
        value = self.value
        self._position += 1
        return value

    def _expect(self, sign: str) -> None:
        if self.kind != "sign" or self.value != sign:
            raise CloudWatchError(f"Expected {sign!r} in place of {self.value!r}")
        self._position += 1

    def level(self, number: int) -> Term:
        """Read operators of a level and of all that bind tighter."""
        if number == len(_LEVELS):
            return self._signed()
        left = self.level(number + 1)
        while self.kind and self.value in _LEVELS[number]:
            operator = self._next()
            # Powers associate to the right, all else to the left.
            right = self.level(number if operator == "^" else number + 1)
            left = Operation(_WORDS.get(operator, operator), left, right)
        return left

    def _signed(self) -> Term:
        if self.kind == "sign" and self.value in ("-", "+"):
            sign = -1.0 if self._next() == "-" else 1.0
            return Operation("*", Number(sign), self._signed())
        return self._primary()

    def _primary(self) -> Term:
        kind, value = self.kind, self.value
        if kind == "number":
            return Number(float(self._next()))
        if kind == "text":
            return Text(self._next()[1:-1])
        if kind == "name":
            self._position += 1
            if self.kind == "sign" and self.value == "(":
                return Call(value.upper(), self._list("(", ")"))
            return Name(value)
        if kind == "sign" and value == "[":
            return Several(self._list("[", "]"))
        if kind == "sign" and value == "(":
            self._expect("(")
            term = self.level(0)
            self._expect(")")
            return term
        raise CloudWatchError(f"Unexpected {value!r}")

    def _list(self, begin: str, end: str) -> tuple[Term, ...]:
        self._expect(begin)
        members: list[Term] = []
        while self.kind != "sign" or self.value != end:
            if members:
                self._expect(",")
            members.append(self.level(0))
        self._expect(end)
        return tuple(members)
