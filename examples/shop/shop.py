"""A small shop in several regions: a cart as one item, which loses writes, and a cart as many, which does not."""

from __future__ import annotations

from typing import Any


class ItemCart:
    """A cart in one item: what is in it is a list, read and written back whole."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def add(self, cart: str, article: str) -> None:
        """Put an article into a cart."""
        self._client.put_item(
            TableName=self._table, Item={"id": {"S": cart}, "articles": {"L": [*self._read(cart), {"S": article}]}}
        )

    def articles(self, cart: str) -> set[str]:
        """Return what is in a cart."""
        return {entry["S"] for entry in self._read(cart)}

    def _read(self, cart: str) -> list[dict[str, str]]:
        found = self._client.get_item(TableName=self._table, Key={"id": {"S": cart}})
        articles: list[dict[str, str]] = found.get("Item", {}).get("articles", {}).get("L", [])
        return articles


class RowCart:
    """A cart in many items, one an article: two regions that add different articles write different items."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def add(self, cart: str, article: str) -> None:
        """Put an article into a cart."""
        self._client.put_item(TableName=self._table, Item={"cart": {"S": cart}, "article": {"S": article}})

    def articles(self, cart: str) -> set[str]:
        """Return what is in a cart."""
        found = self._client.query(
            TableName=self._table,
            KeyConditionExpression="cart = :cart",
            ExpressionAttributeValues={":cart": {"S": cart}},
        )
        return {item["article"]["S"] for item in found["Items"]}
