"""Transactions of several clients at once, against a real process: as if they had come one after another."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, Literal

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from atoll import Cluster

REGION = "us-east-1"
TABLE = "bank"
ACCOUNTS = [f"account-{number}" for number in range(5)]
OPENING = 100
TELLERS = 3
TRANSFERS = 15
TOKENS = 60
IMPATIENT = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5)


def key(name: str) -> dict[str, Any]:
    return {"pk": {"S": name}}


def create_bank(client: Any) -> None:
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    for account in ACCOUNTS:
        client.put_item(TableName=TABLE, Item=key(account) | {"balance": {"N": str(OPENING)}, "touched": {"N": "0"}})
    client.put_item(TableName=TABLE, Item=key("ledger") | {"step": {"N": "0"}})


def balances(client: Any) -> tuple[int, dict[str, int]]:
    """The number of the last transfer, and what every account holds."""
    gets = [{"Get": {"TableName": TABLE, "Key": key(name)}} for name in ["ledger", *ACCOUNTS]]
    ledger, *accounts = [response["Item"] for response in client.transact_get_items(TransactItems=gets)["Responses"]]
    return int(ledger["step"]["N"]), {item["pk"]["S"]: int(item["balance"]["N"]) for item in accounts}


def update(name: str, expression: str, condition: str | None = None, **values: int) -> dict[str, Any]:
    return {
        "TableName": TABLE,
        "Key": key(name),
        "UpdateExpression": expression,
        "ExpressionAttributeValues": {f":{name}": {"N": str(value)} for name, value in values.items()},
        **({} if condition is None else {"ConditionExpression": condition}),
    }


def transfer(client: Any, source: random.Random) -> None:
    """Move money with balances that were read before, if nobody has moved any since; otherwise read again."""
    while True:
        number, held = balances(client)
        assert sum(held.values()) == OPENING * len(ACCOUNTS)
        giver, taker = source.sample(ACCOUNTS, 2)
        amount = source.randint(0, held[giver])
        entry = key(f"entry-{number + 1}") | {"from": {"S": giver}, "to": {"S": taker}, "amount": {"N": str(amount)}}
        actions = [
            {"Update": update("ledger", "SET step = :new", "step = :old", new=number + 1, old=number)},
            {"Update": update(giver, "SET balance = :left", left=held[giver] - amount)},
            {"Update": update(taker, "SET balance = :more", more=held[taker] + amount)},
            {"Put": {"TableName": TABLE, "Item": entry, "ConditionExpression": "attribute_not_exists(pk)"}},
        ]
        try:
            client.transact_write_items(TransactItems=actions)
        except client.exceptions.TransactionCanceledException as cancelled:
            reasons = [reason["Code"] for reason in cancelled.response["CancellationReasons"]]
        else:
            return
        assert reasons[0] == "ConditionalCheckFailed"


def touch(client: Any, source: random.Random, over: Event) -> dict[str, int]:
    """Write single items while transactions go on; return how often each was written."""
    touched = dict.fromkeys(ACCOUNTS, 0)
    while not over.is_set():
        account = source.choice(ACCOUNTS)
        client.update_item(**update(account, "ADD touched :one", one=1))
        touched[account] += 1
    return touched


def replayed(client: Any, number: int) -> dict[str, int]:
    """What the accounts hold after the transfers of the ledger, one after another."""
    held = dict.fromkeys(ACCOUNTS, OPENING)
    for each in range(1, number + 1):
        entry = client.get_item(TableName=TABLE, Key=key(f"entry-{each}"))["Item"]
        held[entry["from"]["S"]] -= int(entry["amount"]["N"])
        held[entry["to"]["S"]] += int(entry["amount"]["N"])
    return held


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_concurrent_transfers_equal_the_same_transfers_one_after_another(
    durability: Literal["normal", "full"],
) -> None:
    with Cluster(regions=(REGION,), durability=durability, announce=False) as cluster:
        client = cluster.client(REGION)
        create_bank(client)
        over = Event()

        clients = [cluster.client(REGION) for _ in range(TELLERS + 1)]

        def teller(seed: int) -> None:
            source = random.Random(seed)
            for _ in range(TRANSFERS):
                transfer(clients[seed], source)

        with ThreadPoolExecutor(TELLERS + 1) as threads:
            touching = threads.submit(touch, clients[0], random.Random(0), over)
            try:
                list(threads.map(teller, range(1, TELLERS + 1)))
            finally:
                over.set()
            touched = touching.result()
        number, held = balances(client)
        assert number == TELLERS * TRANSFERS
        assert held == replayed(client, number)
        for account in ACCOUNTS:
            item = client.get_item(TableName=TABLE, Key=key(account))["Item"]
            assert int(item["touched"]["N"]) == touched[account]


def once_each(client: Any, tried: Callable[[int], None]) -> None:
    """Count up under a token of its own each time, until the region is gone."""
    for number in range(TOKENS):
        tried(number)
        client.transact_write_items(
            TransactItems=[
                {"Update": update("ledger", "ADD step :one", one=1)},
                {"Put": {"TableName": TABLE, "Item": key(f"done-{number}")}},
            ],
            ClientRequestToken=f"token-{number}",
        )


def test_a_token_takes_effect_once_though_the_region_is_killed_in_the_midst() -> None:
    with Cluster(regions=(REGION,), announce=False) as cluster:
        client = cluster.client(REGION, config=IMPATIENT)
        create_bank(client)
        halfway, tried = Event(), list[int]()

        def note(number: int) -> None:
            tried.append(number)
            if number == TOKENS // 2:
                halfway.set()

        with ThreadPoolExecutor(1) as threads:
            counting = threads.submit(once_each, client, note)
            assert halfway.wait(30)
            cluster.kill(REGION)
            counting.exception()
        cluster.restart(REGION)
        client = cluster.client(REGION)
        once_each(client, note)
        assert tried[-1] == TOKENS - 1
        assert balances(client)[0] == TOKENS
        with pytest.raises(ClientError) as caught:
            client.transact_write_items(
                TransactItems=[{"Put": {"TableName": TABLE, "Item": key("other")}}], ClientRequestToken="token-0"
            )
        assert caught.value.response["Error"]["Code"] == "IdempotentParameterMismatchException"
