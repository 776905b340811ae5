"""What differs between two answers to one request, in words that explanations can be matched against.

Normalised first, since they say nothing: the order of sets and of unordered answers, the spelling of numbers (both
sides answer with the same value), identifiers, account numbers and timestamps.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from oracle_connection import Reply

ACCOUNT: Final = re.compile(r"arn:aws:dynamodb:[^:]*:\d{12}:")
LABEL: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+")
SETS: Final = frozenset({"SS", "NS", "BS"})
ONES_OWN: Final = frozenset(
    {
        "TableId",
        "CreationDateTime",
        "LastUpdateToPayPerRequestDateTime",
        "LastIncreaseDateTime",
        "LastDecreaseDateTime",
    }
)
UNORDERED: Final = frozenset(
    {
        "AttributeDefinitions",
        "GlobalSecondaryIndexes",
        "LocalSecondaryIndexes",
        "Tags",
        "NonKeyAttributes",
        "PutItems",
    }
)
ABSENT: Final = object()


class Difference(NamedTuple):
    """One difference between our answer and the oracle's, each as text."""

    operation: str
    ours: str
    oracle: str


def text(value: Any) -> str:
    """Return a value as JSON that is equal when the values are."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def differences(operation: str, ours: Reply, oracle: Reply) -> list[Difference]:
    """Return how two answers differ; empty when they say the same."""
    if ours.error or oracle.error:
        said, expected = _outcome(ours), _outcome(oracle)
        if said != expected:
            return [Difference(operation, said, expected)]
    found: list[Difference] = []
    _compare(operation, "", normalised(ours.body), normalised(oracle.body), found)
    return found


def normalised(value: Any, name: str = "") -> Any:
    """Return a value without what may differ between two answers that say the same."""
    if isinstance(value, dict):
        if len(value) == 1:
            kind, content = next(iter(value.items()))
            if kind == "N" and isinstance(content, str):
                return {"N": _number(content)}
            if kind in SETS and isinstance(content, list):
                return {kind: sorted(map(_number, content) if kind == "NS" else content)}
        return {key: normalised(content, key) for key, content in value.items() if key not in ONES_OWN}
    if isinstance(value, list):
        members = [normalised(member) for member in value]
        return sorted(members, key=text) if name in UNORDERED else members
    if isinstance(value, str) and value.startswith("arn:"):
        return LABEL.sub("LABEL", ACCOUNT.sub("arn:aws:dynamodb:REGION:ACCOUNT:", value))
    if name == "LatestStreamLabel":
        return "LABEL"
    return value


def _outcome(reply: Reply) -> str:
    if not reply.error:
        return "an answer"
    message = LABEL.sub("LABEL", ACCOUNT.sub("arn:aws:dynamodb:REGION:ACCOUNT:", reply.message))
    return f"{reply.error}: {message}"


def _compare(operation: str, path: str, ours: Any, oracle: Any, found: list[Difference]) -> None:
    """Collect the members in which two normalised answers differ, each by its path from the top."""
    if ours == oracle:
        return
    if isinstance(ours, dict) and isinstance(oracle, dict):
        for name in sorted(ours.keys() | oracle.keys()):
            inner = f"{path}.{name}" if path else name
            _compare(operation, inner, ours.get(name, ABSENT), oracle.get(name, ABSENT), found)
    elif isinstance(ours, list) and isinstance(oracle, list) and len(ours) == len(oracle):
        for our_member, oracle_member in zip(ours, oracle, strict=True):
            _compare(operation, f"{path}[]", our_member, oracle_member, found)
    else:
        found.append(Difference(operation, f"{path} = {_member(ours)}", f"{path} = {_member(oracle)}"))


def _member(value: Any) -> str:
    return "nothing" if value is ABSENT else text(value)


def _number(spelling: str) -> str:
    try:
        return str(Decimal(spelling).normalize())
    except InvalidOperation:
        return spelling
