"""The comparison with DynamoDB Local is itself checked, on answers made up here; no DynamoDB Local is needed."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest
from answer_differences import differences, normalised
from explanations import explanations
from oracle_connection import Reply
from random_requests import Requests


def answer(**body: Any) -> Reply:
    return Reply("", "", body)


def test_answers_that_say_the_same_do_not_differ() -> None:
    ours = answer(Item={"s": {"NS": ["2", "1.0"]}, "n": {"N": "1E2"}})
    oracle = answer(Item={"s": {"NS": ["1", "2"]}, "n": {"N": "100"}})
    assert differences("GetItem", ours, oracle) == []


@pytest.mark.parametrize(
    ("ours", "oracle", "said"),
    [
        (answer(Count=1), answer(Count=2), ("Count = 1", "Count = 2")),
        (answer(), answer(Item={"a": {"S": "b"}}), ("Item = nothing", 'Item = {"a": {"S": "b"}}')),
        (answer(), Reply("Refused", "no", {}), ("an answer", "Refused: no")),
        (Reply("Refused", "yes", {}), Reply("Refused", "no", {}), ("Refused: yes", "Refused: no")),
        (answer(L=[{"S": "a"}]), answer(L=[{"S": "b"}]), ('L[].S = "a"', 'L[].S = "b"')),
    ],
)
def test_every_difference_is_found(ours: Reply, oracle: Reply, said: tuple[str, str]) -> None:
    assert [tuple(found) for found in differences("GetItem", ours, oracle)] == [("GetItem", *said)]


def test_lists_keep_their_order_where_it_means_something() -> None:
    assert normalised({"L": [2, 1]}) != normalised({"L": [1, 2]})
    assert normalised({"Tags": [2, 1]}) == normalised({"Tags": [1, 2]})


def test_no_explanation_covers_an_answer_that_differs_in_an_item() -> None:
    for operation in ("GetItem", "Query", "PutItem"):
        covering = [it.what for it in explanations() if it.covers(operation, 'Item.a = {"S": "x"}', "Item.a = nothing")]
        assert covering == []


def test_every_explanation_says_why_and_from_where() -> None:
    for explanation in explanations():
        assert explanation.reason
        assert explanation.source


def test_a_seed_decides_every_request() -> None:
    runs = [list(itertools.islice(Requests(random.Random(7)), 200)) for _ in range(2)]
    assert json.dumps(runs[0]) == json.dumps(runs[1])
