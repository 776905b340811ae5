"""Patterns of the policy language: wildcards, variables, and how a text is matched.

What: ``*`` stands for any text, ``?`` for one character, ``${key}`` for the value of a condition key, ``${key,
'text'}`` for that or a default, and ``${*}``, ``${?}``, ``${$}`` for these characters themselves. A pattern is parsed
once; its variables are resolved with each request.

Invariants: the value of a variable is taken as it is: a ``*`` in a user's name is no wildcard. A variable without a
value, or with several, leaves the pattern unresolved, which matches nothing. Matching takes at most the product of
both lengths, whatever the pattern.

Source: AWS IAM user guide, "IAM policy elements: Variables and tags", "IAM JSON policy elements: Resource".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, NamedTuple

Lookup = Callable[[str], tuple[str, ...] | None]
"""Returns the values of a condition key, whose name is in lower case; ``None`` where the request has none."""

COLON: Final = ":"
ARN_PARTS: Final = 6
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_DEFAULT: Final = re.compile(r"\s*([^,\s]+)\s*,\s*'([^']*)'\s*")
_ESCAPED: Final = ("*", "?", "$")


class Wild(Enum):
    """A wildcard."""

    MANY = "*"
    ONE = "?"


_WILD: Final[dict[str, str | Wild]] = {wild.value: wild for wild in Wild}


class Variable(NamedTuple):
    """A condition key whose value stands here, and what stands here without one."""

    key: str
    default: str | None = None


Text = tuple[str | Wild, ...]
"""A pattern without variables."""
Pattern = tuple[str | Wild | Variable, ...]


def nothing(_: str) -> tuple[str, ...] | None:
    """Know no condition key: the lookup of a request about which nothing is known."""
    return None


def parse(text: str, *, wildcards: bool = True, variables: bool = True) -> Pattern:
    """Return the pattern of a text; without ``wildcards`` or ``variables`` these stand for themselves."""
    if not variables or "${" not in text:
        return plain(text, wildcards=wildcards)
    parts: list[str | Wild | Variable] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        parts += plain(text[end : match.start()], wildcards=wildcards)
        end = match.end()
        inner = match[1]
        if inner in _ESCAPED:
            parts.append(inner)
        elif default := _DEFAULT.fullmatch(inner):
            parts.append(Variable(default[1].lower(), default[2]))
        else:
            parts.append(Variable(inner.strip().lower()))
    parts += plain(text[end:], wildcards=wildcards)
    return tuple(parts)


def plain(text: str, *, wildcards: bool = True) -> Text:
    """Return the pattern of a text that has no variables."""
    if not wildcards or ("*" not in text and "?" not in text):
        return (text,) if text else ()
    pieces = re.split(r"([*?])", text)
    return tuple([_WILD.get(piece, piece) for piece in pieces if piece])


def resolve(pattern: Pattern, lookup: Lookup) -> Text | None:
    """Return the pattern with the values of its variables, or ``None`` where one has no single value."""
    parts: list[str | Wild] = []
    for part in pattern:
        if not isinstance(part, Variable):
            parts.append(part)
            continue
        values = lookup(part.key)
        if values is not None and len(values) == 1:
            parts.append(values[0])
        elif part.default is not None and not values:
            parts.append(part.default)
        else:
            return None
    return tuple(parts)


def matches(pattern: Text, text: str) -> bool:
    """Whether the pattern stands for the whole text."""
    if not pattern:
        return not text
    if len(pattern) == 1:
        only = pattern[0]
        return text == only if isinstance(only, str) else only is Wild.MANY or len(text) == 1
    segments = _segments(pattern)
    if len(segments) == 1:
        return _at(segments[0], text, 0) == len(text)
    position = _at(segments[0], text, 0)
    if position < 0:
        return False
    for segment in segments[1:-1]:
        position = _find(segment, text, position)
        if position < 0:
            return False
    last = segments[-1]
    start = len(text) - sum(len(part) if isinstance(part, str) else 1 for part in last)
    return start >= position and _at(last, text, start) >= 0


def matches_arn(pattern: Text, arn: str) -> bool:
    """Whether the pattern stands for an ARN, each of the six parts for itself; parts that it lacks are any."""
    given = arn.split(COLON, ARN_PARTS - 1)
    if len(given) < ARN_PARTS:
        return False
    wanted = split_arn(pattern)
    wanted += [(Wild.MANY,)] * (ARN_PARTS - len(wanted))
    return all(matches(part, text) for part, text in zip(wanted, given, strict=True))


def split_arn(pattern: Sequence[str | Wild]) -> list[Text]:
    """Return the parts of an ARN's pattern, which are six at most: the last one may hold colons."""
    parts: list[list[str | Wild]] = [[]]
    for piece in pattern:
        if isinstance(piece, Wild):
            parts[-1].append(piece)
            continue
        for number, text in enumerate(piece.split(COLON, ARN_PARTS - len(parts))):
            if number:
                parts.append([])
            if text:
                parts[-1].append(text)
    return [tuple(part) for part in parts]


def _segments(pattern: Text) -> list[list[str | Wild]]:
    """Return what stands between the ``*`` of a pattern."""
    segments: list[list[str | Wild]] = [[]]
    for part in pattern:
        if part is Wild.MANY:
            segments.append([])
        else:
            segments[-1].append(part)
    return segments


def _at(segment: Sequence[str | Wild], text: str, position: int) -> int:
    """Return where a segment that begins at a position ends, or -1 where it is not there."""
    for part in segment:
        if isinstance(part, str):
            if not text.startswith(part, position):
                return -1
            position += len(part)
        else:
            position += 1
            if position > len(text):
                return -1
    return position


def _find(segment: Sequence[str | Wild], text: str, position: int) -> int:
    """Return where the first occurrence of a segment from a position on ends, or -1."""
    while position <= len(text):
        end = _at(segment, text, position)
        if end >= 0:
            return end
        position += 1
    return -1
