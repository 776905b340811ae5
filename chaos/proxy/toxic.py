"""Toxics: what a proxy does to the bytes that pass, as values; read from and written as Toxiproxy's JSON.

What: a :class:`Toxic` is one line of a proxy's chain: its name, its kind with attributes, the stream it works on and
the share of connections that it hits. :func:`parse` and :func:`updated` read requests, :meth:`Toxic.shown` writes.

Invariants: a toxic is immutable; an update makes another one of the same name. Every attribute is an integer, absent
ones are 0, and attributes that a kind does not have are silently accepted, as the original accepts them.

Source: Toxiproxy 2.12's README, "Toxics", and the answers of a running server.
"""

from __future__ import annotations

import http
import json
from collections.abc import Container, Mapping
from typing import Any, Final, Literal

import msgspec

Direction = Literal["upstream", "downstream"]
"""Upstream is what the client sends, downstream what it receives."""

DIRECTIONS: Final[tuple[Direction, ...]] = ("upstream", "downstream")
INTEGERS: Final = range(-(2**63), 2**63)

ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "latency": ("latency", "jitter"),
    "bandwidth": ("rate",),
    "slow_close": ("delay",),
    "timeout": ("timeout",),
    "reset_peer": ("timeout",),
    "slicer": ("average_size", "size_variation", "delay"),
    "limit_data": ("bytes",),
}
"""The attributes of each kind. Milliseconds; ``rate`` in KB/s, sizes in bytes, the slicer's ``delay`` in µs."""

MEMBERS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "name": str,
    "type": str,
    "stream": str,
    "toxicity": (int, float),
}


class ApiError(Exception):
    """A refusal of the API: its words, and its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class Toxic(msgspec.Struct, frozen=True, kw_only=True):
    """One toxic of a proxy."""

    name: str
    kind: str
    stream: str
    """As the request spelled it; :attr:`direction` is what it means."""
    toxicity: float
    """The share of connections that it hits, from 0 to 1."""
    attributes: Mapping[str, int]

    @property
    def direction(self) -> Direction:
        """Which of a connection's two streams it works on."""
        return "upstream" if self.stream.lower() == "upstream" else "downstream"

    def shown(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "attributes": dict(self.attributes),
            "name": self.name,
            "type": self.kind,
            "stream": self.stream,
            "toxicity": int(self.toxicity) if self.toxicity.is_integer() else self.toxicity,
        }


def bad_body(reason: str) -> ApiError:
    """Return the refusal of a body that cannot be read."""
    return ApiError(f"bad request body: {reason}", http.HTTPStatus.BAD_REQUEST)


def missing(what: str) -> ApiError:
    """Return the refusal of a body that lacks something."""
    return ApiError(f"missing required field: {what}", http.HTTPStatus.BAD_REQUEST)


def first_value(body: bytes) -> Any:
    """Return the first JSON value of a body; what follows it is not looked at, as the original does not.

    Raises:
        ApiError: there is none.
    """
    text = ""
    try:
        text = body.decode().lstrip()
        if not text:
            raise bad_body("EOF")
        return json.JSONDecoder().raw_decode(text)[0]
    except json.JSONDecodeError as error:
        cut_short = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        raise bad_body("unexpected EOF" if cut_short else str(error)) from error
    except UnicodeDecodeError as error:
        raise bad_body(str(error)) from error


def table(value: Any, known: Mapping[str, type | tuple[type, ...]], what: str = "value") -> dict[str, Any]:
    """Return the known members of a JSON object, checked; names are matched whatever their case, null means absent.

    Raises:
        ApiError: it is no object, or a member has another type.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_body(f"json: cannot unmarshal {called(value)} into {what}")
    found: dict[str, Any] = {}
    for name, member in value.items():
        expected = known.get(name.lower())
        if expected is None or member is None:
            continue
        if not isinstance(member, expected) or (isinstance(member, bool) and expected is not bool):
            raise bad_body(f"json: cannot unmarshal {called(member)} into the field {name}")
        found[name.lower()] = member
    return found


def called(value: Any) -> str:
    """Return what the original calls a JSON value."""
    names = {dict: "object", list: "array", str: "string", bool: "bool"}
    return names.get(type(value), f"number {value}" if isinstance(value, float) else "number")


def parse(body: bytes, taken: Container[str]) -> Toxic:
    """Read the body of a request that adds a toxic to those whose names are ``taken``.

    Raises:
        ApiError: it is malformed, its stream or its kind does not exist, or its name is taken.
    """
    value = first_value(body)
    given = table(value, MEMBERS)
    stream, kind = given.get("stream", "downstream"), given.get("type", "")
    if stream.lower() not in DIRECTIONS:
        raise ApiError("stream was invalid, can be either upstream or downstream", http.HTTPStatus.BAD_REQUEST)
    if kind not in ATTRIBUTES:
        raise ApiError("invalid toxic type", http.HTTPStatus.BAD_REQUEST)
    name = given.get("name") or f"{kind}_{stream}"
    if name in taken:
        raise ApiError("toxic already exists", http.HTTPStatus.CONFLICT)
    return Toxic(
        name=name,
        kind=kind,
        stream=stream,
        toxicity=float(given.get("toxicity", 1)),
        attributes=_attributes(kind, value, {}),
    )


def updated(toxic: Toxic, body: bytes) -> Toxic:
    """Return a toxic with the attributes and the toxicity that a request changes; it can change nothing else.

    Raises:
        ApiError: the request is malformed.
    """
    value = first_value(body)
    given = table(value, {"toxicity": (int, float)})
    return msgspec.structs.replace(
        toxic,
        toxicity=float(given.get("toxicity", toxic.toxicity)),
        attributes=_attributes(toxic.kind, value, toxic.attributes),
    )


def _attributes(kind: str, value: Any, before: Mapping[str, int]) -> dict[str, int]:
    given = next((member for name, member in (value or {}).items() if name.lower() == "attributes"), None)
    changed = table(given, dict.fromkeys(ATTRIBUTES[kind], int), "attributes")
    for name, number in changed.items():
        if number not in INTEGERS:
            raise bad_body(f"json: cannot unmarshal number {number} into the field {name}")
    return {name: changed.get(name, before.get(name, 0)) for name in ATTRIBUTES[kind]}
