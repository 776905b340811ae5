"""Random item operations, with random conditions and updates, answer as a dictionary of items would."""

from __future__ import annotations

from typing import Any

from engine_model import (
    ATTRIBUTES,
    VALUES,
    Predicate,
    Refused,
    Region,
    conditions,
    in_region,
    update_text,
    updated,
    updates,
    with_values,
)
from hypothesis import given, settings
from hypothesis import strategies as st

TABLE = "things"
KEYS = ("k1", "k2", "k3")
DEFINITION: dict[str, Any] = {
    "TableName": TABLE,
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
}
FAILED = Refused("ConditionalCheckFailedException")
INVALID = Refused("ValidationException")
_keys = st.sampled_from(KEYS)
_attributes = st.dictionaries(st.sampled_from(ATTRIBUTES), st.sampled_from(VALUES), max_size=3)
_conditions = st.none() | conditions


class Model:
    """The items by key, and what each operation answers."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}

    def refuses(self, key: str, condition: Predicate | None) -> bool:
        return condition is not None and not condition.holds(self.items.get(key, {}))

    def answer(self, key: str) -> dict[str, Any]:
        return {"Attributes": self.items[key]} if key in self.items else {}


class Steps:
    """One step of each operation, in the region and in the model, and whether they agree."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.model = Model()

    async def put(self, key: str, attributes: dict[str, Any], condition: Predicate | None) -> None:
        item = {"pk": {"S": key}, **attributes}
        expected: Any = FAILED if self.model.refuses(key, condition) else self.model.answer(key)
        assert await self._write("PutItem", condition, Item=item, ReturnValues="ALL_OLD") == expected
        if expected is not FAILED:
            self.model.items[key] = item

    async def delete(self, key: str, condition: Predicate | None) -> None:
        expected: Any = FAILED if self.model.refuses(key, condition) else self.model.answer(key)
        assert await self._write("DeleteItem", condition, Key={"pk": {"S": key}}, ReturnValues="ALL_OLD") == expected
        if expected is not FAILED:
            self.model.items.pop(key, None)

    async def update(self, key: str, parts: list[Any], condition: Predicate | None) -> None:
        old = self.model.items.get(key, {"pk": {"S": key}})
        expected: Any
        try:
            expected = {"Attributes": updated(old, parts)}
        except ValueError:
            expected = INVALID
        if self.model.refuses(key, condition):
            expected = FAILED
        text = update_text(parts)
        request = {"Key": {"pk": {"S": key}}, "ReturnValues": "ALL_NEW", "UpdateExpression": text}
        assert await self._write("UpdateItem", condition, text, **request) == expected
        if isinstance(expected, dict):
            self.model.items[key] = expected["Attributes"]

    async def transact(self, puts: list[tuple[str, dict[str, Any], Predicate | None]]) -> None:
        refused = any(self.model.refuses(key, condition) for key, _, condition in puts)
        items = [
            {"Put": self._conditional(condition, Item={"pk": {"S": key}, **attributes})}
            for key, attributes, condition in puts
        ]
        answer = await self.region.run("TransactWriteItems", TransactItems=items)
        assert answer == (Refused("TransactionCanceledException") if refused else {})
        if not refused:
            self.model.items.update({key: {"pk": {"S": key}, **attributes} for key, attributes, _ in puts})

    async def check(self) -> None:
        for key in KEYS:
            answer = await self.region.run("GetItem", TableName=TABLE, Key={"pk": {"S": key}})
            assert answer.get("Item") == self.model.items.get(key)
        scanned = await self.region.run("Scan", TableName=TABLE)
        assert {item["pk"]["S"]: item for item in scanned["Items"]} == self.model.items

    async def _write(self, operation: str, condition: Predicate | None, *texts: str, **request: Any) -> Any:
        return await self.region.run(operation, **self._conditional(condition, *texts, **request))

    def _conditional(self, condition: Predicate | None, *texts: str, **request: Any) -> dict[str, Any]:
        if condition is not None:
            request["ConditionExpression"] = condition.text
            texts = (*texts, condition.text)
        return with_values({"TableName": TABLE, **request}, *texts)


_steps = st.one_of(
    st.tuples(st.just("put"), _keys, _attributes, _conditions),
    st.tuples(st.just("delete"), _keys, _conditions),
    st.tuples(st.just("update"), _keys, updates, _conditions),
    st.tuples(st.just("update"), _keys, updates, _conditions),
    st.tuples(
        st.just("transact"),
        st.lists(st.tuples(_keys, _attributes, _conditions), min_size=1, max_size=3, unique_by=lambda put: put[0]),
    ),
)


@settings(max_examples=150)
@given(st.lists(_steps, min_size=1, max_size=25))
def test_item_operations_answer_as_a_dictionary_would(chosen: list[tuple[Any, ...]]) -> None:
    async def story(region: Region) -> None:
        await region.run("CreateTable", **DEFINITION)
        steps = Steps(region)
        for name, *arguments in chosen:
            await getattr(steps, name)(*arguments)
        await steps.check()

    in_region(story)
