"""Effects that happen twice: which call of several is superfluous, and how a write's cause travels."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trigger_region import settings

from atoll.triggers.effects import TRIGGERS, also_called_in, announcement, elsewhere, is_superfluous
from atoll.triggers.report import TriggerRecord
from region.model import cause
from region.model.settings import REPLICA, Register

REGIONS = ("ap-northeast-1", "eu-west-1", "us-east-1")
HLC = 5000 << 16


def called(**given: Any) -> dict[str, Any]:
    record = TriggerRecord(uuid="u", settings=settings(**given), created_ms=4000, modified_ms=4000)
    told = announcement([("f", record)])
    assert told is not None
    return told


def body(region: str = "us-east-1", n: str = "1") -> bytes:
    return json.dumps({"awsRegion": region, "dynamodb": {"NewImage": {"n": {"N": n}}}}).encode()


@given(calling=st.sets(st.sampled_from(REGIONS), min_size=1), origin=st.sampled_from(REGIONS))
def test_of_several_regions_calls_all_but_one_are_superfluous_and_the_writes_own_is_not(
    calling: set[str], origin: str
) -> None:
    superfluous = {region for region in calling if is_superfluous(region, calling - {region}, origin)}
    assert len(superfluous) == len(calling) - 1
    assert origin not in superfluous


def test_members_that_call_the_same_function_are_known_by_their_registers() -> None:
    registers = {f"{REPLICA}{region}": Register(1, "x", {}) for region in REGIONS[1:]}
    registers |= {f"{TRIGGERS}{region}": Register(1, region, called()) for region in REGIONS}
    assert set(elsewhere(registers, "us-east-1", "f")) == {"eu-west-1"}
    assert elsewhere(registers, "us-east-1", "g") == {}
    registers[f"{TRIGGERS}eu-west-1"] = Register(2, "eu-west-1", None)
    assert elsewhere(registers, "us-east-1", "f") == {}


@pytest.mark.parametrize(
    ("how", "also"),
    [
        ({}, True),
        ({"origin": "local"}, False),
        ({"starting_position": "LATEST"}, True),
        ({"filters": ['{"dynamodb": {"NewImage": {"n": {"N": ["1"]}}}}']}, True),
        ({"filters": ['{"dynamodb": {"NewImage": {"n": {"N": ["2"]}}}}']}, False),
        ({"filters": ['{"awsRegion": ["eu-west-1"]}']}, True),
        ({"filters": ['{"awsRegion": ["us-east-1"]}']}, False),
    ],
)
def test_another_region_calls_with_a_write_what_its_own_settings_let_through(how: dict[str, Any], also: bool) -> None:
    others = {"eu-west-1": called(**how)["f"]}
    assert also_called_in(others, "us-east-1", HLC, body()) == (["eu-west-1"] if also else [])
    assert also_called_in(others, "eu-west-1", HLC, body()) == (
        ["eu-west-1"] if also or how.get("origin") == "local" else []
    )


def test_a_trigger_that_began_after_a_write_does_not_call_with_it_and_a_disabled_one_tells_nothing() -> None:
    others = {"eu-west-1": called(starting_position="LATEST")["f"]}
    assert also_called_in(others, "us-east-1", 3999 << 16, body()) == []
    record = TriggerRecord(uuid="u", settings=settings(enabled=False), created_ms=0, modified_ms=0)
    assert announcement([("f", record)]) is None


def test_a_cause_travels_in_the_header_of_aws_sdks_and_comes_back_as_it_was() -> None:
    chain = (cause.hop("archive", "us-east-1"), cause.hop("notify_2", "eu-west-1"))
    header = cause.trace(chain, "ab" * 16)
    assert header.startswith("Root=1-abababab-abababababababababababab;")
    tagged = cause.caused("REQUEST", header.encode())
    assert tagged == "REQUEST;archive:us-east-1+notify_2:eu-west-1"
    assert cause.chain_of(tagged) == chain
    assert cause.echoes("archive", chain) == 1
    assert cause.echoes("arch", chain) == 0


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
        b"Root=1-a-b;Lineage=1:5e3a3c2b:0",
        b"Lineage=",
        b"Lineage=archive",
        b"Lineage=a:us-east-1\r\nX: y",
        b"Lineage=a:us-east-1 b",
        b"Lineage=" + b"+".join([b"a:b"] * 17),
        b"Lineage=\xff:a",
    ],
)
def test_what_is_no_lineage_of_ours_leaves_a_request_as_it_was(header: bytes) -> None:
    assert cause.caused("REQUEST", header) == "REQUEST"
    assert cause.chain_of("REQUEST") == cause.chain_of(None) == ()


def test_a_chain_keeps_its_latest_hops() -> None:
    chain = tuple(cause.hop(f"f{number}", "us-east-1") for number in range(20))
    tagged = cause.caused("R", cause.trace(chain, "0" * 32).encode())
    assert cause.chain_of(tagged) == chain[-cause.HOPS_MAX :]
