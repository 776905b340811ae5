"""Conditions written out: the one text that stands for a condition wherever it was written, and back again.

What: a conditional write keeps the text of its condition in the change log, so that a region that meets a concurrent
write can tell whether both were granted the same thing. :func:`template` writes a bound tree as an expression with
placeholders numbered in the order of their first use, :func:`fill` adds what these stand for as a line of JSON,
:func:`show` writes it for people, and :func:`maps` gives back what a request would have said.

Invariants: two requests that mean the same tree have the same text, whatever they called their placeholders. A text has
at most :data:`TEXT_MAX` characters; a longer one is cut and ends in a digest of the whole, and can only be compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson

from region.expression.lexer import KEYWORDS
from region.expression.reserved import RESERVED
from region.expression.syntax import (
    And,
    Between,
    Comparison,
    ConditionTree,
    Function,
    In,
    Literal,
    Not,
    Operand,
    Or,
    Parameter,
    Path,
)
from region.model.values import AttributeValue

TEXT_MAX: Final = 1024
_CUT: Final = "…"
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_PLACEHOLDER: Final = re.compile(r"[#:][0-9]+", re.ASCII)
_JOINED: Final = {And: " AND ", Or: " OR "}


class Template(NamedTuple):
    """A condition without its values: the expression, what its aliases stand for, and its operands in order."""

    expression: str
    names: dict[str, str]
    operands: tuple[Parameter | Literal, ...]


class _Writer:
    """Writes one tree, numbering placeholders as they come."""

    def __init__(self) -> None:
        self.aliases: dict[str, str] = {}
        self.operands: list[Parameter | Literal] = []

    def condition(self, term: ConditionTree) -> str:
        if isinstance(term, And | Or):
            return _JOINED[type(term)].join([self._part(part) for part in term.parts])
        if isinstance(term, Not):
            return f"NOT {self._part(term.part)}"
        if isinstance(term, Comparison):
            return f"{self._operand(term.left)} {term.operator} {self._operand(term.right)}"
        if isinstance(term, Between):
            lower, upper = term.lower, term.upper
            return f"{self._operand(term.operand)} BETWEEN {self._operand(lower)} AND {self._operand(upper)}"
        if isinstance(term, In):
            return f"{self._operand(term.operand)} IN ({', '.join(map(self._operand, term.candidates))})"
        return self._operand(term)

    def _part(self, term: ConditionTree) -> str:
        text = self.condition(term)
        return f"({text})" if isinstance(term, And | Or | Not | Between) else text

    def _operand(self, term: Operand) -> str:
        if isinstance(term, Path):
            return "".join([self._step(part, first=not at) for at, part in enumerate(term.parts)])
        if isinstance(term, Function):
            return f"{term.name}({', '.join(map(self._operand, term.operands))})"
        if term not in self.operands:
            self.operands.append(term)
        return f":{self.operands.index(term) + 1}"

    def _step(self, part: Any, *, first: bool) -> str:
        if isinstance(part, int):
            return f"[{part}]"
        name = str(part)
        if not _PLAIN.fullmatch(name) or name.upper() in RESERVED or name.upper() in KEYWORDS:
            name = self.aliases.setdefault(name, f"#{len(self.aliases) + 1}")
        return name if first else f".{name}"


def template(tree: ConditionTree) -> Template:
    """Write a bound tree."""
    writer = _Writer()
    expression = writer.condition(tree)
    return Template(expression, {alias: name for name, alias in writer.aliases.items()}, tuple(writer.operands))


def fill(written: Template, values: Mapping[str, AttributeValue]) -> str:
    """Return the text of a template with the values of a request."""
    meanings: dict[str, Any] = dict(written.names)
    for number, operand in enumerate(written.operands, 1):
        meanings[f":{number}"] = values[operand.text] if isinstance(operand, Parameter) else operand.value
    if not meanings:
        return _cut(written.expression)
    return _cut(f"{written.expression}\n{orjson.dumps(meanings, option=orjson.OPT_SORT_KEYS).decode()}")


def _cut(text: str) -> str:
    if len(text) <= TEXT_MAX:
        return text
    digest = blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{text[: TEXT_MAX - len(digest) - 1]}{_CUT}{digest}"


def whole(text: str) -> bool:
    """Whether a text says all of its condition."""
    return len(text) < TEXT_MAX or _CUT not in text


def shape(text: str) -> str:
    """Return a condition's text without its values, which is the same for requests that differ in these alone."""
    if not whole(text):
        return text
    expression, names, _ = maps(text)
    return _PLACEHOLDER.sub(lambda found: names.get(found[0], found[0]), expression)


def maps(text: str) -> tuple[str, dict[str, str], dict[str, AttributeValue]]:
    """Return the expression of a whole text, its names and its values, as a request would give them."""
    expression, _, rest = text.partition("\n")
    meanings: dict[str, Any] = orjson.loads(rest) if rest else {}
    names = {key: value for key, value in meanings.items() if key.startswith("#")}
    return expression, names, {key: value for key, value in meanings.items() if key.startswith(":")}


def show(text: str) -> str:
    """Write a condition's text for people: names and values in their places."""
    if not whole(text):
        return text.partition("\n")[0]
    expression, names, values = maps(text)
    shown = {key: name if _PLAIN.fullmatch(name) else f"`{name}`" for key, name in names.items()}
    shown.update((key, _show_value(value)) for key, value in values.items())
    return _PLACEHOLDER.sub(lambda found: shown.get(found[0], found[0]), expression)


def _show_value(value: AttributeValue) -> str:
    ((kind, content),) = value.items()
    if kind == "N":
        return str(content)
    return orjson.dumps(content if kind in ("S", "BOOL") else value).decode()
