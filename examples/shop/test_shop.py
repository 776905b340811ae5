"""The shop's carts under partitions, slow links, wrong clocks and crashes. Run it with ``pytest``."""

from __future__ import annotations

import pytest
from shop import ItemCart, RowCart

from atoll.testing.trial import Trial

EAST, WEST = "us-east-1", "eu-west-1"


def test_a_cart_of_many_items_keeps_what_both_sides_of_a_partition_add(atoll: Trial) -> None:
    table = atoll.table("carts", hash_key="cart", range_key="article")
    east, west = RowCart(atoll.client(EAST), table), RowCart(atoll.client(WEST), table)
    with atoll.partition(EAST):
        east.add("ann", "coconut")
        west.add("ann", "papaya")
        assert east.articles("ann") == {"coconut"}  # Nobody sees the other side, and everybody can go on.
    atoll.assert_no_lost_writes()
    assert east.articles("ann") == west.articles("ann") == {"coconut", "papaya"}


def test_a_cart_in_one_item_loses_what_one_side_of_a_partition_adds(atoll: Trial) -> None:
    table = atoll.table("item-carts")
    east, west = ItemCart(atoll.client(EAST), table), ItemCart(atoll.client(WEST), table)
    with atoll.partition(EAST):
        east.add("ann", "coconut")
        west.add("ann", "papaya")
    with pytest.raises(AssertionError, match="1 of 2 acknowledged writes are lost"):
        atoll.assert_no_lost_writes()


def test_a_clock_that_is_ahead_makes_the_earlier_write_win(atoll: Trial) -> None:
    table = atoll.table("skewed-carts")
    east, west = ItemCart(atoll.client(EAST), table), ItemCart(atoll.client(WEST), table)
    with atoll.skew(EAST, 3000), atoll.partition(EAST):
        east.add("ann", "coconut")
        west.add("ann", "papaya")  # Later by every clock on the wall, and lost.
    atoll.assert_converges()
    assert west.articles("ann") == {"coconut"}


def test_what_was_acknowledged_survives_a_crash_on_slow_links(atoll: Trial) -> None:
    table = atoll.table("crashing-carts", hash_key="cart", range_key="article")
    east, west = RowCart(atoll.client(EAST), table), RowCart(atoll.client(WEST), table)
    with atoll.delay(100):
        for n in range(20):
            east.add("ann", f"article-{n}")
        with atoll.kill(EAST):
            west.add("ann", "papaya")
    atoll.assert_no_lost_writes()
    assert len(west.articles("ann")) == 21
