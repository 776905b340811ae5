"""What reads and writes share: the region, the two caches, the attribute lists, and names and keys out of arguments."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

from atoll.dax import frames, requests
from atoll.dax.cache import Cache
from atoll.dax.expressions import Path, Writer
from atoll.dax.expressions import paths as paths_of
from atoll.dax.frames import MalformedError
from atoll.dax.item_keys import KeySchema
from atoll.dax.upstream import Upstream
from atoll.dax.values import AttributeLists
from region.errors import ValidationError
from region.expression.paths import plant

KEYS: Final = "Keys"


class Shared(NamedTuple):
    """The parts of one accelerator."""

    upstream: Upstream
    items: Cache
    queries: Cache
    lists: AttributeLists

    async def schema(self, table: str) -> KeySchema:
        """Return a table's key schema; what is held of another table of that name is given up.

        Raises:
            RegionError, UnansweredError: the region does not say.
        """
        known, another = await self.upstream.table(table)
        if another:
            self.items.drop_table(table)
            self.queries.drop_table(table)
        return known.schema

    def forget(self) -> None:
        """Hold nothing, and believe nothing about tables."""
        self.upstream.forget()
        self.items.clear()
        self.queries.clear()


@lru_cache(4096)
def name(encoded: bytes) -> str:
    """Return a name, such as a table's, that is an argument.

    Raises:
        MalformedError: it is none.
    """
    return requests.text(frames.decode(encoded))


def binary(encoded: bytes) -> bytes:
    """Return the bytes that an argument holds.

    Raises:
        MalformedError: it holds something else.
    """
    value = frames.decode(encoded)
    if not isinstance(value, bytes):
        raise MalformedError("an argument that is no byte string")
    return value


def listed(encoded: bytes) -> list[Any]:
    """Return the list that an argument holds.

    Raises:
        MalformedError: it holds something else.
    """
    value = frames.decode(encoded)
    if not isinstance(value, list):
        raise MalformedError("an argument that is no list")
    return value


def mapped(encoded: bytes) -> dict[str, list[Any]]:
    """Return the map of lists by table that an argument holds.

    Raises:
        MalformedError: it holds something else.
    """
    value = frames.decode(encoded)
    if not isinstance(value, dict) or not all(
        isinstance(table, str) and isinstance(each, list) for table, each in value.items()
    ):
        raise MalformedError("an argument that is no map by tables")
    return value


def projection(encoded: bytes | None) -> list[Path] | None:
    """Return the paths of a projection, ``None`` for none.

    Raises:
        MalformedError: it is none.
        ValidationError: two paths overlap, in AWS's words.
    """
    if encoded is None:
        return None
    wanted = paths_of(encoded)
    if not wanted:
        raise ValidationError("Invalid ProjectionExpression: The expression can not be empty;")
    plant(wanted, "Invalid ProjectionExpression: ")
    return wanted


def projected(body: dict[str, Any], wanted: list[Path], writer: Writer) -> None:
    """Ask for some paths: an attribute that is entered by index as a whole, whose elements would close ranks."""
    indexed = {path[0] for path in wanted if any(isinstance(part, int) for part in path)}
    asked = dict.fromkeys(path[:1] if path[0] in indexed else path for path in wanted)
    body["ProjectionExpression"] = ", ".join(writer.path(path) for path in asked)


def placeholders(body: dict[str, Any], writer: Writer) -> None:
    """Add what the placeholders of a request's expressions stand for."""
    if writer.names:
        body["ExpressionAttributeNames"] = writer.names
    if writer.values:
        body["ExpressionAttributeValues"] = writer.values
