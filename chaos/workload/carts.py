"""Carts: a cart is the items of one partition, changed line by line, and read whole by a Query.

What it is good for: queries see one moment of a region; lines that two regions change at once conflict, others merge.
Each product has its own index entry, so that indexes are exercised too.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from chaos.history import Access
from chaos.workload.session import Answer, Session, Step, delete, put, tag_in, update
from chaos.workload.workload import Ground, Workload, schema
from region.randomness import Rng

PRODUCTS: Final = tuple(f"p{number}" for number in range(5))
BY_PRODUCT: Final = "by-product"


class Carts(Workload):
    """Puts products into carts, changes quantities, takes them out, and looks into carts."""

    name: ClassVar[str] = "carts"

    def schemas(self) -> list[dict[str, Any]]:
        """Return one table with a global index by product, which carries the quantity."""
        made = schema(self.table, ranged=True)
        made["GlobalSecondaryIndexes"] = [
            {
                "IndexName": BY_PRODUCT,
                "KeySchema": [
                    {"AttributeName": "sk", "KeyType": "HASH"},
                    {"AttributeName": "pk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["quantity"]},
            }
        ]
        return [made]

    async def act(self, session: Session, ground: Ground, rng: Rng) -> None:
        """Do one thing that a customer does."""
        cart = self.any_key(rng)
        key = {**cart, "sk": {"S": PRODUCTS[int(rng.uniform(0, len(PRODUCTS)))]}}
        roll = rng.uniform(0, 1)
        if roll < 0.4:
            await session.perform(self._look(cart))
        elif roll < 0.65:
            await session.perform(put(ground.recorder, self.table, key, f="add", quantity={"N": "1"}))
        elif roll < 0.85:
            values = {":one": {"N": "1"}, ":none": {"N": "0"}}
            expression = "SET quantity = if_not_exists(quantity, :none) + :one"
            await session.perform(update(ground.recorder, self.table, key, expression, values, f="more"))
        else:
            await session.perform(delete(ground.recorder, self.table, key, f="remove"))

    def _look(self, cart: dict[str, Any]) -> Step:
        texts = {product: f"{cart['pk']['S']}/{product}" for product in PRODUCTS}

        def found(answer: Answer) -> tuple[Access, ...]:
            lines = {line["sk"]["S"]: line for line in answer["Items"]}
            return tuple(Access("r", self.table, text, tag_in(lines.get(it))) for it, text in texts.items())

        request = {
            "TableName": self.table,
            "KeyConditionExpression": "pk = :cart",
            "ExpressionAttributeValues": {":cart": cart["pk"]},
            "ConsistentRead": True,
        }
        accesses = tuple(Access("r", self.table, text) for text in texts.values())
        return Step("look", "Query", request, accesses, found=found)
