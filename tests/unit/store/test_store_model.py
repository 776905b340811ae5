"""The store against a model of plain dicts: random histories of writes, commits, rollbacks and openings."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from replica_tables import (
    EVERYTHING,
    PEER,
    REGION,
    change_of,
    create,
    delete,
    global_index,
    key_elements,
    opened,
    song,
    table_record,
)

from region.model import image as images
from region.model import values
from region.model.table import Table
from region.model.values import Item
from region.model.version import Version
from region.store.port import Reader, Transaction

INDEXES = (
    global_index("All", "genre", "label"),
    global_index("Keys", "genre", projection="KEYS_ONLY"),
    global_index("Some", "label", projection="INCLUDE", include=("price",)),
)
LOCAL = {**global_index("Local", "artist", "label"), "KeySchema": key_elements(("artist",), ("label",))}

artists = st.sampled_from(["a", "b"])
titles = st.sampled_from(["", "1", "2", "22", "3"]).map(lambda text: "t" + text)
optional = st.dictionaries(
    st.sampled_from(["genre", "label", "price", "text"]),
    st.sampled_from([{"S": "x"}, {"S": "y"}, {"S": ""}, {"N": "1"}, {"S": "z" * 1100}]),
)
origins = st.sampled_from([REGION, PEER])


class StoreHistory(RuleBasedStateMachine):
    """``committed`` and ``pending`` hold, per key, the version and the item, ``None`` for a tombstone."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "r.db"
        self.in_memory = False
        self.hlc = 0
        self.committed: dict[bytes, tuple[Version, Item | None]] = {}
        self.pending: dict[bytes, tuple[Version, Item | None]] = {}
        self.log: list[tuple[bytes, Version]] = []
        self.pending_log: list[tuple[bytes, Version]] = []
        self.transaction: Transaction | None = None

    @initialize(in_memory=st.booleans(), replicated=st.booleans())
    def open(self, in_memory: bool, replicated: bool) -> None:
        self.in_memory = in_memory
        self.store = opened(None if in_memory else self.path)
        self.table = create(self.store, table_record(indexes=INDEXES, local_indexes=(LOCAL,), replicated=replicated))

    def writing(self) -> Transaction:
        if self.transaction is None:
            self.transaction = self.store.begin()
            self.pending = dict(self.committed)
            self.pending_log = list(self.log)
        return self.transaction

    def expect(self, key: bytes, item: Item | None, origin: str) -> None:
        version = Version(self.hlc, origin)
        self.pending_log.append((key, version))
        if item is None and not self.table.replicated:
            self.pending.pop(key, None)
        else:
            self.pending[key] = (version, item)

    @rule(artist=artists, title=titles, attributes=optional, origin=origins, decoded=st.booleans())
    def put(self, artist: str, title: str, attributes: dict[str, Any], origin: str, decoded: bool) -> None:
        transaction = self.writing()
        self.hlc += 1
        item = {**song(artist, title), **attributes}
        key = self.table.key_of(self.table.key_attributes(item))
        change = change_of(transaction, self.table, key, item, hlc=self.hlc, origin=origin, decoded=decoded)
        self.expect(key, item, origin)
        assert transaction.put(change) == len(self.pending_log)

    @rule(artist=artists, title=titles, origin=origins)
    def delete(self, artist: str, title: str, origin: str) -> None:
        transaction = self.writing()
        self.hlc += 1
        item = song(artist, title)
        self.expect(self.table.check_item_keys(item), None, origin)
        assert delete(transaction, self.table, item, hlc=self.hlc, origin=origin) == len(self.pending_log)

    @precondition(lambda self: self.transaction is not None)
    @rule()
    def commit(self) -> None:
        self.store.commit()
        self.transaction, self.committed, self.log = None, self.pending, self.pending_log

    @precondition(lambda self: self.transaction is not None)
    @rule()
    def rollback(self) -> None:
        self.store.rollback()
        self.transaction = None

    @precondition(lambda self: not self.in_memory)
    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.transaction = None
        self.store = opened(self.path)
        (record,) = self.store.tables()
        self.table = Table(record)

    @rule(lower=st.tuples(artists, titles), upper=st.none() | st.tuples(artists, titles), reverse=st.booleans())
    def scan_a_range(self, lower: tuple[str, str], upper: tuple[str, str] | None, reverse: bool) -> None:
        low = self.table.check_item_keys(song(*lower))
        high = None if upper is None else self.table.check_item_keys(song(*upper))
        reader, held = self.view()
        expected = sorted(
            (
                key
                for key, (_, item) in held.items()
                if item is not None and low <= key and (high is None or key < high)
            ),
            reverse=reverse,
        )
        assert [entry.key for entry in reader.scan(self.table, None, low, high, reverse=reverse)] == expected

    def view(self) -> tuple[Reader, dict[bytes, tuple[Version, Item | None]]]:
        return (self.transaction, self.pending) if self.transaction else (self.store, self.committed)

    def check(self, reader: Reader, held: dict[bytes, tuple[Version, Item | None]]) -> None:
        table = self.table
        assert [(key, row.version, row.image) for key, row in reader.scan_versions(table, b"", 1000)] == [
            (key, version, None if item is None else images.encode(item))
            for key, (version, item) in sorted(held.items())
        ]
        live = {key: item for key, (_, item) in held.items() if item is not None}
        for index in (None, *table.indexes.values()):
            found = [(entry.key, entry.image, entry.size) for entry in reader.scan(table, index, b"", None)]
            expected = []
            for key, item in live.items():
                carried = item if index is None else index.project(item)
                entry_key = key if index is None else self.entry_key(index.name, item, key)
                if entry_key is not None:
                    expected.append((entry_key, images.encode(carried), values.item_size(carried)))
            assert found == sorted(expected)
            assert reader.statistics(table, index) == (len(found), sum(size for _, _, size in found))

    def entry_key(self, name: str, item: Item, key: bytes) -> bytes | None:
        index = self.table.indexes[name]
        for role, limit in ((index.keys.hash, 2048), (index.keys.range, 1024)):
            if any(not 0 < len(item.get(each, {}).get("S", "")) <= limit for each in role):
                return None
        return index.entry_key(item, key)

    @invariant()
    def what_is_visible_is_what_was_written(self) -> None:
        if not hasattr(self, "store"):
            return
        self.check(*self.view())
        if not self.in_memory or self.transaction is None:
            self.check(self.store, self.committed)
            for origin in (None, REGION, PEER):
                records = self.store.read_log(0, **EVERYTHING, origin=origin)
                assert [(record.sequence, record.key, record.version) for record in records] == [
                    (sequence, key, version)
                    for sequence, (key, version) in enumerate(self.log, 1)
                    if origin in (None, version.origin)
                ]
        assert self.store.log_head() == len(self.log)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
        self.folder.cleanup()


StoreHistory.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestStoreHistory = StoreHistory.TestCase
