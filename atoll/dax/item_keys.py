"""Primary keys as DAX sends them: bytes that name an item, and what they mean.

What: a key without a sort key is the partition key alone: raw bytes of text or binary, or a number in CBOR. With one it
is the partition key in CBOR, and behind it the raw bytes of the sort key, a number as :mod:`~atoll.dax.lex_decimal`.

Invariant: one item has one key here. Clients write equal numbers differently; :meth:`KeySchema.canonical` makes them
one.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from functools import lru_cache
from typing import Any, Final, NamedTuple

from atoll.dax import frames, lex_decimal, values
from atoll.dax.frames import MalformedError, Scanner
from region.errors import DynamoError
from region.model import numbers
from region.model.values import AttributeValue, Item

KEYS_REMEMBERED: Final = 16_384
_RAW: Final = (("S",), ("B",))
"""Schemas whose keys have one form only."""


class KeySchema(NamedTuple):
    """Names and types of a table's key attributes, the partition key first."""

    names: tuple[str, ...]
    types: tuple[str, ...]

    def pack(self, item: Item) -> bytes:
        """Return the key of an item in DynamoDB JSON, whose numbers are canonical.

        Raises:
            MalformedError: the item lacks a key attribute, or has one of another type.
        """
        try:
            contents = [item[name][kind] for name, kind in zip(self.names, self.types, strict=True)]
        except KeyError as error:
            raise MalformedError(f"an item without its key attribute {error}") from None
        if len(contents) == 1:
            return _raw(self.types[0], contents[0], frames.encode)
        return frames.encode(values.to_cbor({self.types[0]: contents[0]})) + _raw(
            self.types[1], contents[1], lambda _: lex_decimal.encode(contents[1])
        )

    def unpack(self, packed: bytes) -> Item:
        """Return the key attributes that bytes mean, in DynamoDB JSON with canonical numbers.

        Raises:
            MalformedError: they are no key of this schema.
        """
        try:
            return _unpack(self, packed)
        except DynamoError as error:
            raise MalformedError(f"a key with a number that is none ({error.message})") from error

    def canonical(self, packed: bytes) -> bytes:
        """Return the one form of a key that a client has sent.

        Raises:
            MalformedError: it is no key of this schema.
        """
        if self.types in _RAW:
            return packed
        return _canonical(self, packed)

    def key_of(self, item: Item) -> Item:
        """Return an item's key attributes alone."""
        return {name: item[name] for name in self.names}


def _raw(kind: str, content: str, of_number: Any) -> bytes:
    if kind == "S":
        return content.encode()
    return b64decode(content) if kind == "B" else bytes(of_number(values.from_number(content)))


@lru_cache(KEYS_REMEMBERED)
def _canonical(schema: KeySchema, packed: bytes) -> bytes:
    return schema.pack(schema.unpack(packed))


def _unpack(schema: KeySchema, packed: bytes) -> Item:
    first, second = schema.types[0], schema.types[1:]
    if not second:
        if first == "N":
            return {schema.names[0]: _partition(first, packed)}
        return {schema.names[0]: _sort(first, packed)}
    scanner = Scanner()
    if not scanner.item(packed):
        raise MalformedError("a key that is not complete")
    return {
        schema.names[0]: _partition(first, packed[: scanner.position]),
        schema.names[1]: _sort(second[0], packed[scanner.position :]),
    }


def _partition(kind: str, encoded: bytes) -> AttributeValue:
    value = values.to_json(frames.decode(encoded))
    if kind not in value:
        raise MalformedError(f"a partition key that is no {kind}")
    return {"N": numbers.canonical(value["N"])} if kind == "N" else value


def _sort(kind: str, raw: bytes) -> AttributeValue:
    if kind == "B":
        return {"B": b64encode(raw).decode()}
    if kind == "N":
        return {"N": lex_decimal.decode(raw)}
    try:
        return {"S": raw.decode()}
    except UnicodeDecodeError as error:
        raise MalformedError("a key that is no text") from error
