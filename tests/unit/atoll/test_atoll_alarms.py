"""Alarms are there for as long as their cause, and say what to do."""

from __future__ import annotations

import msgspec
import pytest
from test_atoll_observability import LINK

from atoll.alarms import alarms
from atoll.report import KinesisReport
from replication.fencing import ClockWatch, Fence
from replication.lag import Estimate, LinkState


def watch(fence: Fence = "warn", skew_ms: int = 0) -> ClockWatch:
    made = ClockWatch("a", fence, 1000, lambda _: None, lambda _: None)
    made.look([Estimate(skew_ms, 2)] * 2, 2)
    return made


@pytest.mark.parametrize("state", sorted({*LinkState} - {LinkState.PARKED, LinkState.NEEDS_RESYNCHRONISATION}))
def test_what_mends_itself_is_no_alarm(state: LinkState) -> None:
    assert alarms("a", [msgspec.structs.replace(LINK, state=state)], watch()) == []


def test_a_parked_link_says_how_to_let_it_pass() -> None:
    parked = msgspec.structs.replace(LINK, state=LinkState.PARKED, detail="over the park bound by 12 ms")
    (alarm,) = alarms("a", [parked], watch())
    assert (alarm.kind, alarm.subject) == ("parked", "a->b")
    assert "12 ms" in alarm.message
    assert "atoll force a->b" in alarm.remedy


def test_a_link_past_the_tail_is_an_alarm() -> None:
    lost = msgspec.structs.replace(LINK, state=LinkState.NEEDS_RESYNCHRONISATION, detail="the log begins after 7")
    (alarm,) = alarms("a", [lost], watch())
    assert alarm.kind == "needs resynchronisation"
    assert "the log begins after 7" in alarm.message


@pytest.mark.parametrize(("fence", "says"), [("warn", "regions."), ("refuse", "it refuses writes.")])
def test_a_wrong_clock_is_an_alarm(fence: Fence, says: str) -> None:
    (alarm,) = alarms("a", [], watch(fence, -3000))
    assert (alarm.kind, alarm.subject) == ("clock off", "a")
    assert "3000 ms ahead of most other" in alarm.message
    assert alarm.message.endswith(says)


def test_a_stream_that_refuses_changes_is_an_alarm_after_a_minute() -> None:
    behind = KinesisReport(
        table="things",
        stream="arn",
        status="ACTIVE",
        sequence=1,
        delivered=0,
        retried=5,
        throttled=0,
        lost=0,
        units=0,
        oldest_s=61.0,
        problem="nobody answers",
    )
    (alarm,) = alarms("a", [], watch(), [behind])
    assert (alarm.kind, alarm.subject) == ("stream behind", "things->arn")
    assert "61 s: nobody answers" in alarm.message
    for calm in ({"oldest_s": 59.0}, {"problem": None}, {"oldest_s": None}):
        assert alarms("a", [], watch(), [msgspec.structs.replace(behind, **calm)]) == []
