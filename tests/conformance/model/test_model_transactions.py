"""Random transactions, sent at once, leave what some order of them one by one would leave, and reads see whole ones."""

from __future__ import annotations

import asyncio
from typing import Any

from engine_model import Refused, Region, in_region
from hypothesis import given, settings
from hypothesis import strategies as st

TABLE = "accounts"
NAMES = ("ann", "bob", "cat")
OPENING = 10
DEFINITION: dict[str, Any] = {
    "TableName": TABLE,
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
}
REFUSED = Refused("TransactionCanceledException")
_amounts = st.integers(1, OPENING)
_transfers = st.permutations(NAMES).flatmap(lambda names: st.tuples(st.just(names[0]), st.just(names[1]), _amounts))


def _change(name: str, amount: int, condition: str | None = None) -> dict[str, Any]:
    change: dict[str, Any] = {
        "TableName": TABLE,
        "Key": {"pk": {"S": name}},
        "UpdateExpression": "ADD balance :change, writes :one",
        "ExpressionAttributeValues": {":change": {"N": str(amount)}, ":one": {"N": "1"}},
    }
    if condition is not None:
        change["ConditionExpression"] = condition
        change["ExpressionAttributeValues"][":least"] = {"N": str(-amount)}
    return {"Update": change}


async def _open(region: Region) -> None:
    await region.run("CreateTable", **DEFINITION)
    for name in NAMES:
        item = {"pk": {"S": name}, "balance": {"N": str(OPENING)}, "writes": {"N": "0"}}
        await region.run("PutItem", TableName=TABLE, Item=item)


async def _read(region: Region) -> dict[str, int]:
    """Return all balances as one transaction sees them."""
    wanted = [{"Get": {"TableName": TABLE, "Key": {"pk": {"S": name}}}} for name in NAMES]
    answer = await region.run("TransactGetItems", TransactItems=wanted)
    return {found["Item"]["pk"]["S"]: int(found["Item"]["balance"]["N"]) for found in answer["Responses"]}


async def _transfer(region: Region, source: str, target: str, amount: int) -> Any:
    actions = [_change(source, -amount, "balance >= :least"), _change(target, amount)]
    return await region.run("TransactWriteItems", TransactItems=actions)


async def _add_by_reading(region: Region, name: str) -> int:
    """Add one to an account by writing what was read, where nobody wrote meanwhile; return how often that was done."""
    key = {"pk": {"S": name}}
    answer = await region.run("GetItem", TableName=TABLE, Key=key, ConsistentRead=True)
    item = answer["Item"]
    new = {
        **item,
        "balance": {"N": str(int(item["balance"]["N"]) + 1)},
        "writes": {"N": str(int(item["writes"]["N"]) + 1)},
    }
    put = {
        "TableName": TABLE,
        "Item": new,
        "ConditionExpression": "writes = :seen",
        "ExpressionAttributeValues": {":seen": item["writes"]},
    }
    return int(await region.run("TransactWriteItems", TransactItems=[{"Put": put}]) == {})


@settings(max_examples=80)
@given(st.lists(_transfers, min_size=1, max_size=12), st.lists(st.sampled_from(NAMES), max_size=6), st.integers(1, 5))
def test_transactions_at_once_leave_what_one_by_one_would(
    transfers: list[tuple[str, str, int]], additions: list[str], reads: int
) -> None:
    async def story(region: Region) -> None:
        await _open(region)
        outcomes = await asyncio.gather(
            *[_transfer(region, *transfer) for transfer in transfers],
            *[_add_by_reading(region, it) for it in additions],
        )
        done, added = outcomes[: len(transfers)], outcomes[len(transfers) :]
        assert all(outcome in ({}, REFUSED) for outcome in done)
        expected = dict.fromkeys(NAMES, OPENING)
        for (source, target, amount), outcome in zip(transfers, done, strict=True):
            if outcome == {}:
                expected[source] -= amount
                expected[target] += amount
        for name, number in zip(additions, added, strict=True):
            expected[name] += number
        balances = await _read(region)
        assert balances == expected
        assert min(balances.values()) >= 0
        seen = [await _read(region) for _ in range(reads)]
        assert seen == [balances] * reads

    in_region(story)


@settings(max_examples=60)
@given(st.lists(_transfers, min_size=1, max_size=12))
def test_a_transaction_that_reads_sees_no_half_of_one_that_writes(transfers: list[tuple[str, str, int]]) -> None:
    async def story(region: Region) -> None:
        await _open(region)
        work = [step for transfer in transfers for step in (_transfer(region, *transfer), _read(region))]
        outcomes = await asyncio.gather(*work)
        assert [sum(seen.values()) for seen in outcomes[1::2]] == [OPENING * len(NAMES)] * len(transfers)

    in_region(story)
