"""What one region writes in a transaction is in another all at once, however small the batches; a switch undoes it."""

from __future__ import annotations

import random
from typing import Any

from fleet import EAST, TABLE, WEST, Fleet, Region

from region.events import Committed, Event
from region.model import image as images

ACCOUNTS = [f"account {number}" for number in range(6)]
OPENING = 100
TOTAL = OPENING * len(ACCOUNTS)
TIGHT = {"batch_records": 1, "batch_bytes": 1, "window_bytes": 400}


class Teller:
    """Moves money between accounts of one region, always in transactions."""

    def __init__(self, region: Region, seed: int) -> None:
        self.region = region
        self.random = random.Random(seed)

    async def open(self) -> None:
        await self.write([(account, OPENING) for account in ACCOUNTS])

    async def write(self, amounts: list[tuple[str, int]]) -> None:
        await self.region.run("TransactWriteItems", TransactItems=[add(*amount) for amount in amounts])

    async def transfer(self) -> None:
        """Take from one account and give to up to four others."""
        giver, *takers = self.random.sample(ACCOUNTS, self.random.randint(2, 5))
        amount = self.random.randint(1, 9)
        await self.write([(giver, -amount * len(takers)), *[(taker, amount) for taker in takers]])


def add(account: str, amount: int) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": TABLE,
            "Key": {"pk": {"S": account}},
            "UpdateExpression": "ADD balance :amount",
            "ExpressionAttributeValues": {":amount": {"N": str(amount)}},
        }
    }


def balance(region: Region) -> int | None:
    """The sum of all accounts as of the last commit; ``None`` before they are there."""
    rows = region.rows()
    stored = [] if rows is None else [images.decode(image) for image, *_ in rows.values() if image is not None]
    return sum(int(item["balance"]["N"]) for item in stored if "balance" in item) if stored else None


async def balances_seen(fleet: Fleet, transfers: int) -> list[int | None]:
    """Let money move in the east and return the sum of all accounts in the west after each of its commits."""
    east, west = fleet.regions[EAST], fleet.regions[WEST]
    await fleet.global_table(EAST, WEST)
    teller = Teller(east, seed=7)
    await teller.open()
    await fleet.converged()
    seen: list[int | None] = []

    def look(event: Event) -> None:
        if isinstance(event, Committed):
            seen.append(balance(west))

    west.engine.events.subscribe(look)
    for number in range(transfers):
        await teller.transfer()
        await east.put(f"other {number % 3}", text=str(number))
    await fleet.converged()
    assert balance(west) == TOTAL
    return seen


async def test_a_reader_at_the_peer_never_sees_a_part_of_a_transaction(any_fleet: Fleet) -> None:
    for name in (EAST, WEST):
        await any_fleet.add(name, **TIGHT)
    seen = await balances_seen(any_fleet, transfers=60)
    assert len(seen) >= 10
    assert set(seen) == {TOTAL}


async def test_item_by_item_a_reader_at_the_peer_sees_parts_and_in_the_end_the_same(fleet: Fleet) -> None:
    await fleet.add(EAST)
    await fleet.add(WEST, transactions="item")
    seen = await balances_seen(fleet, transfers=20)
    assert len(seen) >= 40
    assert set(seen) > {TOTAL}
