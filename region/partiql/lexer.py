"""The words of PartiQL: text to tokens.

What: one regular expression splits a statement. Keywords are recognised in any case and are reserved: they name an
attribute only in double quotes. Strings stand in single quotes, doubled where they contain one.

Invariants: tokens appear in the order of the text, and the last is always the end. Whatever the text, the only error
is a :class:`ValidationError` that says that the statement is not well formed.

Source: AWS developer guide, "PartiQL - a SQL-compatible query language for Amazon DynamoDB"; the keywords are those
that DynamoDB Local refuses as attribute names without quotes.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from region.errors import ValidationError

NAME: Final = "name"
QUOTED: Final = "quoted"
STRING: Final = "string"
NUMBER: Final = "number"
ION: Final = "ion"
KEYWORD: Final = "keyword"
SYMBOL: Final = "symbol"
END: Final = "end"

_WORDS: Final = (
    "absolute action add all allocate alter and any are as asc assertion at authorization avg bag begin between "
    "bit blob bool boolean by cascade cascaded case cast catalog char char_length character character_length "
    "check clob close coalesce collate collation column commit conflict connect connection constraint constraints "
    "continue convert corresponding count create cross current cursor date date_add date_diff deallocate dec "
    "decimal declare default deferrable deferred delete desc describe descriptor diagnostics disconnect distinct "
    "do domain double drop else end escape except exception exec execute exists external extract false fetch "
    "first float for foreign found from full get global go goto grant group having identity immediate in index "
    "indicator initially inner input insensitive insert int integer intersect interval into is isolation join key "
    "language last left let level like limit list local lower match max min missing modified module names "
    "national natural nchar new next no not null nullif numeric octet_length of old on only open option or order "
    "outer output overlaps pad partial pivot position precision prepare preserve primary prior privileges "
    "procedure public read real references relative remove restrict returning revoke right rollback rows schema "
    "scroll section select session set sexp size smallint some space sql sqlcode sqlerror sqlstate string struct "
    "substring sum symbol table temporary then time timestamp to transaction translate translation trim true "
    "tuple union unique unknown unpivot update upper usage user using value values varchar varying view when "
    "whenever where with work write zone "
)
KEYWORDS: Final = frozenset(_WORDS.split())

_TOKEN: Final = re.compile(
    r"""(?:\s | --[^\n]* | /\*(?s:.*?)\*/)*(?:
        (?P<name>[A-Za-z_$][A-Za-z0-9_$]*)
      | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<string>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*")
      | (?P<ion>`[^`]*`)
      | (?P<symbol><<|>>|<=|>=|<>|!=|\|\||[=<>()\[\]{},.:;+*/%?@-])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)


class Token(NamedTuple):
    """One word: its kind, what it means (keywords in lower case, quotes taken off), and where it stands."""

    kind: str
    text: str
    start: int
    stop: int


def malformed(statement: str) -> ValidationError:
    """Return the error of a statement that does not follow the grammar."""
    return ValidationError(f"Statement wasn't well formed, can't be processed: {statement}")


def tokenise(statement: str) -> list[Token]:
    """Split a statement into tokens; the last one is the end.

    Raises:
        ValidationError: something in it is no token.
    """
    tokens: list[Token] = []
    position = 0
    while True:
        match = _TOKEN.match(statement, position)
        if match is None:
            raise malformed(statement)
        kind = match.lastgroup or END
        start, position = match.span(kind)
        tokens.append(_token(kind, match.group(kind), start, position))
        if kind == END:
            return tokens


def _token(kind: str, text: str, start: int, stop: int) -> Token:
    if kind == STRING:
        text = text[1:-1].replace("''", "'")
    elif kind == QUOTED:
        text = text[1:-1].replace('""', '"')
    elif kind == NAME and (lower := text.lower()) in KEYWORDS:
        kind, text = KEYWORD, lower
    return Token(kind, text, start, stop)


class Tokens:
    """A cursor over the tokens of one statement."""

    __slots__ = ("_position", "_tokens", "statement")

    def __init__(self, statement: str) -> None:
        self.statement = statement
        self._tokens = tokenise(statement)
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

    def at(self, *words: str) -> bool:
        """Whether these symbols or keywords come next, one after the other."""
        for ahead, word in enumerate(words):
            token = self._tokens[min(self._position + ahead, len(self._tokens) - 1)]
            if token.text != word or token.kind not in (SYMBOL, KEYWORD):
                return False
        return True

    def accept(self, *words: str) -> bool:
        """Step over these symbols or keywords if they come next, and say whether they did."""
        if not self.at(*words):
            return False
        self._position += len(words)
        return True

    def expect(self, *words: str) -> Token:
        """Step over these symbols or keywords and return the last of them, or raise."""
        if not self.accept(*words):
            raise self.malformed()
        return self._tokens[self._position - 1]

    def finish(self) -> None:
        """Raise unless the statement is used up; one semicolon may end it."""
        self.accept(";")
        if self.current.kind != END:
            raise self.malformed()

    def malformed(self) -> ValidationError:
        """Return the error of this statement when it does not follow the grammar."""
        return malformed(self.statement)
