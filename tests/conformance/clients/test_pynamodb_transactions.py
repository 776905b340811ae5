"""PynamoDB's transactions, unmodified: writes and reads of several models at once, conditions, versions, tokens."""

from __future__ import annotations

from typing import Any

import pytest
from pynamodb.attributes import NumberAttribute, UnicodeAttribute, VersionAttribute
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, TransactWriteError
from pynamodb.models import Model
from pynamodb.transactions import TransactGet, TransactWrite

REGION = "us-east-1"


@pytest.fixture(scope="module")
def account(fleet: Any) -> Any:
    class Account(Model):
        """An account, with a version that every save checks."""

        class Meta:
            """Which table, and where."""

            table_name = "pynamodb-accounts"
            region = REGION
            host = fleet.endpoint(REGION)
            aws_access_key_id = "test"
            aws_secret_access_key = "test"
            billing_mode = "PAY_PER_REQUEST"

        name = UnicodeAttribute(hash_key=True)
        balance = NumberAttribute(default=0)
        version = VersionAttribute()

    Account.create_table(wait=True)
    return Account


@pytest.fixture(scope="module")
def connection(fleet: Any, account: Any) -> Connection:
    assert account.exists()
    return Connection(
        region=REGION, host=fleet.endpoint(REGION), aws_access_key_id="test", aws_secret_access_key="test"
    )


@pytest.fixture
def opened(account: Any, connection: Connection) -> Any:
    """Two accounts, written as one."""
    for name in ("ann", "bob"):
        for found in account.query(name):
            account(name).delete(condition=account.name == found.name, add_version_condition=False)
    with TransactWrite(connection=connection) as transaction:
        transaction.save(account("ann", balance=10))
        transaction.save(account("bob", balance=1))
    return account


def test_a_transfer_moves_both_balances_or_none(opened: Any, connection: Connection) -> None:
    def transfer(amount: int) -> None:
        ann, bob = opened.get("ann"), opened.get("bob")
        with TransactWrite(connection=connection) as transaction:
            transaction.update(ann, [opened.balance.add(-amount)], condition=opened.balance >= amount)
            transaction.update(bob, [opened.balance.add(amount)])

    transfer(4)
    with pytest.raises(TransactWriteError) as caught:
        transfer(7)
    assert [reason and reason.code for reason in caught.value.cancellation_reasons] == ["ConditionalCheckFailed", None]
    assert [opened.get(name).balance for name in ("ann", "bob")] == [6, 5]


def test_a_stale_version_cancels_the_transaction(opened: Any, connection: Connection) -> None:
    stale = opened.get("ann")
    fresh = opened.get("ann")
    fresh.balance = 20
    fresh.save()
    transaction = TransactWrite(connection=connection)
    transaction.save(stale)
    transaction.delete(opened.get("bob"))
    with pytest.raises(TransactWriteError):
        transaction._commit()
    assert opened.get("bob").balance == 1


def test_a_token_makes_a_transaction_happen_once(opened: Any, connection: Connection) -> None:
    for _ in range(2):
        with TransactWrite(connection=connection, client_request_token="once") as transaction:
            transaction.update(opened("ann"), [opened.balance.add(1)], add_version_condition=False)
    assert opened.get("ann").balance == 11


def test_a_read_of_several_items_is_one_transaction(opened: Any, connection: Connection) -> None:
    with TransactGet(connection=connection) as transaction:
        ann, nobody = transaction.get(opened, "ann"), transaction.get(opened, "nobody")
    assert ann.get().balance == 10
    with pytest.raises(DoesNotExist):
        nobody.get()
