"""The digest of a table is that of its rows after every commit, whatever was written, rolled back, purged or built."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
import msgspec
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from replica_tables import PEER, REGION, THIRD, change_of, create, delete, global_index, opened, put, song, table_record

from region.model import digest
from region.model.settings import REPLICA, Register
from region.model.table import Table
from region.model.version import Version
from region.store.port import Reader, Transaction

NAMES = [f"n{number}" for number in range(12)]
names, origins = st.sampled_from(NAMES), st.sampled_from([REGION, PEER, THIRD])
INDEXES = (global_index("Keys", "genre", projection="KEYS_ONLY"), global_index("All", "label"))


def recomputed(reader: Reader, table: Table) -> list[int]:
    """The chunks of a table's digest as its rows say they should be."""
    chunks = [0] * (2 * digest.CHUNKS)
    for key, stored in reader.scan_versions(table, b"", 1_000_000):
        leaf = digest.leaf_of(key)
        hash_ = digest.row_hash(key, stored.version, stored.image)
        chunk = digest.chunk_of(leaf) + (digest.CHUNKS if stored.image is None else 0)
        chunks[chunk] ^= hash_ << 64 * (leaf % digest.CHUNK_LEAVES)
    return chunks


class DigestHistory(RuleBasedStateMachine):
    """One table that may become global late, in a file or in memory."""

    @initialize(in_memory=st.booleans(), late=st.booleans())
    def open(self, in_memory: bool, late: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = None if in_memory else Path(self.folder.name) / "r.db"
        self.store = opened(self.path)
        record = table_record(indexes=INDEXES, replicated=not late)
        if not late:
            record = msgspec.structs.replace(record, local=msgspec.structs.replace(record.local, digest_after=None))
        self.table = create(self.store, record)
        self.transaction: Transaction | None = None
        self.saved = self.table
        self.hlc = 0

    def writing(self) -> Transaction:
        if self.transaction is None:
            self.transaction = self.store.begin()
            self.saved = self.table
        return self.transaction

    def save(self, **local: object) -> None:
        record = self.table.record
        record = msgspec.structs.replace(record, local=msgspec.structs.replace(record.local, **local))
        self.writing().save_table(record)
        self.table = Table(record)

    @rule(name=names, origin=origins, genre=st.sampled_from("xyz"))
    def put(self, name: str, origin: str, genre: str) -> None:
        self.hlc += 1
        put(self.writing(), self.table, song(name, "t", genre=genre, label=genre), hlc=self.hlc, origin=origin)

    @rule(name=names, origin=origins)
    def load(self, name: str, origin: str) -> None:
        self.hlc += 1
        item = song(name, "t", genre="loaded")
        key = self.table.check_item_keys(item)
        self.writing().load(change_of(self.writing(), self.table, key, item, hlc=self.hlc, origin=origin))

    @rule(name=names, origin=origins)
    def delete(self, name: str, origin: str) -> None:
        self.hlc += 1
        delete(self.writing(), self.table, song(name, "t"), hlc=self.hlc, origin=origin)

    @rule(name=names)
    def amend(self, name: str) -> None:
        key = self.table.check_item_keys(song(name, "t"))
        stored = self.writing().get(self.table, key)
        if stored is not None:
            version = Version(stored.version.hlc, stored.version.origin, {"elsewhere": 1})
            self.writing().amend_version(self.table, key, version)

    @rule(name=names)
    def erase(self, name: str) -> None:
        key = self.table.check_item_keys(song(name, "t"))
        stored = self.writing().get(self.table, key)
        if stored is not None:
            self.writing().erase(self.table, key, stored)
            assert self.writing().get(self.table, key) is None

    @rule(back=st.integers(0, 5), limit=st.integers(1, 4))
    def purge(self, back: int, limit: int) -> None:
        purged = self.writing().purge(self.table, self.hlc - back, limit)
        rows = self.writing().scan_versions(self.table, b"", 1000)
        left = [stored for _, stored in rows if stored.image is None and stored.version.hlc <= self.hlc - back]
        assert purged <= limit
        assert not left or purged == limit

    @precondition(lambda self: not self.table.replicated)
    @rule()
    def become_global(self) -> None:
        registers = {**self.table.registers, REPLICA + REGION: Register(1, REGION, {})}
        record = msgspec.structs.replace(self.table.record, registers=registers)
        self.writing().save_table(record)
        self.table = Table(record)

    @precondition(lambda self: self.table.replicated and self.table.local.digest_after is not None)
    @rule(limit=st.integers(1, 5))
    def build(self, limit: int) -> None:
        after = bytes.fromhex(self.table.local.digest_after or "")
        last = self.writing().fill_digest(self.table, after, limit)
        self.save(digest_after=None if last is None else last.hex())

    @precondition(lambda self: self.table.replicated)
    @rule()
    def drop_and_come_back(self) -> None:
        transaction = self.writing()
        transaction.drop_table(self.table.record)
        local = msgspec.structs.replace(self.table.local, digest_after=None)
        self.table = Table(transaction.insert_table(msgspec.structs.replace(self.table.record, id=0, local=local)))

    @precondition(lambda self: self.transaction is not None)
    @rule()
    def commit(self) -> None:
        self.store.commit()
        self.transaction = None

    @precondition(lambda self: self.transaction is not None)
    @rule()
    def rollback(self) -> None:
        self.store.rollback()
        self.transaction, self.table = None, self.saved

    @precondition(lambda self: self.path is not None and self.transaction is None)
    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = opened(self.path)
        self.table = Table(self.store.tables()[0])

    @invariant()
    def the_digest_is_that_of_the_rows(self) -> None:
        if self.transaction is not None:
            return
        found = self.store.digest(self.table)
        if self.table.replicated and self.table.local.digest_after is None:
            assert found == recomputed(self.store, self.table)
        else:
            assert found is None

    @invariant()
    def indexes_and_counters_are_those_of_the_rows(self) -> None:
        if self.transaction is not None:
            return
        for index in (None, *self.table.indexes.values()):
            entries = list(self.store.scan(self.table, index, b"", None))
            assert self.store.statistics(self.table, index) == (len(entries), sum(entry.size for entry in entries))

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestDigestHistory = DigestHistory.TestCase
TestDigestHistory.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_equal_digests_do_not_depend_on_the_order_of_the_writes() -> None:
    stores = [opened(None, seed=number) for number in (1, 2)]
    for store, order in zip(stores, (1, -1), strict=True):
        record = table_record(replicated=True)
        local = msgspec.structs.replace(record.local, digest_after=None)
        table = create(store, msgspec.structs.replace(record, local=local))
        transaction = store.begin()
        for number in list(range(200))[::order]:
            put(transaction, table, song(f"a{number}", "t"), hlc=number + 1, origin=PEER)
        store.commit()
        assert any(store.digest(table) or ())
    first, second = (store.digest(Table(store.tables()[0])) for store in stores)
    assert first == second


def test_a_leaf_is_a_range_of_keys_and_a_root_is_made_of_its_leaves() -> None:
    for leaf in (0, 1, 77, digest.LEAVES - 1):
        lower, upper = digest.bounds(leaf)
        assert digest.leaf_of(lower + b"\x00" * 6) == leaf
        assert digest.leaf_of(lower[:1] + bytes([lower[1] | 0x0F]) + b"\xff" * 6) == leaf
        assert upper is None or digest.leaf_of(upper) == leaf + 1
    leaves = [digest.row_hash(bytes([number]), Version(number, REGION), b"{}") for number in range(digest.CHUNK_LEAVES)]
    packed = sum(value << 64 * number for number, value in enumerate(leaves))
    assert digest.leaves_of(packed) == leaves
    root = 0
    for value in leaves:
        root ^= value
    assert digest.root_of(packed) == root


def test_another_image_under_the_same_timestamp_shows() -> None:
    hashes = {
        digest.row_hash(key, Version(hlc, origin, vector), image)
        for key in (b"k", b"l")
        for hlc in (1, 2)
        for origin in (REGION, PEER)
        for vector in ({}, {THIRD: 1}, {THIRD: 1, "elsewhere": 2})
        for image in (None, b"{}", b'{"a":{"S":"1"}}')
    }
    assert len(hashes) == 2 * 2 * 2 * 3 * 3
