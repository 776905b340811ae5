"""Random transactions against a model of a few lines: the same outcome, the same reasons, the same items."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from transaction_region import TransactionRegion, check, delete, get, key, put, update

NAMES = "abcd"
CONDITIONS = {None: None, "there": "attribute_exists(pk)", "missing": "attribute_not_exists(pk)", "odd": "n = :odd"}
ODD = {":odd": {"N": "1"}}
Model = dict[str, int | None]
"""The attribute ``n`` of every item that is there; ``None`` where it has none."""
Step = tuple[str, str, str | None]

STEPS = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(["put", "delete", "add", "double", "check"]),
    st.sampled_from(list(CONDITIONS)),
)
TRANSACTIONS = st.lists(st.lists(STEPS, min_size=1, max_size=4, unique_by=lambda step: step[0]), max_size=12)


def action(step: Step) -> dict[str, Any]:
    """The action of a request; ``double`` needs the attribute and fails without it."""
    name, kind, condition = step
    text = CONDITIONS[condition if condition or kind != "check" else "there"]
    more: dict[str, Any] = {} if text is None else {"ConditionExpression": text}
    values = dict(ODD) if condition == "odd" else {}
    if kind == "add":
        return update(key(name), "ADD n :one", {":one": {"N": "1"}} | values, **more)
    if kind == "double":
        return update(key(name), "SET n = n + n", values or None, **more)
    if values:
        more["ExpressionAttributeValues"] = values
    if kind == "put":
        return put(key(name), **more)
    if kind == "delete":
        return delete(key(name), **more)
    return check(key(name), more.pop("ConditionExpression"), **more)


def code(model: Model, step: Step) -> str:
    """The reason that a step gets."""
    name, kind, condition = step
    wanted = condition or ("there" if kind == "check" else None)
    holds = {None: True, "there": name in model, "missing": name not in model, "odd": model.get(name) == 1}[wanted]
    if not holds:
        return "ConditionalCheckFailed"
    return "ValidationError" if kind == "double" and model.get(name) is None else "None"


def done(model: Model, step: Step) -> None:
    """Do a step that can be done."""
    name, kind, _ = step
    if kind == "put":
        model[name] = None
    elif kind == "delete":
        model.pop(name, None)
    elif kind == "add":
        model[name] = (model.get(name) or 0) + 1
    elif kind == "double":
        model[name] = 2 * (model[name] or 0)


async def play(transactions: list[list[Step]]) -> None:
    region = await TransactionRegion().start()
    model: Model = {}
    for steps in transactions:
        codes = [code(model, step) for step in steps]
        if set(codes) == {"None"}:
            await region.write(*map(action, steps))
            for step in steps:
                done(model, step)
        else:
            reasons = await region.cancelled(*map(action, steps))
            assert [reason["Code"] for reason in reasons] == codes
        answer = await region.read(*[get(key(name)) for name in NAMES])
        assert answer["Responses"] == [
            {} if name not in model else {"Item": key(name) | attribute(model[name])} for name in NAMES
        ]
    await region.engine.close()


def attribute(number: int | None) -> dict[str, Any]:
    return {} if number is None else {"n": {"N": str(number)}}


@settings(max_examples=60, deadline=None)
@given(TRANSACTIONS)
def test_transactions_do_what_the_model_does(transactions: list[list[Step]]) -> None:
    asyncio.run(play(transactions))
