from __future__ import annotations

from typing import Any

import msgspec
import pytest
from rich.console import Console

from atoll.cli import lag
from atoll.report import Addresses, Alarm, ClockReport, LatencyReport, LinkReport, Status, StoreReport
from replication.lag import Latency, LinkStatus


def link(at: str, **changes: Any) -> LinkReport:
    report = LinkReport(
        source="a",
        sink="b",
        at=at,
        state="live",
        detail="",
        sequence=5,
        head=5,
        records_behind=0,
        oldest_unacknowledged_s=None,
        latency=None,
        staleness_s=None,
        last_exchange_s=0.1,
        skew_ms=0,
        changes=0,
        conflicts=0,
        connections=1,
        errors=0,
        paused_for_s=None,
    )
    return msgspec.structs.replace(report, **changes)


def status(region: str, *links: LinkReport) -> Status:
    return Status(
        region=region,
        state="live",
        version="0",
        pid=1,
        peers=[],
        tables=[],
        links=list(links),
        addresses=Addresses(api="", admin="", replication=""),
        clock=ClockReport(wall_ms=0, hlc=0, offset_ms=0),
        store=StoreReport(durability="normal", epoch="", log_head=0, log_tail=0),
    )


def merged(source: LinkReport | None, sink: LinkReport | None) -> LinkReport:
    (found,) = lag.links({"a": source and status("a", source), "b": sink and status("b", sink)})
    return found


def test_of_what_both_ends_know_the_worse_stands() -> None:
    found = merged(
        link("a", records_behind=7, oldest_unacknowledged_s=3.0, last_exchange_s=0.2),
        link("b", records_behind=2, staleness_s=4.0, last_exchange_s=0.1),
    )
    assert (found.records_behind, found.oldest_unacknowledged_s, found.staleness_s) == (7, 3.0, 4.0)
    assert found.last_exchange_s == 0.2


@pytest.mark.parametrize("at", ["a", "b"])
def test_a_link_is_live_only_if_both_ends_say_so(at: str) -> None:
    ill = {"state": "parked", "detail": "6 s ahead"}
    found = merged(link("a", **(ill if at == "a" else {})), link("b", **(ill if at == "b" else {})))
    assert (found.state, found.detail) == ("parked", "6 s ahead")


def test_a_latency_that_one_end_knows_is_shown() -> None:
    latency = LatencyReport(last_ms=3, p50_ms=2, p99_ms=9, count=4)
    assert merged(link("a", latency=latency), link("b")).latency == latency
    assert merged(link("a"), link("b", latency=latency)).latency == latency


@pytest.mark.parametrize("down", ["a", "b"])
def test_a_link_with_an_end_that_does_not_answer_is_unreachable_whatever_the_other_says(down: str) -> None:
    found = merged(None if down == "a" else link("a"), None if down == "b" else link("b"))
    assert (found.state, found.detail) == ("unreachable", f"{down} does not answer")


def test_nothing_is_known_of_links_when_nobody_answers() -> None:
    assert lag.links({"a": None, "b": None}) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.0, "0 ms"), (0.0124, "12 ms"), (1.25, "1.2 s"), (119, "119.0 s"), (600, "10 min")],
)
def test_spans_are_written_for_people(seconds: float | None, text: str) -> None:
    assert lag.span(seconds) == text


def test_a_report_of_a_link_has_the_fields_that_replication_gives_it() -> None:
    assert LinkReport.__struct_fields__ == LinkStatus.__struct_fields__
    assert LatencyReport.__struct_fields__ == Latency.__struct_fields__


def test_a_link_whose_end_is_down_says_so_and_not_how_long_its_pause_lasts(capsys: pytest.CaptureFixture[str]) -> None:
    found = lag.links({"a": status("a", link("a", state="paused", paused_for_s=30.0)), "b": None})
    shown(found, 160)
    assert "b does not answer" in capsys.readouterr().out


def test_on_a_narrow_terminal_no_number_is_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    paused = link("a", source="ap-northeast-1", sink="us-east-1", state="paused", paused_for_s=28.4, staleness_s=1.5)
    shown([paused], 80)
    heading, numbers, note = capsys.readouterr().out.splitlines()
    assert heading.split() == ["link", "state", "behind", "oldest", "latency", "staleness", "exchange"]
    assert numbers.split() == ["ap-northeast-1->us-east-1", "paused", "0", "-", "-", "1.5", "s", "100", "ms"]
    assert note == "ap-northeast-1->us-east-1: for 28.4 s more"


def shown(reports: list[LinkReport], width: int) -> None:
    Console(width=width).print(lag.render(reports, width))


def test_alarms_stand_below_the_table_once_each_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    alarm = Alarm(kind="parked", subject="a->b", message="Changes of a wait at b.", remedy="Set the clock of a right.")
    one, other = status("a", link("a", state="parked")), status("b", link("b", state="parked"))
    one.alarms, other.alarms = [alarm], [alarm]
    raised = lag.alarms({"a": one, "b": other, "c": None})
    assert raised == [alarm]
    Console(width=160).print(lag.render([link("a", state="parked")], 160, raised))
    assert "parked Changes of a wait at b. Set the clock of a right." in capsys.readouterr().out


def test_a_paused_table_is_named_with_what_is_left_of_its_pause() -> None:
    assert lag._note(link("a", paused_tables={"songs": 12.0, "albums": None})) == (
        "albums paused; songs paused for 12.0 s more"
    )
