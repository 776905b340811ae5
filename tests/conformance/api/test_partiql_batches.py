"""BatchExecuteStatement and ExecuteTransaction as boto3 sees them, against a real process."""

from typing import Any

import pytest
from botocore.exceptions import ClientError


def s(text: str) -> dict[str, str]:
    return {"S": text}


def n(number: object) -> dict[str, str]:
    return {"N": str(number)}


@pytest.fixture
def filled(dynamodb: Any, table: str) -> str:
    """Three items, (a, 1) to (a, 3)."""
    for sk in (1, 2, 3):
        dynamodb.put_item(TableName=table, Item={"pk": s("a"), "sk": n(sk), "v": n(10 * sk)})
    return table


def read(table: str, sk: object, columns: str = "v") -> str:
    return f"SELECT {columns} FROM \"{table}\" WHERE pk = 'a' AND sk = {sk}"


def update(table: str, sk: object, value: int = 1, more: str = "") -> str:
    return f"UPDATE \"{table}\" SET v = {value} WHERE pk = 'a' AND sk = {sk} {more}"


def insert(table: str, sk: object) -> str:
    return f"INSERT INTO \"{table}\" VALUE {{'pk': 'a', 'sk': {sk}}}"


def exists(table: str, clause: str) -> str:
    return f'EXISTS(SELECT * FROM "{table}" WHERE {clause})'


def values(dynamodb: Any, table: str) -> dict[str, str | None]:
    items = dynamodb.query(
        TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": s("a")}
    )["Items"]
    return {row["sk"]["N"]: row.get("v", {}).get("N") for row in items}


def statements(*texts: str | dict[str, Any]) -> list[dict[str, Any]]:
    return [{"Statement": text} if isinstance(text, str) else text for text in texts]


def batch(dynamodb: Any, *texts: str | dict[str, Any], **more: Any) -> Any:
    return dynamodb.batch_execute_statement(Statements=statements(*texts), **more)


def transact(dynamodb: Any, *texts: str | dict[str, Any], **more: Any) -> Any:
    return dynamodb.execute_transaction(TransactStatements=statements(*texts), **more)


