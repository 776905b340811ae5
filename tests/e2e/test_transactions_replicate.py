"""Two real regions: what one writes in a transaction, a reader in the other sees as a whole or not at all."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import msgspec

from atoll import Cluster
from atoll.config import Config, ReplicationConfig

EAST, WEST = "us-east-1", "us-west-2"
TABLE = "accounts"
ACCOUNTS = [f"account-{number}" for number in range(6)]
OPENING = 100
TOTAL = OPENING * len(ACCOUNTS)
TELLERS = 2
TRANSFERS = 30
GROUP = ReplicationConfig(batch_records=1, batch_bytes=1, window_bytes=400)
"""Batches and windows far smaller than a transaction."""
ITEM = msgspec.structs.replace(GROUP, transactions="item")


def add(account: str, amount: int) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": TABLE,
            "Key": {"id": {"S": account}},
            "UpdateExpression": "ADD balance :amount",
            "ExpressionAttributeValues": {":amount": {"N": str(amount)}},
        }
    }


def transfers(client: Any, seed: int) -> None:
    """Take from one account and give to up to four others, again and again."""
    source = random.Random(seed)
    for number in range(TRANSFERS):
        giver, *takers = source.sample(ACCOUNTS, source.randint(2, 5))
        amount = source.randint(1, 9)
        client.transact_write_items(
            TransactItems=[add(giver, -amount * len(takers)), *[add(taker, amount) for taker in takers]]
        )
        client.put_item(TableName=TABLE, Item={"id": {"S": f"other-{seed}"}, "number": {"N": str(number)}})


def total(client: Any) -> int:
    gets = [{"Get": {"TableName": TABLE, "Key": {"id": {"S": account}}}} for account in ACCOUNTS]
    responses = client.transact_get_items(TransactItems=gets)["Responses"]
    return sum(int(response["Item"]["balance"]["N"]) for response in responses)


def play(replication: ReplicationConfig) -> list[int]:
    """Let money move in the east; return every sum of all accounts that a reader in the west saw meanwhile."""
    with Cluster((EAST, WEST), template=Config(replication=replication), announce=False) as cluster:
        cluster.create_global_table(TABLE, hash_key="id")
        east, west = cluster.client(EAST), cluster.client(WEST)
        east.transact_write_items(TransactItems=[add(account, OPENING) for account in ACCOUNTS])
        cluster.wait_converged(TABLE)
        tellers = [cluster.client(EAST) for _ in range(TELLERS)]
        over = Event()

        def watch() -> list[int]:
            seen = [total(west)]
            while not over.is_set():
                seen.append(total(west))
            return seen

        with ThreadPoolExecutor(TELLERS + 1) as threads:
            watching = threads.submit(watch)
            try:
                list(threads.map(transfers, tellers, range(TELLERS)))
            finally:
                over.set()
            seen = watching.result()
        cluster.wait_converged(TABLE)
        assert total(east) == total(west) == TOTAL
        return seen


def test_while_money_moves_in_one_region_the_sum_in_the_other_never_changes() -> None:
    assert set(play(GROUP)) == {TOTAL}


def test_item_by_item_both_regions_end_alike() -> None:
    assert play(ITEM)
