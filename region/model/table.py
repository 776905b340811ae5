"""Tables: the durable record of one, and the derived form that the hot path works with.

What: a :class:`TableRecord` is what the catalogue stores: the shared settings as registers, and what is this region's
own. A :class:`Table` is made from it once, whenever it changes, and is immutable: parsed key schema, indexes, and
functions from items to keys that check as AWS checks.

Invariants: ``uid`` is the same in every replica of a table and never reused; ``id`` and the table ids and ARNs that
users see belong to one region. A table name may be used again after a deletion, a ``uid`` never.

Source: AWS developer guide, "Core components", "Secondary indexes", "Global tables".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from region.errors import ValidationError
from region.model import destination, keys, limits, settings, values
from region.model.settings import Register
from region.model.stream import Stream
from region.model.values import INVALID, AttributeValue, Item

CREATING: Final = "CREATING"
UPDATING: Final = "UPDATING"
DELETING: Final = "DELETING"
ACTIVE: Final = "ACTIVE"

_SHORT: Final = limits.SORT_KEY_BYTES_MAX // 4
"""A text of so many characters is within every limit of a key, whatever they are."""


class IndexState(msgspec.Struct, frozen=True):
    """What one region knows of one of its indexes: its number in the store, and how far its backfill has come."""

    id: int
    status: str
    backfill_after: str | None = None
    """The last base key (hex) that the backfill has indexed; ``None`` when no backfill is under way."""
    until_ms: int = 0
    """Until when a transitional status is shown, where AWS-like delays are switched on; 0: no longer than needed."""
    retired: Mapping[str, Any] | None = None
    """What a deleted index was, so that it can be described while it is DELETING."""


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """A disassociation under way: what this region wrote up to ``sequence`` must be everywhere before it may end."""

    sequence: int
    since_ms: int


class Inaccessible(msgspec.Struct, frozen=True, kw_only=True):
    """A table whose master key cannot be used: since when, and what is said to those who ask for its items."""

    since_ms: int
    message: str


class LocalState(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to one region's replica alone and never travels."""

    table_id: str
    created_ms: int
    status: str = ACTIVE
    status_until_ms: int = 0
    """Until when the transitional status is shown, where AWS-like delays are switched on; 0: at once."""
    indexes: Mapping[str, IndexState] = {}
    deletion_protection: bool = False
    tags: Mapping[str, str] = {}
    stream_label: str | None = None
    streams: tuple[Stream, ...] = ()
    """The streams that can still be read, oldest first; the last one may be enabled."""
    billing_changed_ms: int = 0
    global_since: int = 0
    """The hlc at which this region made the table global. Deletions before it left no tombstone here; so this region's
    changes before it reach other replicas as the state that a snapshot finds, and never one by one."""
    disassociation_protection: bool = True
    leaving: Leaving | None = None
    digest_after: str | None = ""
    """The last key (hex) that the table's digest counts; ``None`` when it is complete. Global tables alone have one."""
    purged_hlc: int = 0
    """Tombstones up to this hlc are purged here, or about to be: nothing up to it can still arrive for the first time.
    So what arrives with a timestamp up to it, and has no row here, was deleted and purged, and is ignored."""
    purging: bool = False
    """Whether some of those tombstones may still be there."""
    inaccessible: Inaccessible | None = None
    """Set while the table's master key cannot be used."""
    extra: Mapping[str, Any] = {}
    """Settings of one region that have no field of their own, by the name of the operation family."""


class TableRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A table as the catalogue stores it. ``dropped`` keeps the settings of a table whose replica is gone here."""

    id: int
    uid: str
    name: str
    registers: Mapping[str, Register]
    local: LocalState
    dropped: bool = False


class KeySchema(NamedTuple):
    """The attribute names of a key: one hash and at most one range for tables, up to four of each for GSIs."""

    hash: tuple[str, ...]
    range: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All key attributes, hash first."""
        return self.hash + self.range


class Projection(NamedTuple):
    """Which attributes an index carries beside the keys: ``ALL``, ``KEYS_ONLY`` or ``INCLUDE`` with names."""

    kind: str
    names: frozenset[str] = frozenset()