def refusal(run: Any, *arguments: Any, **more: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        run(*arguments, **more)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_batch_reads_single_items(dynamodb: Any, filled: str) -> None:
    answer = batch(
        dynamodb,
        {
            "Statement": f'SELECT v FROM "{filled}" WHERE pk = ? AND sk = ?',
            "Parameters": [s("a"), n(2)],
            "ConsistentRead": True,
        },
        read(filled, 9),
        f"SELECT v FROM \"{filled}\" WHERE pk = 'a'",
        read(filled, 1) + " AND v = 10",
        read("nothere", 1),
        "SELECT",
        ReturnConsumedCapacity="TOTAL",
    )
    single = {"Code": "ValidationError", "Message": "Only single item select is supported"}
    assert answer["Responses"] == [
        {"TableName": filled, "Item": {"v": n(20)}},
        {"TableName": filled},
        {"Error": single},
        {"Error": single},
        {"Error": {"Code": "ResourceNotFound", "Message": "Requested resource not found"}},
        {
            "Error": {
                "Code": "ValidationError",
                "Message": "Statement wasn't well formed, can't be processed: SELECT",
            }
        },
    ]
    assert [cost["CapacityUnits"] for cost in answer["ConsumedCapacity"]] == [1.0, 0.5]


def test_each_write_of_a_batch_succeeds_or_fails_by_itself(dynamodb: Any, filled: str) -> None:
    answer = batch(
        dynamodb,
        insert(filled, 1),
        insert(filled, 4),
        {"Statement": update(filled, 2, more="AND v = 99"), "ReturnValuesOnConditionCheckFailure": "ALL_OLD"},
        update(filled, 3, 7, "RETURNING ALL NEW *"),
        f"DELETE FROM \"{filled}\" WHERE pk = 'a'",
        exists(filled, "pk = 'a' AND sk = 1 AND v = 1"),
    )
    assert answer["Responses"] == [
        {
            "TableName": filled,
            "Error": {"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table"},
        },
        {"TableName": filled},
        {
            "TableName": filled,
            "Error": {
                "Code": "ConditionalCheckFailed",
                "Message": "The conditional request failed",
                "Item": {"pk": s("a"), "sk": n(2), "v": n(20)},
            },
        },
        {"TableName": filled, "Item": {"pk": s("a"), "sk": n(3), "v": n(7)}},
        {
            "Error": {
                "Code": "ValidationError",
                "Message": "Where clause does not contain a mandatory equality on all key attributes",
            }
        },
        {
            "Error": {
                "Code": "ValidationError",
                "Message": "EXISTS can only be used in ExecuteTransaction write requests.",
            }
        },
    ]
    assert values(dynamodb, filled) == {"1": "10", "2": "20", "3": "7", "4": None}


def test_a_batch_is_refused_as_a_whole_for_what_concerns_it_as_a_whole(dynamodb: Any, filled: str) -> None:
    mixed = refusal(batch, dynamodb, read(filled, 1), update(filled, 2))
    assert mixed == ("ValidationException", "Read and write requests together in the same batch is not supported.")
    twice = refusal(batch, dynamodb, insert(filled, 5), update(filled, "5.0"))
    assert twice == ("ValidationException", "Provided list of item keys contains duplicates")
    assert refusal(batch, dynamodb, *[read(filled, sk) for sk in range(26)])[0] == "ValidationException"
    assert values(dynamodb, filled) == {"1": "10", "2": "20", "3": "30"}


def test_a_transaction_reads_all_of_its_items(dynamodb: Any, filled: str) -> None:
    answer = transact(dynamodb, read(filled, 1), read(filled, 9), read(filled, 3, "*"), ReturnConsumedCapacity="TOTAL")
    assert answer["Responses"] == [
        {"Item": {"v": n(10)}},
        {},
        {"Item": {"pk": s("a"), "sk": n(3), "v": n(30)}},
    ]
    (cost,) = answer["ConsumedCapacity"]
    assert cost["ReadCapacityUnits"] == 6.0


def test_a_transaction_writes_all_or_nothing(dynamodb: Any, filled: str) -> None:
    transact(
        dynamodb,
        exists(filled, "pk = 'a' AND sk = 3 AND v IS NOT MISSING"),
        insert(filled, 4),
        {"Statement": f'UPDATE "{filled}" SET v = ? WHERE pk = ? AND sk = 1', "Parameters": [n(11), s("a")]},
        f"DELETE FROM \"{filled}\" WHERE pk = 'a' AND sk = 2",
    )
    assert values(dynamodb, filled) == {"1": "11", "3": "30", "4": None}
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as raised:
        transact(
            dynamodb,
            update(filled, 1, 99),
            insert(filled, 3),
            {"Statement": update(filled, 4, more="AND v = 1"), "ReturnValuesOnConditionCheckFailure": "ALL_OLD"},
            exists(filled, "pk = 'a' AND sk = 9 AND v IS MISSING"),
            f"UPDATE \"{filled}\" SET v = 1 WHERE pk = 'a'",
        )
    response = raised.value.response
    failed = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    assert response["CancellationReasons"] == [
        {"Code": "None"},
        {"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table"},
        failed | {"Item": {"pk": s("a"), "sk": n(4)}},
        failed,
        {
            "Code": "ValidationError",
            "Message": "Where clause does not contain a mandatory equality on all key attributes",
        },
    ]
    assert response["Error"]["Message"].endswith(
        "[None, DuplicateItem, ConditionalCheckFailed, ConditionalCheckFailed, ValidationError]"
    )
    assert values(dynamodb, filled) == {"1": "11", "3": "30", "4": None}


def test_a_client_request_token_takes_effect_once(dynamodb: Any, filled: str) -> None:
    add = f"UPDATE \"{filled}\" SET v = v + 1 WHERE pk = 'a' AND sk = 1"
    for _ in range(3):
        transact(dynamodb, add, ClientRequestToken="once")
    assert values(dynamodb, filled)["1"] == "11"
    other = refusal(transact, dynamodb, update(filled, 1), ClientRequestToken="once")
    assert other[0] == "IdempotentParameterMismatchException"


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            [read("{}", 1), update("{}", 2)],
            "ExecuteTransaction API does not support both read and write operations in the same request.",
        ),
        (
            [exists("{}", "pk = 'a' AND sk = 1 AND v = 10"), read("{}", 2)],
            "ExecuteTransaction API does not support both read and write operations in the same request.",
        ),
        ([read("{}", 1), read("{}", 1)], "Transaction request cannot include multiple operations on one item"),
        ([update("{}", 1), update("{}", 1)], "Transaction request cannot include multiple operations on one item"),
        (
            [read("{}", 1), "SELECT v FROM \"{}\" WHERE pk = 'a'"],
            "Validation failed in TransactStatements[1]: Select statements within ExecuteTransaction must specify the "
            "primary key in the where clause.",
        ),
        (
            ['SELECT v FROM "{}"."everything" WHERE g = \'a\''],
            "Validation failed in TransactStatements[0]: Reads on indices are not supported within transactions.",
        ),
        (
            [update("{}", 1, more="RETURNING ALL NEW *")],
            "Validation failed in TransactStatements[0]: RETURNING clause is not supported in ExecuteTransaction.",
        ),
        (
            [exists("{}", "pk = 'a' AND sk = 1"), update("{}", 2)],
            "Validation failed in TransactStatements[0]: EXISTS() must contain a single item read with additional "
            "condition",
        ),
        (
            [read("{}", "?")],
            "Validation failed in TransactStatements[0]: Number of parameters in request and statement don't match.",
        ),
        (["bogus"], "Unsupported operation: VariableReference"),
    ],
)
def test_a_transaction_is_refused_for_what_no_item_can_change(
    dynamodb: Any, filled: str, texts: list[str], message: str
) -> None:
    refused = refusal(transact, dynamodb, *[text.replace("{}", filled) for text in texts])
    assert refused == ("ValidationException", message)
    assert values(dynamodb, filled) == {"1": "10", "2": "20", "3": "30"}


def test_exists_stands_in_transactions_only(dynamodb: Any, filled: str) -> None:
    statement = exists(filled, "pk = 'a' AND sk = 1 AND v = 10")
    alone = refusal(dynamodb.execute_statement, Statement=statement)
    assert alone == ("ValidationException", "EXISTS can only be used in ExecuteTransaction write requests.")
    assert transact(dynamodb, statement)["Responses"] == []


def test_a_transaction_has_at_most_100_statements(dynamodb: Any, filled: str) -> None:
    assert refusal(transact, dynamodb, *[insert(filled, sk) for sk in range(101)])[0] == "ValidationException"
    transact(dynamodb, *[insert(filled, sk) for sk in range(100, 200)])
    assert len(values(dynamodb, filled)) == 103
