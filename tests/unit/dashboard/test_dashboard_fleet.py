"""What the page shows is what the regions say, the worse of two ends, and never a zero that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.fleet import Fleet

A, B = "us-east-1", "eu-west-1"
HALF, SLOW = {"kind": "loss", "share": 0.5}, {"kind": "delay", "ms": 50}


def link(source: str, sink: str, at: str, **changes: Any) -> dict[str, Any]:
    return {
        "source": source,
        "sink": sink,
        "at": at,
        "state": "live",
        "detail": "",
        "records_behind": 0,
        "oldest_unacknowledged_s": None,
        "latency": {"last_ms": 3, "p50_ms": 3, "p99_ms": 9, "count": 4},
        "staleness_s": 0.1,
        "last_exchange_s": 0.1,
        "skew_ms": 0,
        "changes": 0,
        "paused_for_s": None,
        **changes,
    }


def report(region: str, peer: str, *, head: int = 0, pid: int = 1, **changes: Any) -> dict[str, Any]:
    links = [link(peer, region, region, **changes), link(region, peer, region, **changes)]
    return {
        "state": "live",
        "pid": pid,
        "addresses": {"api": "http://api", "admin": "http://admin"},
        "store": {"log_head": head},
        "clock": {"offset_ms": 0, "refusing": False},
        "alarms": [],
        "rpo": {"nowhere_else": {"records": 0, "bytes": 0, "oldest_s": None, "exact": True}},
        "tables": [{"name": "orders", "items": 2}],
        "links": links,
    }


def fleet(**changes: Any) -> Fleet:
    made = Fleet((A, B))
    made.heard(A, report(A, B, **changes), 0)
    made.heard(B, report(B, A), 0)
    return made


def test_a_fleet_whose_links_are_live_and_empty_is_converged() -> None:
    view = fleet().view(1000)
    assert view["headline"]["equal"]
    assert view["links"][f"{A}->{B}"]["state"] == "live"
    assert view["links"][f"{A}->{B}"]["lag_ms"] == 3
    assert "oldest_s" not in view["links"][f"{A}->{B}"]


def test_a_link_is_as_ill_as_the_worse_of_its_ends_says_and_its_lag_is_the_age_of_what_waits() -> None:
    view = fleet(state="unreachable", records_behind=7, oldest_unacknowledged_s=12.34).view(1000)
    cut = view["links"][f"{A}->{B}"]
    assert (cut["state"], cut["behind"], cut["lag_ms"], cut["oldest_s"]) == ("unreachable", 7, 12340, 12.3)
    assert not view["headline"]["equal"]
    assert "unreachable" in view["headline"]["why"]
    assert view["headline"]["worst_lag_ms"] == 12340


def test_a_cut_link_with_nothing_to_deliver_still_grows_old() -> None:
    view = fleet(state="unreachable", staleness_s=30.0).view(1000)
    assert view["links"][f"{B}->{A}"]["lag_ms"] == 30000


def test_a_region_that_does_not_answer_makes_its_links_unreachable_and_is_named() -> None:
    silent = fleet()
    silent.view(0)
    silent.heard(B, None, 500)
    view = silent.view(1000)
    assert view["regions"][B] == {"state": "unreachable"}
    assert {it["state"] for it in view["links"].values()} == {"unreachable"}
    assert view["headline"]["why"] == f"{B} does not answer"
    assert any(mark["text"] == "does not answer" for mark in view["marks"])


def test_writes_a_second_are_a_regions_own_and_begin_anew_with_its_process() -> None:
    made = fleet()
    made.heard(A, report(A, B, head=30, changes=10), 1000)
    assert made.view(1000)["regions"][A]["writes_s"] == 20.0
    made.heard(A, report(A, B, head=30, pid=2), 2000)
    assert made.view(2000)["regions"][A]["writes_s"] == 0.0


def test_conflicts_are_counted_over_the_last_minute() -> None:
    made = fleet()
    made.conflicted({"number": 1}, 1000)
    made.conflicted({"number": 2}, 50_000)
    assert made.view(55_000)["headline"]["conflicts_min"] == 2
    view = made.view(62_000)
    assert view["headline"]["conflicts_min"] == 1
    assert view["conflicts"]["total"] == 2
    assert view["conflicts"]["recent"][0] == {"number": 2}


def test_a_skewed_clock_is_shown_as_it_is() -> None:
    view = fleet(skew_ms=-90_000).view(0)
    assert view["regions"][A]["skew_ms"] == 90_000
    assert view["links"][f"{B}->{A}"]["skew_ms"] == -90_000


def test_what_is_at_risk_and_what_waits_for_a_person_is_shown_by_region() -> None:
    made = fleet()
    told = report(A, B)
    told["rpo"]["nowhere_else"] = {"records": 3, "bytes": 90, "oldest_s": 1.5, "exact": True}
    told["clock"]["refusing"] = True
    told["alarms"] = [{"message": "The clock is off.", "remedy": "Set it."}]
    made.heard(A, told, 0)
    view = made.view(0)["regions"]
    assert view[A]["rpo"] == {"records": 3, "bytes": 90, "oldest_s": 1.5, "exact": True}
    assert view[A]["fenced"]
    assert view[A]["alarms"] == ["The clock is off. Set it."]
    assert view[B]["rpo"] == {"records": 0, "bytes": 0, "exact": True}
    assert "fenced" not in view[B]


def test_a_samples_lag_has_no_entry_where_nothing_is_known() -> None:
    made = fleet(latency=None)
    made.heard(B, report(B, A, latency=None), 0)
    made.view(2000)
    (sample,) = made.samples()
    assert sample["lag"] == {}
    assert sample["states"][f"{A}->{B}"] == "live"


@pytest.mark.parametrize(
    ("faults", "figures"),
    [
        ([], {}),
        ([{"kind": "loss", "link": f"{A}->{B}", "share": 0.33}], {"loss": 0.33}),
        ([{"kind": "loss", "link": f"{B}->{A}", "share": 0.33}], {}),
        (
            [{"kind": "loss", "link": "*->*", "share": 0.5}, {"kind": "loss", "link": f"*->{B}", "share": 0.5}],
            {"loss": 0.75},
        ),
        (
            [{"kind": "delay", "link": f"{A}->*", "ms": 100}, {"kind": "delay", "link": "*->*", "ms": 20}],
            {"delay_ms": 120},
        ),
        ([{"kind": "bandwidth", "link": f"{A}->{B}", "kb_s": 64}], {"kb_s": 64}),
        ([{"kind": "crash", "region": A}, {"kind": "cut", "link": f"{A}->{B}"}], {}),
    ],
)
def test_a_link_shows_what_strikes_it_in_figures(faults: list[dict[str, Any]], figures: dict[str, Any]) -> None:
    made = fleet()
    made.faults = {str(number): {"fault": fault} for number, fault in enumerate(faults)}
    shown = made.view(1000)["links"][f"{A}->{B}"]
    assert {name: shown[name] for name in ("loss", "delay_ms", "kb_s") if name in shown} == figures
