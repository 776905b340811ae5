"""ExecuteStatement as boto3 sees it, against a real process."""

from typing import Any

import pytest
from botocore.exceptions import ClientError


def s(text: str) -> dict[str, str]:
    return {"S": text}


def n(number: object) -> dict[str, str]:
    return {"N": str(number)}


def item(pk: str, sk: int, **more: Any) -> dict[str, Any]:
    return {"pk": s(pk), "sk": n(sk), **more}


@pytest.fixture
def filled(dynamodb: Any, table: str) -> str:
    """Two partitions, a and b, of three items each."""
    for pk in "ab":
        for sk in (1, 2, 3):
            more = {"g": s(f"g{sk % 2}"), "l": s(f"l{9 - sk}"), "v": n(10 * sk), "ss": {"SS": ["p", "q"]}}
            more["m"] = {"M": {"x": {"L": [n(1), s("two")]}}}
            dynamodb.put_item(TableName=table, Item=item(pk, sk, **more))
    return table


def run(dynamodb: Any, statement: str, *parameters: dict[str, Any], **more: Any) -> list[Any]:
    if parameters:
        more["Parameters"] = list(parameters)
    items: list[Any] = dynamodb.execute_statement(Statement=statement, **more)["Items"]
    return items


def refusal(dynamodb: Any, statement: str, *parameters: dict[str, Any], **more: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        run(dynamodb, statement, *parameters, **more)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize(
    ("clause", "sorts"),
    [
        ("pk = 'a' AND sk = 1", [1]),
        ("pk = 'a' AND sk = 9", []),
        ("pk = 'a'", [1, 2, 3]),
        ("'a' = pk AND 1 < sk", [2, 3]),
        ("pk = 'a' AND sk BETWEEN 2 AND 3", [2, 3]),
        ("pk = 'a' AND sk > 1 AND sk < 3", [2]),
        ("pk = 'a' AND sk IN [1, 3]", [1, 3]),
        ("pk = 'a' AND (sk = 1 OR sk = 2)", [1, 2]),
        ("pk = 'a' AND sk <> 2", [1, 3]),
        ("pk = 'a' AND pk = 'b'", []),
        ("pk = 'a' ORDER BY sk DESC", [3, 2, 1]),
        ("pk = 'a' AND v = 20", [2]),
        ("pk = 'a' AND v IN (10, 30)", [1, 3]),
        ("pk = 'a' AND contains(ss, 'p') AND size(ss) = 2 AND attribute_type(v, 'N')", [1, 2, 3]),
        ("pk = 'a' AND begins_with(g, 'g1')", [1, 3]),
        ("pk = 'a' AND m.x[0] = 1 AND zz IS MISSING AND v IS NOT MISSING", [1, 2, 3]),
        ("NOT pk = 'b' AND v < 30", [1, 2]),
    ],
)
def test_where_becomes_get_query_or_scan(dynamodb: Any, filled: str, clause: str, sorts: list[int]) -> None:
    found = run(dynamodb, f'SELECT sk FROM "{filled}" WHERE {clause}')
    assert [int(row["sk"]["N"]) for row in found] == sorts


def test_a_select_list_answers_flat(dynamodb: Any, filled: str) -> None:
    found = run(
        dynamodb, f"SELECT v, m.x[1], m['x'] [0], zz FROM \"{filled}\" WHERE pk = ? AND sk = ?", s("a"), n("1.0")
    )
    assert found == [{"v": n(10), "x[1]": s("two"), "x[0]": n(1)}]
    whole = run(dynamodb, f'SELECT * FROM "{filled}" WHERE pk = ? AND sk = ?', s("a"), n(1))
    key = {"pk": s("a"), "sk": n(1)}
    assert whole == [dynamodb.get_item(TableName=filled, Key=key)["Item"]]


def test_indexes_are_read_by_their_names(dynamodb: Any, filled: str) -> None:
    found = run(dynamodb, f'SELECT * FROM "{filled}"."keys-only" WHERE g = \'g0\' ORDER BY sk')
    assert sorted(row["pk"]["S"] for row in found) == ["a", "b"]
    assert set(found[0]) == {"pk", "sk", "g"}
    local = run(dynamodb, f"SELECT v FROM \"{filled}\".\"local\" WHERE pk = 'a' AND begins_with(l, 'l')")
    assert local == [{"v": n(30)}, {"v": n(20)}, {"v": n(10)}]
    missing = refusal(dynamodb, f'SELECT v FROM "{filled}"."keys-only" WHERE g = \'g0\'')
    assert missing == (
        "ValidationException",
        "One or more parameter values were invalid: Global secondary index keys-only does not project [v]",
    )
    none = refusal(dynamodb, f'SELECT v FROM "{filled}"."none"')
    assert none == ("ValidationException", "The table does not have the specified index: none")


def test_pages_go_on_where_their_tokens_say(dynamodb: Any, filled: str) -> None:
    statement = f"SELECT pk, sk FROM \"{filled}\" WHERE pk IN ['b', 'a'] ORDER BY pk DESC, sk"
    found, token, pages = [], None, 0
    while pages == 0 or token is not None:
        more = {} if token is None else {"NextToken": token}
        answer = dynamodb.execute_statement(Statement=statement, Limit=2, **more)
        assert "LastEvaluatedKey" not in answer or "NextToken" in answer
        found += [(row["pk"]["S"], int(row["sk"]["N"])) for row in answer["Items"]]
        token = answer.get("NextToken")
        pages += 1
    assert found == [("b", 1), ("b", 2), ("b", 3), ("a", 1), ("a", 2), ("a", 3)]


def test_a_token_belongs_to_its_statement(dynamodb: Any, filled: str) -> None:
    statement = f'SELECT pk FROM "{filled}" WHERE pk = ?'
    first = dynamodb.execute_statement(Statement=statement, Parameters=[s("a")], Limit=1)
    assert first["LastEvaluatedKey"] == {"pk": s("a"), "sk": n(1)}
    invalid = ("ValidationException", "Invalid NextToken")
    for token, parameter in (
        ("garbage", "a"),
        ("bm8=", "a"),
        (first["NextToken"], "b"),
        (first["NextToken"][:-4], "a"),
    ):
        assert refusal(dynamodb, statement, s(parameter), NextToken=token) == invalid
    assert len(run(dynamodb, statement, s("a"), NextToken=first["NextToken"])) == 2


def test_a_statement_with_in_answers_ten_items_a_page(dynamodb: Any, filled: str) -> None:
    for sk in range(10, 20):
        dynamodb.put_item(TableName=filled, Item=item("a", sk))
    answer = dynamodb.execute_statement(Statement=f"SELECT * FROM \"{filled}\" WHERE pk IN ['a', 'b']")
    assert len(answer["Items"]) == 10
    assert "NextToken" in answer


@pytest.mark.parametrize(
    ("clause", "message"),
    [
        ("pk = 1", "Key attribute's data type should match its data type in table's schema: Key pk"),
        ("pk = 'a' AND sk = 'x'", "Key attribute's data type should match its data type in table's schema: Key sk"),
        (
            "sk = 'x'",
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        (
            "pk = ''",
            "One or more parameter values are not valid. "
            "The AttributeValue for a key attribute cannot contain an empty string value. Key: pk",
        ),
        ("pk = 'a' ORDER BY v", "Variable reference v in ORDER BY clause must be part of the primary key"),
        (
            "v = 1 ORDER BY sk",
            "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.",
        ),
        ("pk = ?", "Number of parameters in request and statement don't match."),
        (
            "v = v",
            "The first operand must be distinct from the remaining operands for this operator or function; "
            "operator: =, first operand: [v]",
        ),
        (
            "v BETWEEN 2 AND 1",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            "lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}",
        ),
        (
            "pk IN [" + ", ".join(f"'{number}'" for number in range(51)) + "]",
            "The IN operator is provided with too many operands; number of operands: 51",
        ),
    ],
)
def test_a_clause_that_does_not_fit_the_table_is_refused(dynamodb: Any, table: str, clause: str, message: str) -> None:
    assert refusal(dynamodb, f'SELECT * FROM "{table}" WHERE {clause}') == ("ValidationException", message)


def test_a_table_that_is_not_there_is_not_found(dynamodb: Any) -> None:
    assert refusal(dynamodb, "SELECT * FROM nothere")[0] == "ResourceNotFoundException"
    assert refusal(dynamodb, "INSERT INTO nothere VALUE {'pk': 'a'}")[0] == "ResourceNotFoundException"
    assert refusal(dynamodb, 'SELECT * FROM "no"') == (
        "ValidationException",
        "Table name should be within the length [3, 255] and only contain 'a-z', 'A-Z', '0-9', '-', '_', '.'.",
    )


def test_a_statement_has_at_most_8192_characters(dynamodb: Any) -> None:
    code, message = refusal(dynamodb, "S" * 8193)
    assert code == "ValidationException"
    assert "8192" in message


def test_insert_writes_a_new_item_and_never_replaces_one(dynamodb: Any, table: str) -> None:
    written = "{'pk': 'a', 'sk': ?, 'list': [1, {'x': <<'q', 'p'>>}], 'raw': ?, 'yes': true, 'no': null}"
    statement = f'INSERT INTO "{table}" VALUE {written}'
    assert run(dynamodb, statement, n("01.0"), {"B": b"raw"}) == []
    stored = dynamodb.get_item(TableName=table, Key={"pk": s("a"), "sk": n(1)})["Item"]
    assert stored == item(
        "a",
        1,
        list={"L": [n(1), {"M": {"x": {"SS": ["p", "q"]}}}]},
        raw={"B": b"raw"},
        yes={"BOOL": True},
        no={"NULL": True},
    )
    with pytest.raises(dynamodb.exceptions.DuplicateItemException) as raised:
        run(dynamodb, statement, n(1), {"B": b"other"})
    assert raised.value.response["Error"]["Message"] == "Duplicate primary key exists in table"
    assert dynamodb.get_item(TableName=table, Key={"pk": s("a"), "sk": n(1)})["Item"] == stored


def test_update_changes_what_it_names(dynamodb: Any, filled: str) -> None:
    where = "WHERE pk = 'a' AND sk = 1"
    update = f'UPDATE "{filled}"'
    assert run(dynamodb, f"{update} SET v = v + 1 SET w = 'x' REMOVE g {where}") == []
    assert run(dynamodb, f"{update} SET v = v - ? {where} RETURNING MODIFIED OLD *", n(1)) == [{"v": n(11)}]
    assert run(dynamodb, f"{update} SET v = v - ? {where} RETURNING MODIFIED NEW *", n(1)) == [{"v": n(9)}]
    added = run(dynamodb, f"{update} SET ss = set_add(ss, <<'r'>>) {where} RETURNING MODIFIED NEW *")
    assert added == [{"ss": {"SS": ["p", "q", "r"]}}]
    gone = run(dynamodb, f"{update} SET ss = SET_DELETE(ss, ?) {where} RETURNING MODIFIED NEW *", {"SS": ["p", "r"]})
    assert gone == [{"ss": {"SS": ["q"]}}]
    appended = run(dynamodb, f"{update} SET m.x = list_append(m.x, [3]) {where} RETURNING MODIFIED NEW *")
    assert appended == [{"m": {"M": {"x": {"L": [n(1), s("two"), n(3)]}}}}]
    (before,) = run(dynamodb, f"{update} REMOVE m.x[0] {where} RETURNING ALL OLD *")
    (after,) = run(dynamodb, f"{update} SET w = if_not_exists(w, 'y') {where} AND v = 9 RETURNING ALL NEW *")
    assert before["m"]["M"]["x"]["L"][0] == n(1)
    assert after == before | {"m": {"M": {"x": {"L": [s("two"), n(3)]}}}}
    assert after == dynamodb.get_item(TableName=filled, Key={"pk": s("a"), "sk": n(1)})["Item"]


def test_an_update_needs_its_item(dynamodb: Any, filled: str) -> None:
    failed = ("ConditionalCheckFailedException", "The conditional request failed")
    assert refusal(dynamodb, f"UPDATE \"{filled}\" SET v = 1 WHERE pk = 'zz' AND sk = 1") == failed
    with pytest.raises(ClientError) as raised:
        run(
            dynamodb,
            f"UPDATE \"{filled}\" SET v = 1 WHERE pk = 'a' AND sk = 1 AND v = 77",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert raised.value.response["Item"]["v"] == n(10)


def test_a_delete_needs_no_item_but_what_is_there_must_meet_the_clause(dynamodb: Any, filled: str) -> None:
    delete = f"DELETE FROM \"{filled}\" WHERE pk = 'a' AND sk ="
    assert run(dynamodb, f"{delete} 33 AND v = 1 RETURNING ALL OLD *") == []
    assert refusal(dynamodb, f"{delete} 1 AND v = 1")[0] == "ConditionalCheckFailedException"
    (old,) = run(dynamodb, f"{delete} 1 AND v = 10 RETURNING ALL OLD *")
    assert old["v"] == n(10)
    assert run(dynamodb, f"{delete} 1") == []
    assert dynamodb.scan(TableName=filled, Select="COUNT")["Count"] == 5


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE {} SET v = 1", "Where clause does not contain a mandatory equality on all key attributes"),
        (
            "UPDATE {} SET v = 1 WHERE pk = 'a' AND sk > 1",
            "Where clause does not contain a mandatory equality on all key attributes",
        ),
        (
            "DELETE FROM {} WHERE pk IN ['a'] AND sk = 1",
            "Where clause does not contain a mandatory equality on all key attributes",
        ),
        (
            "UPDATE {} SET v = 1 WHERE pk = 'a' AND sk = 1 AND sk = 2",
            "Multiple conditions on same key sk. Only single item Update/Insert/Delete are supported",
        ),
        (
            "UPDATE {} SET v = 1 WHERE pk = 'a' AND sk = 'x'",
            "Key attribute's data type should match its data type in table's schema: Key sk",
        ),
        (
            "UPDATE {} SET pk = 'b' WHERE pk = 'a' AND sk = 1",
            "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key",
        ),
        (
            "UPDATE {} SET v = 1 SET v.x = 2 WHERE pk = 'a' AND sk = 1",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; "
            "path one: [v, x], path two: [v]",
        ),
        (
            "UPDATE {} SET v = zz + 1 WHERE pk = 'a' AND sk = 1",
            "The provided expression refers to an attribute that does not exist in the item",
        ),
        (
            "UPDATE {} SET v = list_append(v, 2) WHERE pk = 'a' AND sk = 1",
            "Incorrect operand type for operator or function; operator or function: list_append, operand type: N",
        ),
        ("INSERT INTO {} VALUE {{'pk': 'a'}}", "Key attribute should be present in the item: Key sk"),
        (
            "INSERT INTO {} VALUE {{'pk': 1, 'sk': 1}}",
            "Key attribute's data type should match its data type in table's schema: Key pk",
        ),
    ],
)
def test_a_write_that_does_not_fit_the_table_is_refused(
    dynamodb: Any, filled: str, statement: str, message: str
) -> None:
    refused = refusal(dynamodb, statement.format(f'"{filled}"'))
    assert refused == ("ValidationException", message)


def test_a_statement_costs_what_the_item_operations_cost(dynamodb: Any, filled: str) -> None:
    def cost(statement: str, **more: Any) -> Any:
        answer = dynamodb.execute_statement(Statement=statement, ReturnConsumedCapacity="INDEXES", **more)
        return answer["ConsumedCapacity"]

    read = f"SELECT * FROM \"{filled}\" WHERE pk = 'a' AND sk = 1"
    assert cost(read)["CapacityUnits"] == 0.5
    assert cost(read, ConsistentRead=True)["CapacityUnits"] == 1.0
    index = cost(f'SELECT * FROM "{filled}"."everything" WHERE g = \'g1\'')
    assert index["GlobalSecondaryIndexes"] == {"everything": {"CapacityUnits": 0.5}}
    written = cost(f"UPDATE \"{filled}\" SET v = 5 WHERE pk = 'b' AND sk = 1")
    key = {"pk": s("a"), "sk": n(1)}
    twin = dynamodb.update_item(
        TableName=filled,
        Key=key,
        UpdateExpression="SET v = :v",
        ExpressionAttributeValues={":v": n(5)},
        ReturnConsumedCapacity="INDEXES",
    )
    assert written == twin["ConsumedCapacity"]