class Index:
    """A secondary index, ready for use."""

    __slots__ = ("backfilling", "carried", "global_", "id", "keys", "name", "projection", "status")

    def __init__(
        self, *, name: str, state: IndexState, keys: KeySchema, projection: Projection, global_: bool, base: KeySchema
    ) -> None:
        self.name = name
        self.id = state.id
        self.status = state.status
        self.backfilling = state.backfill_after is not None
        self.keys = keys
        self.projection = projection
        self.global_ = global_
        self.carried: frozenset[str] | None = (
            None if projection.kind == "ALL" else frozenset(keys.names) | frozenset(base.names) | projection.names
        )
        """The attributes that an entry carries; ``None`` means all."""

    def entry_key(self, item: Item, base_key: bytes) -> bytes | None:
        """Return the key of the item's entry, or ``None`` where the item lacks an index key attribute (sparse)."""
        try:
            hash_values = tuple([item[name] for name in self.keys.hash])
            range_values = tuple([item[name] for name in self.keys.range])
        except KeyError:
            return None
        return keys.key(hash_values, range_values) + base_key

    def project(self, item: Item) -> Item:
        """Return the part of the item that the index carries."""
        if self.carried is None:
            return item
        carried = self.carried
        return {name: value for name, value in item.items() if name in carried}


class Table:
    """A table, ready for use. Immutable: a change of settings makes a new one."""

    __slots__ = (
        "_index_keys",
        "_schema",
        "hash_name",
        "id",
        "indexes",
        "keeps_old_images",
        "keys",
        "local",
        "name",
        "range_name",
        "record",
        "registers",
        "replicated",
        "types",
        "uid",
    )

    def __init__(self, record: TableRecord) -> None:
        self.record = record
        self.id = record.id
        self.uid = record.uid
        self.name = record.name
        self.registers = record.registers
        self.local = record.local
        definition = record.registers[settings.DEFINITION].value
        self.types: dict[str, str] = {
            a["AttributeName"]: a["AttributeType"] for a in definition["AttributeDefinitions"]
        }
        self.keys = key_schema(definition["KeySchema"])
        self.hash_name = self.keys.hash[0]
        self.range_name = self.keys.range[0] if self.keys.range else None
        self.indexes: dict[str, Index] = {}
        for description in definition.get("LocalSecondaryIndexes") or ():
            self._add_index(description, global_=False)
        for description in settings.family(record.registers, settings.INDEX).values():
            self.types.update({a["AttributeName"]: a["AttributeType"] for a in description["AttributeDefinitions"]})
            self._add_index(description, global_=True)
        self.replicated = any(name.startswith(settings.REPLICA) for name in record.registers)
        """Whether this table is or ever was global: its deletions must leave tombstones."""
        stream = self.setting(settings.STREAM)
        viewed = bool(stream) and stream["StreamViewType"] in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES")
        self.keeps_old_images = viewed or bool(destination.delivered(record.local.extra))
        self._schema = tuple((name, self.types[name]) for name in self.keys.names)
        self._index_keys = tuple(
            (name, self.types[name], index.name)
            for index in self.indexes.values()
            for name in index.keys.names
            if name not in self.keys.names
        )

    def _add_index(self, description: Mapping[str, Any], *, global_: bool) -> None:
        name = description["IndexName"]
        state = self.local.indexes.get(name)
        if state is None:
            return
        projection = description["Projection"]
        self.indexes[name] = Index(
            name=name,
            state=state,
            keys=key_schema(description["KeySchema"]),
            projection=Projection(projection["ProjectionType"], frozenset(projection.get("NonKeyAttributes") or ())),
            global_=global_,
            base=self.keys,
        )

    def setting(self, name: str) -> Any:
        """Return the value of a shared register, or ``None``."""
        register = self.registers.get(name)
        return register.value if register else None

    def members(self) -> dict[str, dict[str, Any]]:
        """Return the replicas by region; empty for a table that is not global."""
        return settings.members(self.registers)

    def check_item_keys(self, item: Item) -> bytes:
        """Check the key attributes of a whole item, those of its indexes too, and return its primary key.

        Raises:
            ValidationError: a key is missing, of the wrong type, empty or too long.
        """
        for name, kind in self._schema:
            value = item.get(name)
            if value is None:
                raise ValidationError(f"{INVALID}Missing the key {name} in the item")
            if kind not in value:
                raise ValidationError(
                    f"{INVALID}Type mismatch for key {name} expected: {kind} actual: {values.type_of(value)}"
                )
        if self._index_keys:
            self.check_index_keys(item)
        return self._encode_key(item)

    def check_index_keys(self, item: Item) -> None:
        """Check that the item's index key attributes, where present, have their declared type and are not empty."""
        for name, kind, index_name in self._index_keys:
            value = item.get(name)
            if value is None:
                continue
            if kind not in value:
                raise ValidationError(
                    f"{INVALID}Type mismatch for Index Key {name} Expected: {kind} Actual: {values.type_of(value)} "
                    f"IndexName: {index_name}"
                )
            if kind == "N":
                continue
            if not value[kind]:
                raise ValidationError(
                    "One or more parameter values are not valid. A value specified for a secondary index key is not "
                    "supported. The AttributeValue for a key attribute cannot contain an empty "
                    f"{'string' if kind == 'S' else 'binary'} value. IndexName: {index_name}, IndexKey: {name}"
                )
            _check_key_size(value, hash_key=name in self.indexes[index_name].keys.hash)

    def key_of(self, key: Item) -> bytes:
        """Check a ``Key`` parameter (exactly the key attributes, already canonical) and return the primary key."""
        if len(key) != len(self._schema):
            raise ValidationError("The provided key element does not match the schema")
        for name, kind in self._schema:
            value = key.get(name)
            if value is None or kind not in value:
                raise ValidationError("The provided key element does not match the schema")
        return self._encode_key(key)

    def _encode_key(self, item: Item) -> bytes:
        hash_value = item[self.hash_name]
        text = hash_value.get("S")
        if text is None or not 0 < len(text) <= _SHORT:
            _check_key_value(self.hash_name, hash_value, hash_key=True)
        if self.range_name is None:
            return keys.partition((hash_value,))
        range_value = item[self.range_name]
        text = range_value.get("S")
        if text is None or not 0 < len(text) <= _SHORT:
            _check_key_value(self.range_name, range_value, hash_key=False)
        return keys.primary(hash_value, range_value)

    def key_attributes(self, item: Item) -> Item:
        """Return the primary key attributes of an item."""
        return {name: item[name] for name in self.keys.names}


