"""A report follows the region's deltas, and a conflict that two regions recorded is told once."""

from __future__ import annotations

from typing import Any

from dashboard.feed import Seen, changed


def test_a_delta_replaces_links_and_tables_by_name_and_takes_what_is_gone() -> None:
    report: dict[str, Any] = {
        "state": "live",
        "links": [{"source": "a", "sink": "b", "changes": 1}, {"source": "b", "sink": "a", "changes": 1}],
        "tables": [{"name": "carts", "items": 1}, {"name": "orders", "items": 1}],
    }
    delta = {
        "links": [{"source": "a", "sink": "b", "changes": 5}],
        "tables": [{"name": "orders", "items": 9}, {"name": "baskets", "items": 0}],
        "tables_gone": ["carts"],
        "status": {"state": "stopping"},
    }
    changed(report, delta)
    assert report["links"] == [{"source": "a", "sink": "b", "changes": 5}, {"source": "b", "sink": "a", "changes": 1}]
    assert report["tables"] == [{"name": "baskets", "items": 0}, {"name": "orders", "items": 9}]
    assert report["state"] == "stopping"


def test_a_delta_without_news_changes_nothing() -> None:
    report: dict[str, Any] = {"links": [], "tables": [{"name": "orders"}]}
    changed(report, {"at_ms": 1})
    assert report == {"links": [], "tables": [{"name": "orders"}]}


def test_a_conflict_is_told_once_whichever_way_round_it_was_recorded() -> None:
    one, other = {"hlc": 1, "origin": "a"}, {"hlc": 2, "origin": "b"}
    seen = Seen()
    assert seen.first({"table_uid": "t", "key": "k", "winner": other, "loser": one})
    assert not seen.first({"table_uid": "t", "key": "k", "winner": other, "loser": one})
    assert seen.first({"table_uid": "t", "key": "k2", "winner": other, "loser": one})
