"""A region whose tables are encrypted, for tests: its keyring in a file, its database and backups in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from atoll import keyring
from atoll.keyring import FileKeyring, KeyFile
from region.keyring import OWNED
from region.operation.table.encryption import follow
from region.randomness import SeededRng
from tests.unit.archive.archive_region import START_MS, US, ArchiveRegion

ORDERS = "alias/orders"
NEEDLE = "xyzzy-no-eye-shall-see"
TABLE: dict[str, Any] = {
    "TableName": "Orders",
    "BillingMode": "PAY_PER_REQUEST",
    "SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": ORDERS},
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "kind", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "Some",
            "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["secret"]},
        },
        {
            "IndexName": "All",
            "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        },
    ],
}


class EncryptedRegion:
    """One life after another of a region over the same folder and keyring."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "data"
        self.ring = folder / "keyring.json"
        self.now_ms = START_MS
        rng = SeededRng(1)
        keys = [keyring.new_key(rng, START_MS, [alias]) for alias in (OWNED, ORDERS)]
        keyring.write(self.ring, KeyFile(keys=keys))
        self.open()

    def open(self, *, encrypted: bool = True, adopts: bool = True) -> ArchiveRegion:
        """Begin a life, after the last one was closed."""
        self.region = ArchiveRegion(self.folder, keyring=self.keyring(adopts=adopts) if encrypted else None)
        return self.region

    def keyring(self, *, adopts: bool = True) -> FileKeyring:
        """Return the region's keyring."""
        return FileKeyring(
            str(self.ring),
            region=US,
            account="000000000000",
            rng=SeededRng(2),
            now_ms=lambda: self.now_ms,
            environment={},
            adopts=adopts,
        )

    def change(self, name: str, **fields: Any) -> None:
        """Change a master key in the file."""
        file = keyring.read(self.ring)
        key = file.find(name)
        assert key is not None
        for field, value in fields.items():
            setattr(key, field, value)
        keyring.write(self.ring, file)

    def rotate(self, name: str) -> None:
        """Give a master key a new generation."""
        file = keyring.read(self.ring)
        key = file.find(name)
        assert key is not None
        key.generations.append(keyring.new_secret(SeededRng(3)))
        keyring.write(self.ring, file)

    async def follow(self) -> None:
        """Do all that the key watch would do."""
        self.region.engine.store.refresh_keys()
        while await self.region.engine.transact(follow):
            pass

    async def close(self) -> None:
        """End a life."""
        await self.region.archivist.stop()
        await self.region.engine.close()

    async def put(self, key: str, **more: Any) -> None:
        """Write an item with the needle in it."""
        item = {"id": {"S": key}, "kind": {"S": "k"}, "secret": {"S": f"{NEEDLE} {key}"}, **more}
        await self.region.call("PutItem", TableName="Orders", Item=item)

    async def get(self, key: str) -> str | None:
        """Return the needle of an item."""
        answer = await self.region.call("GetItem", TableName="Orders", Key={"id": {"S": key}})
        found = orjson.loads(orjson.dumps(answer)).get("Item")
        return None if found is None else str(found["secret"]["S"])

    def seen(self, text: str = NEEDLE) -> list[str]:
        """Return the files that show a text to whoever reads the disk."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return [path.name for path in files if text.encode() in path.read_bytes()]
