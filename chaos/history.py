"""The history of a run: what clients asked for and what they were told, one event a line, as JSON Lines.

What: an :class:`Event` is an invocation or its completion; a :class:`Recorder` appends events in memory, and to a file
where it is given one; :func:`read` reads a file back; :func:`operations` pairs invocations with completions. The format
is documented in ``docs/reference/history.md``.

An event names the items that it reads and writes as :class:`Access` values. Every write of a history carries a **tag**,
a text that no other write carries, stored in the item as attribute :data:`TAG`; a read names the tag that it found. So
a checker knows of every value who wrote it, which is what makes histories cheap to judge.

Invariants: indexes are dense and times never fall; a process has at most one operation open. ``fail`` means that there
was no effect, for certain; whatever is not certain is ``info``, and its process is never heard of again.

Hazards: ``key`` is a text made by :func:`key_text`, not the encoded key of the store. A history that was cut short by a
crash may end in half a line, which :func:`read` leaves out.

Source: K. Kingsbury, "Jepsen" (the four types of events, and processes); K. Kingsbury, P. Alvaro, "Elle: Inferring
Isolation Anomalies from Experimental Observations" (2020), for recoverable writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final, Literal, NamedTuple, Self

import msgspec

TAG: Final = "tag"
"""The attribute that holds the tag of the write that made an item what it is."""

Kind = Literal["invoke", "ok", "fail", "info"]
Action = Literal["r", "w", "d"]
"""What is done to one item: read, written (put or updated), deleted."""


class Access(msgspec.Struct, frozen=True, array_like=True):
    """One item that an operation touches: ``["r", "registers", "k1", "3-7"]``.

    The tag of a write or a deletion is its own (a deletion leaves none behind in the item). The tag of a read is that
    of the item found, ``None`` where there was no item, and in an invocation, where it is not known yet. All accesses
    of one operation happen at one instant, its reads before its writes.
    """

    action: Action
    table: str
    key: str
    tag: str | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a history.

    ``time_ns`` is read off one stopwatch for the whole run, ``value`` and ``result`` say in a workload's own words what
    was asked and answered. ``presented`` is the session token that the request carried, ``token`` the one that the
    answer did. ``intended_ns`` is when an open-loop generator meant to begin, where that is not ``time_ns``.
    """

    index: int
    time_ns: int
    process: int
    region: str
    type: Kind
    f: str
    workload: str = ""
    table: str = ""
    key: str = ""
    accesses: tuple[Access, ...] = ()
    value: Any = None
    result: Any = None
    error: str = ""
    presented: str = ""
    token: str = ""
    request_id: str = ""
    intended_ns: int = 0


class Operation(NamedTuple):
    """An invocation and what came of it; ``completion`` is ``None`` where the history ends before it.

    ``returned_ns`` is ``None`` where the outcome is unknown: the operation may take effect at any later time, or never.
    """

    invocation: Event
    completion: Event | None

    @property
    def outcome(self) -> Literal["ok", "fail", "info"]:
        """How it ended; what never ended is as unknown as ``info``."""
        if self.completion is None or self.completion.type == "invoke":
            return "info"
        return self.completion.type

    @property
    def invoked_ns(self) -> int:
        """When the client began."""
        return self.invocation.time_ns

    @property
    def returned_ns(self) -> int | None:
        """When the answer came, if a definite one did."""
        return None if self.completion is None or self.outcome == "info" else self.completion.time_ns

    @property
    def writes(self) -> list[Access]:
        """What it wrote or deleted, or may have; nothing where it failed."""
        if self.outcome == "fail":
            return []
        return [access for access in self.invocation.accesses if access.action != "r"]

    @property
    def reads(self) -> list[Access]:
        """What it is known to have read: a condition that failed reads, too."""
        if self.completion is None or self.outcome == "info":
            return []
        return [access for access in self.completion.accesses if access.action == "r"]


