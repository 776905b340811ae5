"""Simulated disks: what was synchronised survives, what was not may be gone, and ``durability`` keeps its word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from chaos.simulation.disk import Disk, Disks, Doom
from region.errors import AtollError, StoreError
from region.randomness import SeededRng
from region.store.sqlite import SqliteStore, open_store

ROUNDS = 60


@pytest.fixture
def disks() -> Iterator[Disks]:
    disks = Disks()
    yield disks
    disks.close()


def opened(disk: Disk, durability: str = "normal") -> SqliteStore:
    return open_store(disk.path, region="a", durability=durability, rng=SeededRng(1))  # type: ignore[arg-type]  # One of.


def write(store: SqliteStore, number: int) -> None:
    store.begin().save_meta("number", str(number))
    store.commit()


def cut(disk: Disk, store: SqliteStore, rng: SeededRng) -> None:
    disk.release()
    store.close()
    disk.cut_power(rng)


def after_power_cuts(disk: Disk, durability: str) -> list[tuple[int, int]]:
    """Write numbers and cut the power, again and again; return what was acknowledged last and what is there."""
    rng = SeededRng(7)
    found = []
    number = 0
    for _ in range(ROUNDS):
        store = opened(disk, durability)
        found.append((number, int(store.meta("number") or 0)))
        number = found[-1][1]
        for _ in range(5):
            number += 1
            write(store, number)
        cut(disk, store, rng)
    return found


def test_full_durability_survives_a_loss_of_power(disks: Disks) -> None:
    assert all(written == kept for written, kept in after_power_cuts(disks.disk("a"), "full"))


def test_normal_durability_loses_the_last_commits_and_never_half_of_one(disks: Disks) -> None:
    found = after_power_cuts(disks.disk("a"), "normal")
    assert all(kept <= written for written, kept in found)
    assert any(kept < written for written, kept in found)


def test_a_killed_process_loses_nothing(disks: Disks) -> None:
    disk = disks.disk("a")
    for number in range(1, 20):
        store = opened(disk)
        assert int(store.meta("number") or 0) == number - 1
        write(store, number)
        disk.release()
        store.close()


def test_a_process_that_dies_at_any_write_of_a_commit_leaves_all_of_it_or_nothing(disks: Disks) -> None:
    seen = set()
    for left in range(60):
        for share in (0.0, 0.5, 1.0):
            disk = disks.disk(f"{left}-{share}")
            store = opened(disk)
            write(store, 1)
            deaths: list[int] = []
            disk.doom = Doom(left, share, partial(deaths.append, left))
            transaction = store.begin()
            for number in range(30):
                transaction.save_meta(f"{number}", "x" * 1000)
            with suppress(AtollError):
                store.commit()
            disk.release()
            store.close()
            disk.doom = None
            again = opened(disk)
            there = {again.meta(f"{number}") is not None for number in range(30)}
            assert len(there) == 1
            assert again.meta("number") == "1"
            assert deaths or there == {True}
            seen.add((bool(deaths), there == {True}))
            again.close()
    assert seen == {(True, False), (True, True), (False, True)}


def test_a_checkpoint_synchronises_log_and_database(disks: Disks) -> None:
    disk = disks.disk("a")
    store = opened(disk)
    for number in range(600):
        write(store, number)
        store.begin().save_meta(f"large {number}", "x" * 20_000)
        store.commit()
    assert disk.syncs > 2
    cut(disk, store, SeededRng(1))
    assert int(opened(disk).meta("number") or 0) > 200


def test_a_full_disk_is_the_stores_own_error_and_goes_by(disks: Disks) -> None:
    disk = disks.disk("a")
    store = opened(disk)
    disk.full = True
    store.begin().save_meta("number", "1")
    with pytest.raises(StoreError, match="the disk is full"):
        store.commit()
    store.rollback()
    disk.full = False
    write(store, 2)
    assert store.meta("number") == "2"
    store.close()


def test_a_copy_of_a_running_region_is_put_back_as_it_was(disks: Disks) -> None:
    disk = disks.disk("a")
    store = opened(disk)
    write(store, 1)
    disk.copy(disks.root / "copy")
    write(store, 2)
    disk.release()
    store.close()
    disk.restore(disks.root / "copy")
    store = opened(disk)
    assert store.meta("number") == "1"
    store.close()


def test_files_elsewhere_pass_through_and_nothing_is_left_behind(disks: Disks, tmp_path: Path) -> None:
    store = open_store(tmp_path / "region.sqlite", region="a", durability="normal", rng=SeededRng(1))
    write(store, 1)
    store.close()
    disks.disk("a")
    disks.close()
    assert not disks.root.exists()
