"""Histories in the formats of other people's checkers: Jepsen's Elle, and linearizability checkers such as Porcupine.

What: :func:`elle_registers` and :func:`elle_lists` write EDN, one map a line, as elle-cli and Jepsen's ``history.edn``
have it, for the models ``rw-register`` and ``list-append``. :func:`porcupine` writes JSON Lines of operations with the
times of their calls and returns.

Invariants: an export invents nothing and leaves nothing out but what is said here. ``fail`` stays ``:fail``, ``info``
stays ``:info``; an unknown outcome returns at the end of time in Porcupine's form, which is how such checkers treat it.

Hazards: regions are separate registers until they have converged, so a checker of one object must be given one region's
events (``region``). Elle's registers know no deletion: keys that were deleted are left out of them.

Source: https://github.com/jepsen-io/elle; https://github.com/ligurio/elle-cli; A. Athalye, "Porcupine" (2017).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from chaos.history import Access, Event, Operation, operations

NEVER_NS: Final = (1 << 63) - 1
"""The return of an operation whose outcome is unknown: the greatest time that a 64-bit integer holds."""


def elle_registers(events: Iterable[Event], region: str | None = None) -> Iterator[str]:
    """Iterate over a history as transactions of reads and writes of registers (Elle's ``rw-register``)."""
    chosen = [event for event in events if region in {None, event.region} and event.accesses]
    deleted = {(it.table, it.key) for event in chosen for it in event.accesses if it.action == "d"}
    for event in chosen:
        steps = [
            [Keyword(it.action), f"{it.table}/{it.key}", None if _unknown(event, it) else it.tag]
            for it in event.accesses
            if (it.table, it.key) not in deleted
        ]
        if steps:
            yield _line(event, steps)


def _unknown(event: Event, access: Access) -> bool:
    return event.type == "invoke" and access.action == "r"


def elle_lists(events: Iterable[Event], region: str | None = None) -> Iterator[str]:
    """Iterate over a history's lists (workload ``sets``) as appends and reads (Elle's ``list-append``).

    An append is an event ``append`` whose ``value`` is the element; a read is an event ``read-list`` whose ``result``
    is the list.
    """
    for event in events:
        name = f"{event.table}/{event.key}"
        if region not in {None, event.region}:
            continue
        if event.f == "append":
            yield _line(event, [[Keyword("append"), name, event.value]])
        elif event.f == "read-list":
            yield _line(event, [[Keyword("r"), name, event.result if event.type == "ok" else None]])


def porcupine(events: Iterable[Event], region: str) -> Iterator[str]:
    """Iterate over one region's operations on single items as JSON objects, in the order of their calls.

    ``{"clientId", "key", "call", "return", "input": {"op", "tag"}, "output": {"ok", "tag"}}``: ``op`` is ``read``,
    ``write`` or ``delete``; ``output.tag`` is there where the item was read, by a write's condition too, and is null
    where there was no item; ``output.ok`` is null where the outcome is unknown. What failed without having read
    anything is left out: it says nothing. A condition that failed is a read of what it found.
    """
    for operation in operations(events):
        event = operation.invocation
        if event.region == region and len({(it.table, it.key) for it in event.accesses}) == 1:
            described = _porcupine(operation)
            if described is not None:
                yield msgspec.json.encode(described).decode()


def _porcupine(operation: Operation) -> dict[str, Any] | None:
    event, outcome = operation.invocation, operation.outcome
    writes = [it for it in event.accesses if it.action != "r"]
    if not operation.reads and (outcome == "fail" or not writes):
        return None
    asked: dict[str, Any] = {"op": "read"}
    if writes and outcome != "fail":
        asked = {"op": "delete" if writes[0].action == "d" else "write", "tag": writes[0].tag}
    return {
        "clientId": event.process,
        "key": f"{event.accesses[0].table}/{event.accesses[0].key}",
        "call": operation.invoked_ns,
        "return": NEVER_NS if operation.returned_ns is None else operation.returned_ns,
        "input": asked,
        "output": {"ok": None if outcome == "info" else outcome == "ok", **_seen(operation.reads)},
    }


def _seen(reads: list[Access]) -> dict[str, str | None]:
    return {"tag": reads[0].tag} if reads else {}


class Keyword(str):
    """A text that EDN writes as ``:text``."""

    __slots__ = ()


def _line(event: Event, steps: list[list[Any]]) -> str:
    return edn(
        {
            Keyword("index"): event.index,
            Keyword("time"): event.time_ns,
            Keyword("process"): event.process,
            Keyword("type"): Keyword(event.type),
            Keyword("f"): Keyword("txn"),
            Keyword("value"): steps,
        }
    )


def edn(value: Any) -> str:
    """Return a value of JSON's kinds, or a :class:`Keyword`, as EDN on one line."""
    if isinstance(value, Keyword):
        return f":{value}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{edn(name)} {edn(content)}" for name, content in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(edn, value)) + "]"
    if value is None:
        return "nil"
    # Of texts, numbers and truth values, EDN's form is JSON's.
    return msgspec.json.encode(value).decode()
