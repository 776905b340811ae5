"""Who is detached: the larger side of a cut decides, when all on it agree, and the smaller one knows."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region.model import settings
from region.model.settings import Register
from replication.detachment import decide

A, B, C, D = "a-1", "b-1", "c-1", "d-1"


def region_sees(region: str, cut: set[frozenset[str]], members: frozenset[str]) -> set[str]:
    """What a region decides where each pair of ``cut`` has been unable to reach each other for too long."""

    def away(of: str) -> frozenset[str]:
        return frozenset(peer for peer in members if peer != of and frozenset((of, peer)) in cut)

    told = {peer: away(peer) for peer in members - {region} - away(region)}
    return decide(region, members, away(region), told)


@pytest.mark.parametrize(
    ("region", "members", "away", "told", "decided"),
    [
        (A, {A, B}, set(), {B: set()}, set()),
        (A, {A, B}, {B}, {}, {B}),
        (B, {A, B}, {A}, {}, {B}),
        (A, {A, B, C}, {C}, {B: {C}}, {C}),
        (A, {A, B, C}, {C}, {B: set()}, set()),
        (A, {A, B, C}, {C}, {}, set()),
        (C, {A, B, C}, {A, B}, {}, {C}),
        (A, {A, B, C, D}, {C, D}, {B: {C, D}}, {C, D}),
        (C, {A, B, C, D}, {A, B}, {D: {A, B}}, {C}),
        (A, {A, B}, {C}, {B: {C}}, set()),
    ],
)
def test_the_larger_side_detaches_the_smaller_where_all_of_it_agree(
    region: str, members: set[str], away: set[str], told: dict[str, set[str]], decided: set[str]
) -> None:
    given_: Mapping[str, frozenset[str]] = {peer: frozenset(it) for peer, it in told.items()}
    assert decide(region, frozenset(members), frozenset(away), given_) == decided


PAIRS = [frozenset((one, other)) for one in (A, B, C, D) for other in (A, B, C, D) if one < other]


@given(st.sets(st.sampled_from(PAIRS)))
def test_whatever_is_cut_no_two_regions_detach_each_other_and_those_that_decide_agree(
    cut: set[frozenset[str]],
) -> None:
    members = frozenset((A, B, C, D))
    decided = {region: region_sees(region, cut, members) for region in members}
    deciding = {region: regions for region, regions in decided.items() if regions and region not in regions}
    for region, regions in deciding.items():
        assert not regions & deciding.keys()
        assert all(frozenset((region, it)) in cut for it in regions)
    assert len({frozenset(regions) for regions in deciding.values()}) <= 1


def test_a_detached_region_counts_as_none_until_it_is_made_a_replica_anew() -> None:
    replica = Register(5, A, {"RegionName": B, "ReplicaStatus": "ACTIVE"})
    registers = {settings.REPLICA + B: replica}
    assert settings.members(registers)
    registers[settings.DETACHED + B] = Register(9, A, {"AtMs": 0})
    assert settings.members(registers) == {}
    # A change of its settings, made by a region that did not know, does not bring it back.
    registers[settings.REPLICA + B] = Register(12, A, {"RegionName": B, "ReplicaStatus": "ACTIVE"})
    assert settings.members(registers) == {}
    registers[settings.REPLICA + B] = Register(20, A, {"RegionName": B, "ReplicaStatus": "CREATING", "CreatedHlc": 20})
    assert set(settings.members(registers)) == {B}
