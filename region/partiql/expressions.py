"""The grammar of expressions: tokens to terms.

What: precedence climbing. From loose to tight: OR; AND; NOT; comparisons, IN, BETWEEN, LIKE and IS; ``||``; ``+`` and
``-``; ``*``, ``/`` and ``%``; the sign.

Invariants: chains of AND and OR become one flat term. Nesting is bounded by :data:`NESTING_MAX`, so that no statement
can exhaust the stack, here or in what walks the terms later.

Source: the PartiQL specification, "Expressions"; the forms are those of DynamoDB's developer guide.
"""

from __future__ import annotations

from typing import Final

from region.errors import ValidationError
from region.model import limits, numbers
from region.partiql import lexer
from region.partiql.lexer import Token, Tokens
from region.partiql.terms import (
    Call,
    Constant,
    Hole,
    Ion,
    Missing,
    Name,
    Operation,
    Place,
    Sequence,
    Struct,
    Term,
    Wild,
    located,
)

NESTING_MAX: Final = 48

_OR: Final = 1
_AND: Final = 2
_NOT: Final = 3
_COMPARISON: Final = 4
_SIGN: Final = 8
_POWERS: Final = {
    "or": _OR,
    "and": _AND,
    **dict.fromkeys(("=", "<>", "!=", "<", "<=", ">", ">=", "in", "between", "like", "is", "not"), _COMPARISON),
    "||": 5,
    "+": 6,
    "-": 6,
    "*": 7,
    "/": 7,
    "%": 7,
}
_CALLABLE: Final = frozenset(("size", "exists", "count", "sum", "min", "max", "avg", "upper", "lower", "char_length"))
_LITERALS: Final = {"true": {"BOOL": True}, "false": {"BOOL": False}, "null": {"NULL": True}}
_TYPES: Final = {
    "string": "S",
    "bool": "BOOL",
    "boolean": "BOOL",
    "decimal": "N",
    "numeric": "N",
    "int": "N",
    "integer": "N",
    "list": "L",
    "struct": "M",
    "tuple": "M",
    "blob": "B",
}


