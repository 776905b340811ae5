"""Statements go through the writer exactly if they write."""

from typing import Any

import pytest

from region.operation import OPERATIONS

SELECT = {"Statement": "SELECT * FROM things"}
INSERT = {"Statement": "INSERT INTO things VALUE {'pk': 'a'}"}
EXISTS = {"Statement": "EXISTS(SELECT * FROM things WHERE pk = 'a' AND v = 1)"}
BOGUS = {"Statement": "bogus"}


def writes(name: str, request: dict[str, Any]) -> bool:
    decide = OPERATIONS[name].writes
    assert callable(decide)
    return decide(request)


@pytest.mark.parametrize(("statement", "expected"), [(SELECT, False), (INSERT, True), (EXISTS, True), (BOGUS, False)])
def test_a_statement_writes_unless_it_selects(statement: dict[str, str], *, expected: bool) -> None:
    assert writes("ExecuteStatement", dict(statement)) is expected


@pytest.mark.parametrize(
    ("statements", "expected"), [([SELECT, SELECT], False), ([SELECT, BOGUS], False), ([SELECT, INSERT], True)]
)
def test_several_statements_write_if_one_of_them_does(statements: list[dict[str, str]], *, expected: bool) -> None:
    assert writes("BatchExecuteStatement", {"Statements": statements}) is expected
    assert writes("ExecuteTransaction", {"TransactStatements": statements}) is expected
