"""Faults survive the way through TOML and JSON, and say whom they strike."""

from __future__ import annotations

import json
import tomllib

import pytest

from chaos import faults
from chaos.faults import ClockJump, Crash, Cut, Delay, Fault

REGIONS = ("a", "b", "c")
SAMPLES: dict[str, dict[str, object]] = {
    "delay": {"ms": 5},
    "loss": {"share": 0.5},
    "duplicate": {"share": 0.5},
    "reorder": {"share": 0.5},
    "bandwidth": {"kb_s": 10},
    **{kind: {"region": "a", "ms": 5} for kind in ("clock-offset", "clock-jump", "disk-slow")},
    "clock-drift": {"region": "a", "ppm": 100},
    **{kind: {"region": "a"} for kind in ("clock-freeze", "crash", "suspend", "disk-full", "restore-old-copy")},
    **{kind: {} for kind in ("cut", "tear", "pause")},
}


@pytest.mark.parametrize("kind", faults.KINDS)
def test_every_kind_of_fault_survives_json(kind: str) -> None:
    fault = faults.decode({"kind": kind, "at_ms": 3, "for_ms": 4, **SAMPLES[kind]})
    assert fault.kind == kind
    assert faults.decode(json.loads(json.dumps(faults.encode(fault)))) == fault


def test_a_fault_is_a_table_of_toml() -> None:
    text = 'faults = [{kind = "cut", link = "a->b", mode = "refuse", at_ms = 500, for_ms = 2000}]'
    (fault,) = map(faults.decode, tomllib.loads(text)["faults"])
    assert fault == Cut(link="a->b", mode="refuse", at_ms=500, for_ms=2000)


@pytest.mark.parametrize(
    "table",
    [{"kind": "cut", "mode": "sideways"}, {"kind": "flood"}, {"kind": "crash"}, {"kind": "tear", "nonsense": 1}],
)
def test_what_is_no_fault_is_refused_with_the_reason(table: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="is no fault"):
        faults.decode(table)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("a->b", [("a", "b")]),
        ("a:b", [("a", "b")]),
        ("a->*", [("a", "b"), ("a", "c")]),
        ("*->c", [("a", "c"), ("b", "c")]),
        ("*", [(x, y) for x in REGIONS for y in REGIONS if x != y]),
    ],
)
def test_a_link_may_stand_for_several(link: str, expected: list[tuple[str, str]]) -> None:
    assert faults.links(Cut(link=link), REGIONS) == expected


@pytest.mark.parametrize("fault", [Crash(region="z"), Delay(link="a->z", ms=1)])
def test_a_region_that_there_is_not_is_refused(fault: Fault) -> None:
    with pytest.raises(ValueError, match="there is no region z"):
        faults.strikes(fault, REGIONS)


def test_a_fault_strikes_its_region_or_both_ends_of_its_links() -> None:
    assert faults.strikes(Crash(region="*"), REGIONS) == ["a", "b", "c"]
    assert faults.strikes(Cut(link="c->a"), REGIONS) == ["a", "c"]


def test_a_fault_is_told_in_a_line() -> None:
    assert faults.describe(ClockJump(region="a", ms=-5, at_ms=1500)) == "1.500 s: clock-jump a (ms -5)"
    assert faults.describe(Cut(link="a->b", for_ms=10)) == "0.000 s: cut a->b (mode blackhole) for 0.010 s"