class Call:
    """An operation that is under way; exactly one of its three methods ends it."""

    __slots__ = ("_recorder", "invocation")

    def __init__(self, recorder: Recorder, invocation: Event) -> None:
        self._recorder = recorder
        self.invocation = invocation

    def ok(self, **fields: Any) -> Event:
        """It took effect. ``accesses`` are those of the invocation unless they are given."""
        return self._end("ok", fields)

    def fail(self, error: str, **fields: Any) -> Event:
        """It had no effect; ``accesses`` may name what a failed condition read."""
        return self._end("fail", {"error": error, "accesses": (), **fields})

    def info(self, error: str, **fields: Any) -> Event:
        """Nobody knows whether it took, or yet takes, effect."""
        return self._end("info", {"error": error, **fields})

    def _end(self, kind: Kind, fields: Mapping[str, Any]) -> Event:
        completion = self._recorder.append(self.invocation, kind, fields)
        if self._recorder.heard is not None:
            self._recorder.heard(self.invocation, completion)
        return completion


class Recorder:
    """Appends events. ``now_ns`` is the run's stopwatch; with ``path`` every event is also a line of that file.

    One recorder serves all workloads of a run, and gives out the numbers of their processes and of their tags.
    ``heard`` is told of every operation that has ended. Without ``keep`` nothing stays in :attr:`events`, for runs
    that are longer than memory. Where several runs write to the same regions, each needs tags that begin otherwise.
    """

    def __init__(
        self,
        now_ns: Callable[[], int],
        path: Path | None = None,
        *,
        heard: Callable[[Event, Event], None] | None = None,
        keep: bool = True,
        tags: str = "t",
    ) -> None:
        self.events: list[Event] = []
        self.now_ns = now_ns
        self.heard = heard
        self._keep = keep
        self._tags_begin = tags
        self._count = 0
        self._last_ns = 0
        self._file: IO[bytes] | None = None if path is None else path.open("wb")
        self._processes = 0
        self._tags = 0

    def process(self) -> int:
        """Return the number of a process that has not been heard of yet."""
        self._processes += 1
        return self._processes - 1

    def tag(self) -> str:
        """Return a tag that no other write carries."""
        self._tags += 1
        return f"{self._tags_begin}{self._tags}"

    def invoke(self, process: int, region: str, f: str, **fields: Any) -> Call:
        """Record that a client begins an operation."""
        first = Event(index=0, time_ns=0, process=process, region=region, type="invoke", f=f)
        return Call(self, self.append(first, "invoke", fields))

    def append(self, event: Event, kind: Kind, fields: Mapping[str, Any]) -> Event:
        """Record an event that is like another one but for its kind, its time and some fields."""
        self._last_ns = max(self._last_ns, self.now_ns())
        made = msgspec.structs.replace(event, index=self._count, time_ns=self._last_ns, type=kind, **fields)
        self._count += 1
        if self._keep:
            self.events.append(made)
        if self._file is not None:
            self._file.write(encode(made))
        return made

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """Return an event as a line, with its end."""
    return _ENCODER.encode(event) + b"\n"


def write(path: Path, events: Iterable[Event]) -> None:
    """Write a history to a file."""
    with path.open("wb") as file:
        file.writelines(encode(event) for event in events)


def read(path: Path) -> list[Event]:
    """Read a history from a file; half a last line, which a crash left, is no event.

    Raises:
        ValueError: a line is no event, or is not the one that should stand there; the message names it.
    """
    events: list[Event] = []
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        try:
            event = _DECODER.decode(line)
        except msgspec.DecodeError as error:
            raise ValueError(f"line {len(events) + 1} of {path} is no event: {error}") from error
        if event.index != len(events):
            raise ValueError(f"line {len(events) + 1} of {path} has index {event.index}, not {len(events)}")
        events.append(event)
    return events


def operations(events: Iterable[Event]) -> list[Operation]:
    """Pair every invocation with its completion, in the order of invocation.

    Raises:
        ValueError: a completion without an invocation, or a process with two operations open.
    """
    found: list[Operation] = []
    open_at: dict[int, int] = {}
    for event in events:
        position = open_at.pop(event.process, None)
        if event.type == "invoke":
            if position is not None:
                raise ValueError(f"process {event.process} begins event {event.index} with another operation open")
            open_at[event.process] = len(found)
            found.append(Operation(event, None))
        elif position is None:
            raise ValueError(f"event {event.index} ends what process {event.process} never began")
        else:
            found[position] = Operation(found[position].invocation, event)
    return found


def key_text(key: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text by which a history calls an item: its key attributes' contents, hash first, joined by ``/``."""
    return "/".join(_contents(key))


def _contents(key: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for attribute in key.values():
        (content,) = attribute.values()
        yield content.decode("latin-1") if isinstance(content, bytes) else str(content)
