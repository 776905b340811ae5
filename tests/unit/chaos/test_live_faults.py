"""Faults on real processes: what needs no process to be shown."""

from __future__ import annotations

import itertools
import tomllib

import pytest

from atoll.control import command, toml
from chaos import faults
from chaos.faults import ClockDrift, ClockFreeze, ClockJump, ClockOffset, DiskFull, DiskSlow
from chaos.latency import REGIONS, delays_ms, round_trip_ms
from chaos.live.fleet import Disturbance
from chaos.live.processes import disturbance


def test_what_is_wrong_with_a_region_is_the_sum_of_its_faults() -> None:
    standing = [
        ClockOffset(region="a", ms=100),
        ClockJump(region="a", ms=-30),
        ClockDrift(region="a", ppm=5),
        ClockDrift(region="*", ppm=7),
        ClockFreeze(region="a"),
        DiskSlow(region="a", ms=3),
        DiskSlow(region="a", ms=9),
        DiskFull(region="a"),
    ]
    assert disturbance(standing) == Disturbance(
        clock_offset_ms=70, clock_drift_ppm=12, clock_frozen=True, disk_full=True, disk_slow_ms=9
    )
    assert disturbance([]) == Disturbance()


@pytest.mark.parametrize(
    "table",
    [
        {"kind": "cut", "link": "a->b", "mode": "refuse", "at_ms": 0, "for_ms": 30},
        {"kind": "loss", "link": "*->b", "share": 0.5, "at_ms": 0},
        {"kind": "crash", "region": "a", "power": False, "at_ms": 0},
    ],
)
def test_a_fault_is_shown_as_the_toml_and_the_command_that_do_the_same(table: dict[str, object]) -> None:
    assert tomllib.loads(f"fault = {toml(table)}")["fault"] == table
    shown = command(table)
    written = tomllib.loads(f"fault = {shown.partition(chr(39))[2].rpartition(chr(39))[0]}")["fault"]
    spans = {"for_ms": table["for_ms"]} if "for_ms" in table else {}
    assert faults.decode({**written, **spans}) == faults.decode(table)
    assert shown.endswith("--for 30ms") == ("for_ms" in table)


def test_every_two_regions_of_the_profile_are_some_distance_apart_in_either_direction() -> None:
    for one, other in itertools.combinations(REGIONS, 2):
        assert 15 < round_trip_ms(one, other) == round_trip_ms(other, one) < 330
    assert delays_ms(("us-east-1", "eu-west-1"), 0.5) == {
        ("us-east-1", "eu-west-1"): 20,
        ("eu-west-1", "us-east-1"): 20,
    }
    with pytest.raises(ValueError, match="mars-1"):
        delays_ms(("us-east-1", "mars-1"))
