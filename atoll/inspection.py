"""Looking into a replica from outside: digests and dumps of whole tables, in small steps.

What: a digest is one number for all keys, versions and images of a table, tombstones included; two replicas with equal
digests hold the same. A dump is the same content, readable. Both read the store a page at a time and let the region
answer its clients in between.

Hazard: while the table is being written, what is read is not one moment's state; compare digests when writes rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import blake2b
from typing import Final

import msgspec

from atoll.report import NOTHING, Digest, DumpRecord
from region.model.change import StoredItem
from region.model.table import Table
from region.store.port import Reader

PAGE_ITEMS: Final = 256
"""About 1 ms of reading."""
DIGEST_BYTES: Final = 16

_encode = msgspec.json.encode


async def pages(reader: Reader, table: Table) -> AsyncIterator[list[tuple[bytes, StoredItem]]]:
    """Iterate over the items and tombstones of a table in key order, a page at a time."""
    after = b""
    while page := reader.scan_versions(table, after, PAGE_ITEMS):
        yield page
        after = page[-1][0]
        await asyncio.sleep(0)


async def digest(reader: Reader, table: Table) -> Digest:
    """Return the digest of a table."""
    hasher = blake2b(digest_size=DIGEST_BYTES)
    items = tombstones = 0
    async for page in pages(reader, table):
        for key, stored in page:
            version = stored.version
            hasher.update(_encode((key.hex(), version.hlc, version.origin, sorted(version.vector.items()))))
            if stored.image is None:
                tombstones += 1
                hasher.update(b"\n\n")
            else:
                items += 1
                hasher.update(b"\n%b\n" % stored.image)
    return Digest(table=table.name, items=items, tombstones=tombstones, digest=hasher.hexdigest())


async def dump(reader: Reader, table: Table) -> AsyncIterator[bytes]:
    """Iterate over a table as JSON lines, :class:`~atoll.report.DumpRecord` each, a page at a time."""
    async for page in pages(reader, table):
        yield b"".join(
            _encode(
                DumpRecord(
                    key=key.hex(),
                    hlc=stored.version.hlc,
                    origin=stored.version.origin,
                    vector=dict(stored.version.vector),
                    image=_raw(stored.image),
                )
            )
            + b"\n"
            for key, stored in page
        )


def _raw(image: bytes | None) -> msgspec.Raw:
    return NOTHING if image is None else msgspec.Raw(image)
