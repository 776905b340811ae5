"""Several items read as of one commit, and client request tokens kept as long as they are valid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import replica_tables as tables

from region.model import image as images
from region.model.change import StoredItem
from region.model.client_token import ClientToken
from region.model.table import Table


def titles(found: list[StoredItem | None]) -> list[str | None]:
    return [images.decode(it.image)["text"]["S"] if it is not None and it.image is not None else None for it in found]


def test_items_read_together_are_of_one_commit_though_a_commit_ends_in_between(tmp_path: Path) -> None:
    store = tables.opened(tmp_path / "file", durability="full")
    table = tables.create(store, tables.table_record("songs"))
    songs = [tables.song("a", title, text="old") for title in ("1", "2")]
    places = [(table, table.check_item_keys(song)) for song in songs]
    transaction = store.begin()
    for song in songs:
        tables.put(transaction, table, song)
    store.commit()
    transaction = store.begin()
    for song in songs:
        tables.put(transaction, table, song | {"text": {"S": "new"}})

    def while_it_commits() -> Iterator[tuple[Table, bytes]]:
        yield places[0]
        store.commit()
        yield places[1]

    assert titles(store.get_together(while_it_commits())) == ["old", "old"]
    assert titles(store.get_together(places)) == ["new", "new"]
    store.close()


@pytest.mark.parametrize("durability", ["memory", "normal"])
def test_a_transaction_reads_its_own_writes_together(tmp_path: Path, durability: tables.Durability) -> None:
    store = tables.opened(None if durability == "memory" else tmp_path / "file", durability=durability)
    table = tables.create(store, tables.table_record("songs"))
    song = tables.song("a", "1", text="new")
    transaction = store.begin()
    tables.put(transaction, table, song)
    place = (table, table.check_item_keys(song))
    assert titles(transaction.get_together([place, (table, b"nothing")])) == ["new", None]
    store.commit()
    store.close()


def test_a_client_token_is_kept_with_its_transaction_and_over_a_restart(tmp_path: Path) -> None:
    store = tables.opened(tmp_path / "file")
    store.begin().save_client_token(ClientToken("undone", b"1", 50), 0)
    store.rollback()
    store.begin().save_client_token(ClientToken("done", b"2", 50), 0)
    store.commit()
    store.close()
    store = tables.opened(tmp_path / "file")
    transaction = store.begin()
    assert transaction.client_token("undone") is None
    assert transaction.client_token("done") == ClientToken("done", b"2", 50)
    transaction.save_client_token(ClientToken("done", b"3", 90), 60)
    assert transaction.client_token("done") == ClientToken("done", b"3", 90)
    store.rollback()
    store.close()


def test_expired_client_tokens_are_forgotten_sooner_than_new_ones_come(tmp_path: Path) -> None:
    store = tables.opened(tmp_path / "file")
    transaction = store.begin()
    for number in range(100):
        transaction.save_client_token(ClientToken(f"old {number}", b"", 10), 0)
    for number in range(20):
        transaction.save_client_token(ClientToken(f"new {number}", b"", 100), 50)
    store.commit()
    store.close()
    left = [name for (name,) in tables.query(tmp_path / "file", "SELECT token FROM client_tokens")]
    assert sorted(left) == sorted(f"new {number}" for number in range(20))
