"""Which master key a table's data key is under, and what each encrypted value is bound to.

What: envelope encryption. A table has data keys; each encrypts with AES-256-GCM what the file holds of the table, and
is itself kept encrypted under a master key (:mod:`region.keyring`). The functions here say what is authenticated with
a value: table, key and version. So a value that is put in the place of another is noticed like one that is changed.

Invariant: no two places share a binding, but for an item's row and its log record, which hold the same image.

Source: NIST SP 800-38D (GCM); AWS developer guide, "DynamoDB encryption at rest: How it works".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from region.keyring import OWNED
from region.model import settings
from region.model.table import Table
from region.model.version import Version

KEY: Final = "KMSMasterKeyId"
INACCESSIBLE: Final = "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
SINCE: Final = "InaccessibleMs"
"""In a replica's register: since when its master key cannot be used, for the other regions to show."""

ITEM: Final = b"i"
OLD: Final = b"o"
CONDITION: Final = b"c"
_ENTRY: Final = b"x"
_CONFLICT: Final = b"f"


def master_of(table: Table, region: str) -> str:
    """Return the name of the master key that a table has in a region."""
    member: Mapping[str, Any] = table.members().get(region) or {}
    if member.get(KEY):
        return str(member[KEY])
    return str((table.setting(settings.SSE) and table.local.extra.get(KEY)) or OWNED)


def item_binding(kind: bytes, table_id: int, key: bytes, hlc: int, origin: str) -> bytes:
    """Return what an image, the image before it, or a condition is bound to."""
    return b"%b%d.%d.%b.%b" % (kind, table_id, hlc, origin.encode(), key)


def entry_binding(index_id: int, key: bytes) -> bytes:
    """Return what the image of an index entry is bound to."""
    return b"%b%d.%b" % (_ENTRY, index_id, key)


def conflict_binding(column: int, table_uid: str, key: bytes, winner: Version, loser: Version) -> bytes:
    """Return what a column of a conflict is bound to."""
    stamps = f"{column}.{table_uid}.{winner.hlc}.{winner.origin}.{loser.hlc}.{loser.origin}."
    return _CONFLICT + stamps.encode() + key
