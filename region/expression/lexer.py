"""The words of the expression language: text to tokens, and AWS's sentence for a token that does not fit.

What: one regular expression splits the text. Letters begin names, ``#`` and ``:`` begin placeholders; a character that
belongs to nothing becomes a token of its own, which no rule of the grammar accepts.

Invariants: tokens appear in the order of the text, and the last is always the end of the text. Keywords are recognised
in any case; functions and everything else are case-sensitive.

Source: AWS developer guide, "Expressions"; wording and the rule for ``near`` (the token and its neighbours, as they
stand in the text) as DynamoDB Local sends them.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, NoReturn

from region.errors import ValidationError
from region.model import limits

NAME: Final = "name"
ALIAS: Final = "alias"
PARAMETER: Final = "parameter"
INDEX: Final = "index"
KEYWORD: Final = "keyword"
SYMBOL: Final = "symbol"
OTHER: Final = "other"
END: Final = "end"

KEYWORDS: Final = frozenset(("SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "BETWEEN", "IN"))

_TOKEN: Final = re.compile(
    r"""[ \t\r\n]*(?:
        (?P<name>[A-Za-z][A-Za-z0-9_]*)
      | (?P<alias>\#[A-Za-z0-9_]+)
      | (?P<parameter>:[A-Za-z0-9_]+)
      | (?P<index>0|[1-9][0-9]*)
      | (?P<symbol><=|>=|<>|[=<>()\[\].,+-])
      | (?P<other>[^ \t\r\n])
    )""",
    re.VERBOSE,
)


class Token(NamedTuple):
    """One word: its kind, what the grammar compares (keywords in capitals), and where it stands in the text."""

    kind: str
    text: str
    start: int
    stop: int


def tokenise(text: str) -> list[Token]:
    """Split ``text`` into tokens; the last one is the end."""
    tokens: list[Token] = []
    position = 0
    while match := _TOKEN.match(text, position):
        kind = match.lastgroup or OTHER
        start, position = match.span(kind)
        word = match.group(kind)
        if kind == NAME and (capitals := word.upper()) in KEYWORDS:
            kind, word = KEYWORD, capitals
        tokens.append(Token(kind, word, start, position))
    tokens.append(Token(END, "<EOF>", len(text), len(text)))
    return tokens


def prefix(parameter: str) -> str:
    """Return how a complaint about an expression begins: ``Invalid ConditionExpression: ``."""
    return f"Invalid {parameter}: "


class Tokens:
    """A cursor over the tokens of one expression."""

    __slots__ = ("_position", "_text", "_tokens", "parameter")

    def __init__(self, text: str, parameter: str) -> None:
        self.parameter = parameter
        if not text:
            raise ValidationError(f"{prefix(parameter)}The expression can not be empty;")
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if size > limits.EXPRESSION_BYTES_MAX:
            raise ValidationError(
                f"{prefix(parameter)}Expression size has exceeded the maximum allowed size; expression size: {size}"
            )
        self._text = text
        self._tokens = tokenise(text)
        self._position = 0

    @property
    def current(self) -> Token:
        """The token under the cursor."""
        return self._tokens[self._position]

    @property
    def following(self) -> Token:
        """The token after the current one, or the end."""
        return self._tokens[min(self._position + 1, len(self._tokens) - 1)]

    def advance(self) -> Token:
        """Step over the current token and return it."""
        token = self._tokens[self._position]
        if token.kind != END:
            self._position += 1
        return token

    def at(self, word: str) -> bool:
        """Whether the current token is this symbol or keyword."""
        token = self._tokens[self._position]
        return token.text == word and (token.kind in (SYMBOL, KEYWORD))

    def accept(self, word: str) -> bool:
        """Step over this symbol or keyword if it is the current token, and say whether it was."""
        if self.at(word):
            self._position += 1
            return True
        return False

    def expect(self, word: str) -> None:
        """Step over this symbol or keyword, or raise the syntax error."""
        if not self.accept(word):
            self.fail()

    def finish(self) -> None:
        """Raise unless the text is used up."""
        if self.current.kind != END:
            self.fail()

    def refuse_redundant(self, parentheses: int) -> None:
        """Raise if so many pairs of parentheses, one directly in the other, were closed just now."""
        if parentheses > 1:
            raise ValidationError(f"{prefix(self.parameter)}The expression has redundant parentheses;")

    def fail(self) -> NoReturn:
        """Raise AWS's syntax error at the current token."""
        token = self.current
        start = self._tokens[self._position - 1].start if self._position else 0
        near = self._text[start : self.following.stop]
        word = token.text if token.kind == END else self._text[token.start : token.stop]
        raise ValidationError(f'{prefix(self.parameter)}Syntax error; token: "{word}", near: "{near}"')