def key_schema(elements: list[dict[str, str]]) -> KeySchema:
    """Read the API's ``KeySchema`` list."""
    return KeySchema(
        tuple(e["AttributeName"] for e in elements if e["KeyType"] == "HASH"),
        tuple(e["AttributeName"] for e in elements if e["KeyType"] == "RANGE"),
    )


def _check_key_value(name: str, value: AttributeValue, *, hash_key: bool) -> None:
    ((kind, content),) = value.items()
    if kind == "N":
        return
    if not content:
        raise ValidationError(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            f"empty {'string' if kind == 'S' else 'binary'} value. Key: {name}"
        )
    _check_key_size(value, hash_key=hash_key)


def _check_key_size(value: AttributeValue, *, hash_key: bool) -> None:
    ((kind, content),) = value.items()
    if len(content) <= _SHORT:
        return
    size = values.text_size(content) if kind == "S" else values.binary_size(content)
    if hash_key and size > limits.PARTITION_KEY_BYTES_MAX:
        raise ValidationError(
            f"{INVALID}Size of hashkey has exceeded the maximum size limit of{limits.PARTITION_KEY_BYTES_MAX} bytes"
        )
    if not hash_key and size > limits.SORT_KEY_BYTES_MAX:
        raise ValidationError(
            f"{INVALID}Aggregated size of all range keys has exceeded the size limit of "
            f"{limits.SORT_KEY_BYTES_MAX} bytes"
        )