class Expressions:
    """Parses the expressions of one statement, and counts its parameters."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.holes = 0
        self._depth = 0

    def expression(self, power: int = 0) -> Term:
        """Parse an expression whose operators bind tighter than ``power``."""
        self._enter()
        left = self._prefix()
        for _ in range(NESTING_MAX):
            token = self.tokens.current
            binding = _POWERS.get(token.text, 0) if token.kind in (lexer.SYMBOL, lexer.KEYWORD) else 0
            if binding <= power:
                self._depth -= 1
                return left
            left = self._infix(left, token, binding)
        raise self.tokens.malformed()

    def path(self) -> Name | Wild:
        """Parse a document path."""
        self.tokens.accept("@")
        token = self.tokens.advance()
        if token.kind not in (lexer.NAME, lexer.QUOTED):
            raise self.tokens.malformed()
        parts: list[str | int] = [self._component(token)]
        while True:
            if self.tokens.accept("."):
                star = self.tokens.current
                if self.tokens.accept("*"):
                    return self._wild(star)
                parts.append(self._component(self.tokens.advance()))
            elif self.tokens.accept("["):
                parts.append(self._subscript())
                self.tokens.expect("]")
            else:
                return Name(Place(token.start, token.stop - token.start), tuple(parts))

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise self.tokens.malformed()

    def _wild(self, star: Token) -> Wild:
        """Step over the rest of a path with a star in it."""
        while self.tokens.accept("."):
            token = self.tokens.advance()
            if token.text != "*":
                self._component(token)
        return Wild(_place(star))

    def _component(self, token: Token) -> str:
        if token.kind not in (lexer.NAME, lexer.QUOTED):
            raise self.tokens.malformed()
        if not token.text:
            raise ValidationError("Path component cannot be an empty string")
        return token.text

    def _subscript(self) -> str | int:
        negative = self.tokens.accept("-")
        token = self.tokens.advance()
        if token.kind == lexer.STRING and not negative:
            if not token.text:
                raise ValidationError("Path component cannot be an empty string")
            return token.text
        if token.kind != lexer.NUMBER or not token.text.isdigit():
            raise self.tokens.malformed()
        index = token.text.lstrip("0") or "0"
        if negative or len(index) > limits.NUMBER_DIGITS_MAX:
            start = token.start - negative
            text = f"-{token.text}" if negative else token.text
            raise located(
                self.tokens.statement,
                Place(start, 1 if negative else token.stop - token.start),
                f"List index is not within the allowable range; index: [{text}]",
            )
        return int(index)

    def _infix(self, left: Term, token: Token, binding: int) -> Term:
        word = token.text
        if word == "not" and self.tokens.following.text not in ("in", "between", "like"):
            raise self.tokens.malformed()
        self.tokens.advance()
        if word in ("and", "or"):
            return self._chain(left, token, binding)
        if word == "not":
            return Operation(_place(token), "not", (self._infix(left, self.tokens.current, binding),))
        if word == "is":
            return self._is(left, token)
        if word == "between":
            lower = self.expression(_COMPARISON)
            self.tokens.expect("and")
            return Operation(_place(token), "between", (left, lower, self.expression(_COMPARISON)))
        if word == "in" and self.tokens.at("("):
            opening = self.tokens.advance()
            return Operation(_place(token), word, (left, Sequence(_place(opening), "(", self._members(")"))))
        return Operation(_place(token), "<>" if word == "!=" else word, (left, self.expression(binding)))

    def _chain(self, left: Term, token: Token, binding: int) -> Term:
        """Parse the rest of a chain of ANDs or ORs into one term."""
        parts = [left, self.expression(binding)]
        while self.tokens.accept(token.text):
            parts.append(self.expression(binding))
        return Operation(_place(token), token.text, tuple(parts))

    def _is(self, left: Term, token: Token) -> Term:
        negated = self.tokens.accept("not")
        word = self.tokens.advance()
        place = _place(token)
        test: Term
        if word.kind != lexer.KEYWORD:
            raise self.tokens.malformed()
        if word.text == "missing":
            test = Operation(place, "is missing", (left,))
        elif word.text == "null":
            test = Operation(place, "=", (left, Constant(_place(word), _LITERALS["null"])))
        elif word.text in _TYPES:
            kind: Term = Constant(_place(word), {"S": _TYPES[word.text]})
            test = Call(place, "attribute_type", (left, kind))
        else:
            raise self.tokens.malformed()
        return Operation(place, "not", (test,)) if negated else test

    def _prefix(self) -> Term:
        token = self.tokens.current
        place = _place(token)
        if token.kind in (lexer.NAME, lexer.QUOTED) or self.tokens.at("@"):
            return self._name_or_call(token)
        self.tokens.advance()
        if token.kind == lexer.STRING:
            return Constant(place, {"S": token.text})
        if token.kind == lexer.NUMBER:
            return Constant(place, {"N": number(token.text)})
        if token.kind == lexer.ION:
            return Ion(place, token.text)
        if token.kind == lexer.KEYWORD:
            return self._word(token)
        if token.text == "?":
            self.holes += 1
            return Hole(place, self.holes - 1)
        if token.text in ("+", "-"):
            return self._signed(token)
        if token.text == "(":
            return self._parentheses(token)
        if token.text == "[":
            return Sequence(place, "[", self._members("]"))
        if token.text == "<<":
            return Sequence(place, "<<", self._members(">>"))
        if token.text == "{":
            return self._struct(token)
        raise self.tokens.malformed()

    def _name_or_call(self, token: Token) -> Term:
        if token.kind == lexer.NAME and self.tokens.following.text == "(":
            self.tokens.advance()
            return self._call(token)
        return self.path()

    def _word(self, token: Token) -> Term:
        if token.text == "not":
            return Operation(_place(token), "not", (self.expression(_NOT),))
        if token.text in _LITERALS:
            return Constant(_place(token), _LITERALS[token.text])
        if token.text == "missing":
            return Missing(_place(token))
        if token.text in _CALLABLE and self.tokens.at("("):
            return self._call(token)
        raise self.tokens.malformed()

    def _call(self, token: Token) -> Call:
        self.tokens.expect("(")
        star = self.tokens.current
        if self.tokens.accept("*"):
            self.tokens.expect(")")
            return Call(_place(token), token.text.lower(), (Wild(_place(star)),))
        return Call(_place(token), token.text.lower(), self._members(")"))

    def _signed(self, token: Token) -> Term:
        operand = self.expression(_SIGN)
        if isinstance(operand, Constant) and "N" in operand.value:
            digits = operand.value["N"]
            if token.text == "-":
                digits = digits[1:] if digits[0] == "-" else f"-{digits}"
            return Constant(_place(token), {"N": numbers.canonical(digits)})
        return Operation(_place(token), token.text, (operand,))

    def _parentheses(self, token: Token) -> Term:
        members = self._members(")")
        if not members:
            raise self.tokens.malformed()
        return members[0] if len(members) == 1 else Sequence(_place(token), "(", members)

    def _members(self, closing: str) -> tuple[Term, ...]:
        if self.tokens.at("select"):
            place = _place(self.tokens.current)
            raise located(self.tokens.statement, place, "Unsupported token in expression: SELECT")
        members: list[Term] = []
        if not self.tokens.at(closing):
            members.append(self.expression())
            while self.tokens.accept(","):
                members.append(self.expression())
        self.tokens.expect(closing)
        return tuple(members)

    def _struct(self, token: Token) -> Struct:
        members: list[tuple[Term, Term]] = []
        while not self.tokens.at("}"):
            if members:
                self.tokens.expect(",")
            name = self.expression()
            self.tokens.expect(":")
            members.append((name, self.expression()))
        self.tokens.expect("}")
        return Struct(_place(token), tuple(members))


def number(text: str) -> str:
    """Return the canonical form of a number literal.

    Raises:
        ValidationError: DynamoDB cannot hold it.
    """
    mantissa = text.lower().partition("e")[0].replace(".", "").strip("0")
    if len(mantissa) > limits.NUMBER_DIGITS_MAX:
        raise ValidationError("DynamoDB only supports precision up to 38 digits")
    return numbers.canonical(text)


def _place(token: Token) -> Place:
    return Place(token.start, token.stop - token.start)
