"""Requests as they come in over a connection, and their parameters as a region takes them.

What: a :class:`Stream` is one client's side of a connection without the socket: bytes go in, :class:`Frame` comes out,
first the greeting, then requests, each a method and its arguments still in CBOR. :func:`parameters` turns the optional
ones into members of a DynamoDB request.

Invariants: a frame comes out when all of it is there, however it was cut; what is kept of an incomplete one is bounded.
After a :class:`MalformedError` or an :class:`UnknownMethodError` of a stream nothing more can be read from it: where
the next request begins is not known.

Source: the stubs of amazon-dax-client 2.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from atoll.dax import frames
from atoll.dax.expressions import Writer
from atoll.dax.frames import FRAME_BYTES_MAX, MalformedError, Scanner

GREETING: Final = 0
AUTHORIZE: Final = 1489122155
ENDPOINTS: Final = 455855874
DEFINE_KEY_SCHEMA: Final = -742646399
DEFINE_LIST: Final = 670678385
DEFINE_LIST_ID: Final = -1230579644
GET: Final = 263244906
PUT: Final = -2106490455
UPDATE: Final = 1425579023
DELETE: Final = 1013539361
BATCH_GET: Final = -697851100
BATCH_WRITE: Final = 116217951
QUERY: Final = -931250863
SCAN: Final = -1875390620
TRANSACT_GET: Final = 1866287579
TRANSACT_WRITE: Final = -1160037738

NAMES: Final = {
    GET: "GetItem",
    PUT: "PutItem",
    UPDATE: "UpdateItem",
    DELETE: "DeleteItem",
    BATCH_GET: "BatchGetItem",
    BATCH_WRITE: "BatchWriteItem",
    QUERY: "Query",
    SCAN: "Scan",
    TRANSACT_GET: "TransactGetItems",
    TRANSACT_WRITE: "TransactWriteItems",
}
"""The operations of the DynamoDB API that DAX has. Tables and all else are managed at the region."""
_ARGUMENTS: Final = {
    AUTHORIZE: 5,
    ENDPOINTS: 0,
    DEFINE_KEY_SCHEMA: 1,
    DEFINE_LIST: 1,
    DEFINE_LIST_ID: 1,
    GET: 3,
    PUT: 4,
    UPDATE: 3,
    DELETE: 3,
    BATCH_GET: 2,
    BATCH_WRITE: 2,
    QUERY: 3,
    SCAN: 2,
    TRANSACT_GET: 4,
    TRANSACT_WRITE: 9,
}
_MAGIC: Final = "J7yne5G"
_DAX: Final = 1
"""The one service of the protocol that clients use."""
_GREETING_ITEMS: Final = 5
_HEAD_ITEMS: Final = 2
_ALIKE_BYTES_MAX: Final = 512
_ALIKE_MAX: Final = 8192
"""How long requests are that are remembered with what they mean, and how many."""

PROJECTION, CONSISTENT, CAPACITY, METRICS = 0, 2, 3, 6
CONDITION, RETURN_VALUES, UPDATE_EXPRESSION, START_KEY, FILTER = 4, 7, 8, 9, 10
INDEX, LIMIT, FORWARD, SELECT, SEGMENT, SEGMENTS, TOKEN = 11, 13, 14, 15, 16, 17, 19

_CAPACITIES: Final = {0: "NONE", 1: "TOTAL", 2: "INDEXES"}
_METRICS: Final = {0: "NONE", 1: "SIZE"}
_SELECTS: Final = {1: "ALL_ATTRIBUTES", 2: "ALL_PROJECTED_ATTRIBUTES", 3: "COUNT", 4: "SPECIFIC_ATTRIBUTES"}
_RETURN_VALUES: Final = {1: "NONE", 2: "ALL_OLD", 3: "UPDATED_OLD", 4: "ALL_NEW", 5: "UPDATED_NEW"}
_CHOICES: Final = {
    CAPACITY: ("ReturnConsumedCapacity", _CAPACITIES),
    METRICS: ("ReturnItemCollectionMetrics", _METRICS),
    SELECT: ("Select", _SELECTS),
    RETURN_VALUES: ("ReturnValues", _RETURN_VALUES),
}
_NUMBERS: Final = {LIMIT: "Limit", SEGMENT: "Segment", SEGMENTS: "TotalSegments"}
_SWITCHES: Final = {CONSISTENT: "ConsistentRead", FORWARD: "ScanIndexForward"}
_TEXTS: Final = {INDEX: "IndexName", TOKEN: "ClientRequestToken"}


def arguments_of(method: int) -> int:
    """Return how many arguments a method has."""
    return _ARGUMENTS[method]


class UnknownMethodError(Exception):
    """A client asked for a method that DAX has for itself, for tables, or not at all."""


Arguments = tuple[bytes, ...]
"""The arguments of a request, each still in CBOR."""


class Frame(NamedTuple):
    """One request: its method, :data:`GREETING` for the greeting, and its arguments in CBOR."""

    method: int
    arguments: Arguments


class Stream:
    """What one client sends; ``greeted`` where its greeting was taken elsewhere."""

    __slots__ = ("_alike", "_buffer", "_greeted", "_items", "_method", "_scanner", "_wanted")

    def __init__(self, *, greeted: bool = False) -> None:
        self._buffer = bytearray()
        self._alike: Frame | None = None
        self._greeted = greeted
        self._scanner = Scanner()
        self._items: list[int] = []
        self._wanted = _HEAD_ITEMS if greeted else _GREETING_ITEMS
        self._method = GREETING

    @property
    def waiting_bytes(self) -> int:
        """How much has come in that was not taken yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take what has come in. Most often that is one whole request, and one that came before."""
        if self._greeted and not self._buffer and self._alike is None and len(data) <= _ALIKE_BYTES_MAX:
            self._alike = _request_of(data)
            if self._alike is not None:
                return
        self.take(data)

    def take(self, data: bytes) -> None:
        """Take what has come in, without a look at what came before."""
        self._buffer += data

    def next(self) -> Frame | None:
        """Return the next request, ``None`` where it is not complete.

        Raises:
            MalformedError: there is none.
            UnknownMethodError: it is of a method that is not known.
        """
        alike, self._alike = self._alike, None
        if alike is not None:
            return alike
        data = self._buffer
        scanner = self._scanner
        while len(self._items) < self._wanted:
            if not scanner.item(data):
                if scanner.position > FRAME_BYTES_MAX or len(data) > 2 * FRAME_BYTES_MAX:
                    raise MalformedError(f"a request of more than {FRAME_BYTES_MAX} bytes")
                return None
            self._items.append(scanner.position)
            if not self._greeted and len(self._items) == 1 and frames.decode(bytes(data[: scanner.position])) != _MAGIC:
                raise MalformedError("a greeting that is none of a DAX client")
            if self._greeted and len(self._items) == _HEAD_ITEMS:
                self._wanted = _HEAD_ITEMS + self._head()
            scanner = self._scanner = Scanner(scanner.position)
        ends = self._items
        begins = (0, *ends[:-1])
        pieces = tuple([bytes(data[begin:end]) for begin, end in zip(begins, ends, strict=True)])
        del data[: ends[-1]]
        method = self._method
        self._scanner, self._items, self._wanted = Scanner(), [], _HEAD_ITEMS
        if self._greeted:
            return Frame(method, pieces[_HEAD_ITEMS:])
        self._greeted = True
        return Frame(GREETING, pieces)

    def _head(self) -> int:
        """Read which method it is; return how many arguments it has."""
        first, second = self._items
        head = frames.decode(bytes(self._buffer[:first])), frames.decode(bytes(self._buffer[first:second]))
        if head[0] != _DAX or not isinstance(head[1], int):
            raise MalformedError("a request of no method")
        self._method = head[1]
        arguments = _ARGUMENTS.get(self._method)
        if arguments is None:
            raise UnknownMethodError(
                f"This is no operation of DAX (method {self._method}). DAX has {', '.join(NAMES.values())}; "
                "tables are managed with a DynamoDB client at the region itself."
            )
        return arguments


@lru_cache(_ALIKE_MAX)
def _request_of(data: bytes) -> Frame | None:
    """Return the request that bytes are, ``None`` where they are not exactly one."""
    stream = Stream(greeted=True)
    stream.take(data)
    try:
        frame = stream.next()
    except (MalformedError, UnknownMethodError):
        return None
    return None if stream.waiting_bytes else frame


def options(encoded: bytes) -> dict[int, Any]:
    """Return the optional parameters of a request by their numbers.

    Raises:
        MalformedError: they are none.
    """
    decoded = frames.decode(encoded)
    if decoded is None:
        return {}
    if not isinstance(decoded, dict):
        raise MalformedError("parameters that are no map")
    return decoded


def parameters(given: Mapping[int, Any], writer: Writer) -> dict[str, Any]:
    """Return the members of a DynamoDB request that optional parameters mean; keys and projections are left out.

    Raises:
        MalformedError: one has a value that makes no sense.
    """
    body: dict[str, Any] = {}
    for number, value in given.items():
        if number in _CHOICES:
            name, choices = _CHOICES[number]
            body[name] = _chosen(name, choices, value)
        elif number in _NUMBERS:
            body[_NUMBERS[number]] = _whole(value)
        elif number in _SWITCHES:
            body[_SWITCHES[number]] = bool(value)
        elif number in _TEXTS:
            body[_TEXTS[number]] = text(value)
    if CONDITION in given:
        body["ConditionExpression"] = writer.condition(given[CONDITION])
    if FILTER in given:
        body["FilterExpression"] = writer.condition(given[FILTER])
    if UPDATE_EXPRESSION in given:
        body["UpdateExpression"] = writer.update(given[UPDATE_EXPRESSION])
    return body


def text(value: Any) -> str:
    """Return a name, which comes as text or as its bytes.

    Raises:
        MalformedError: it is neither.
    """
    try:
        return value if isinstance(value, str) else bytes(value).decode() if isinstance(value, bytes) else _no_text()
    except UnicodeDecodeError as error:
        raise MalformedError("a name that is no text") from error


def _no_text() -> str:
    raise MalformedError("a name that is no text")


def _chosen(name: str, choices: dict[int, str], value: Any) -> str:
    if not isinstance(value, int) or value not in choices:
        raise MalformedError(f"{name} {value!r}")
    return choices[value]


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedError("a number that is not whole")
    return value
