"""dynamodb-admin from npm, started against a region: its pages make a table, write items, and find them again."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "js" / "node_modules" / "dynamodb-admin" / "dist" / "dynamodb-admin.js"
LISTENING = re.compile(r"listening on (http://\S+)")
TABLE = "administered"
DEFINITION = {
    "TableDefinition": {
        "TableName": TABLE,
        "HashAttributeName": "pk",
        "HashAttributeType": "S",
        "RangeAttributeName": "sk",
        "RangeAttributeType": "N",
        "ReadCapacityUnits": 5,
        "WriteCapacityUnits": 5,
    },
    "SecondaryIndexes": [
        {
            "IndexName": "by-kind",
            "IndexType": "global",
            "HashAttributeName": "kind",
            "HashAttributeType": "S",
            "ReadCapacityUnits": 5,
            "WriteCapacityUnits": 5,
        }
    ],
}
ITEMS = [{"pk": "a", "sk": number, "kind": "even" if number % 2 == 0 else "odd"} for number in range(4)]


class Admin:
    """The running program, and how a browser would talk to it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, method: str, path: str, body: Any = None) -> str:
        """Send a request; return the body of the answer, or fail on an error."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text: str = answer.read().decode()
            return text

    def items(self, **query: Any) -> Any:
        """Ask for a page of the table's items as its page does."""
        written = "&".join(
            f"{name}={quote(value if isinstance(value, str) else json.dumps(value))}" for name, value in query.items()
        )
        return json.loads(self.ask("GET", f"/tables/{TABLE}/items?{written}"))


@pytest.fixture(scope="module")
def admin(fleet: Any) -> Iterator[Admin]:
    """dynamodb-admin on a free port, with a table and its items made through it."""
    command = ["node", str(SCRIPT), "--host", "127.0.0.1", "--port", "0", "--dynamo-endpoint"]
    with subprocess.Popen(
        [*command, fleet.endpoint("us-east-1")], env=fleet.environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        found = next(match for line in process.stdout if (match := LISTENING.search(line)))
        admin = Admin(found.group(1))
        try:
            admin.ask("POST", "/create-table", DEFINITION)
            fleet.wait_active(TABLE, "us-east-1")
            for item in ITEMS:
                admin.ask("PUT", f"/tables/{TABLE}/add-item", item)
            yield admin
        finally:
            process.terminate()


def test_the_front_page_lists_the_tables(admin: Admin) -> None:
    assert TABLE in admin.ask("GET", "/")
    assert TABLE in [table["TableName"] for table in json.loads(admin.ask("GET", "/api/tables"))]


def test_items_are_listed_page_by_page(admin: Admin) -> None:
    first = admin.items(pageSize=3)
    assert [item["sk"] for item in first["Items"]] == [0, 1, 2]
    rest = admin.items(pageSize=3, startKey=json.loads(unquote(first["nextKey"])))
    assert [item["sk"] for item in rest["Items"]] == [3]


def test_an_index_is_queried_and_items_are_filtered(admin: Admin) -> None:
    even = {"kind": {"type": "S", "operator": "=", "value": "even"}}
    found = admin.items(operationType="query", queryableSelection="by-kind", filters=even)
    assert sorted(item["sk"] for item in found["Items"]) == [0, 2]
    filtered = admin.items(filters=even | {"sk": {"type": "N", "operator": ">", "value": "0"}})
    assert [item["sk"] for item in filtered["Items"]] == [2]


def test_an_item_is_changed_and_deleted(admin: Admin) -> None:
    admin.ask("PUT", f"/tables/{TABLE}/add-item", {"pk": "b", "sk": 1})
    changed = {"pk": "b", "sk": 1, "note": {"list": [1, None, True]}}
    assert json.loads(admin.ask("PUT", f"/tables/{TABLE}/items/b,1", changed)) == changed
    assert "note" in admin.ask("GET", f"/tables/{TABLE}/items/b,1")
    admin.ask("DELETE", f"/tables/{TABLE}/items/b,1")
    assert [item["sk"] for item in admin.items()["Items"]] == [0, 1, 2, 3]


@pytest.mark.parametrize("page", ["", "/meta", "/ttl", "/add-item", "/get"])
def test_every_page_of_a_table_opens(admin: Admin, page: str) -> None:
    assert TABLE in admin.ask("GET", f"/tables/{TABLE}{page}")
