"""A disk that fails on purpose fails as a real one does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from region.errors import StoreError
from region.randomness import SeededRng
from region.store.faulty import FaultyStore
from region.store.sqlite import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FaultyStore]:
    made = open_store(
        tmp_path / "region.sqlite", region="us-east-1", durability="normal", rng=SeededRng(1), kind=FaultyStore
    )
    assert isinstance(made, FaultyStore)
    yield made
    made.close()


def save(store: FaultyStore, value: str) -> None:
    store.begin().save_meta("name", value)
    store.commit()


def test_a_full_disk_refuses_a_commit_definitely_and_works_when_there_is_room(store: FaultyStore) -> None:
    save(store, "before")
    store.full = True
    with pytest.raises(StoreError, match="the disk is full") as caught:
        save(store, "refused")
    assert caught.value.definite
    store.rollback()
    with pytest.raises(StoreError, match="the disk is full"):
        store.save_ceiling(1)
    assert store.meta("name") == "before"
    store.full = False
    save(store, "after")
    assert store.meta("name") == "after"


def test_a_slow_disk_takes_its_time_and_asks_to_be_waited_for_elsewhere(store: FaultyStore) -> None:
    assert not store.syncs_at_commit
    store.slow_ms = 30
    assert store.syncs_at_commit
    started = time.monotonic()
    save(store, "slow")
    assert time.monotonic() - started >= 0.03
