"""The evaluator agrees with what AWS's pages say of their examples: `published/*.toml`, each case with its page."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from region.access import Case, compile_policy
from region.access.principal import principal

ACCOUNT = "123456789012"
DEFAULTS = {
    "principal": f"arn:aws:iam::{ACCOUNT}:user/alice",
    "action": "dynamodb:GetItem",
    "resource": f"arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/T",
    "owner": ACCOUNT,
    "context": {},
}
WORDS = {
    "page",
    "title",
    "says",
    "is",
    "statement",
    "case",
    "also",
    "identity",
    "resource_policy",
    "boundary",
    "session",
}


def cases() -> Iterator[Any]:
    for file in sorted((Path(__file__).parent / "published").glob("*.toml")):
        content = tomllib.loads(file.read_text())
        for example in content["example"]:
            for case in example["case"]:
                given = {**DEFAULTS, **example, **case, "page": content["page"]}
                assert not given.keys() - WORDS - DEFAULTS.keys(), given.keys()
                yield pytest.param(given, id=f"{file.stem}: {example['title']}: {case['says']}")


CASES = list(cases())


def policies_of(case: dict[str, Any]) -> dict[str, Any]:
    of_identity = [compile_policy(json.loads(case[name]), name) for name in ("identity", "also") if name in case]
    limits = {name: compile_policy(json.loads(case[name]), name) for name in ("boundary", "session") if name in case}
    return {"policies": tuple(of_identity), **limits}


@pytest.mark.parametrize("case", CASES)
def test_the_evaluator_decides_as_the_page_says(case: dict[str, Any]) -> None:
    who = principal(case["principal"], **policies_of(case))
    attached = None
    if "resource_policy" in case:
        attached = compile_policy(json.loads(case["resource_policy"]), "resource", of_resource=True)
    given = {
        key.lower(): tuple(value) if isinstance(value, list) else (value,) for key, value in case["context"].items()
    }
    judged = Case(who, case["action"], case["resource"], owner=case["owner"], resource_policy=attached)
    decision = judged.decide({**who.facts, **given}.get)
    if decision.allowed:
        found = "allowed"
    else:
        found = f"explicit deny in {decision.by}" if decision.explicit else f"no {decision.by}"
    assert found == case["is"]
    if "statement" in case:
        assert decision.statement == case["statement"]


def test_a_hundred_published_examples_and_rules_are_asked() -> None:
    assert len(CASES) >= 100
    assert len({case.id for case in CASES}) == len(CASES)
