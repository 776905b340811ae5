"""Scenarios are read and checked whole; outages and recovery points are read off histories and samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos import scenario
from chaos.faults import Crash, Cut
from chaos.history import Recorder, operations
from chaos.outage import outages, unreplicated
from chaos.record import Applied, Lag
from chaos.scenario import ScenarioError, gallery, load, parse, script

SECOND: int = 10**9


def test_every_ready_experiment_is_whole_short_and_says_what_it_is() -> None:
    ready = gallery()
    assert len(ready) == 8
    for name, each in ready.items():
        assert load(name) == each
        assert each.about.endswith(".")
        assert each.faults
        assert each.span_s <= 12
        assert all((fault.at_ms + (fault.for_ms or 0)) / 1000 <= each.span_s for fault in each.faults)


def test_a_file_is_read_and_its_faults_are_played_in_order(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'title = "Mine"\n[[faults]]\nkind = "crash"\nregion = "eu-west-1"\nat_ms = 9\n'
        '[[faults]]\nkind = "cut"\nlink = "*->*"\nat_ms = 1\n'
    )
    read = load(str(file))
    assert [type(fault) for fault in script(read)] == [Cut, Crash]
    assert read.invariants == scenario.Scenario(title="").invariants


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no scenario"),
        ('title = "x"\nregions = ["a", "a"]', "different names"),
        ('title = "x"\n[[workloads]]\nname = "sets"\n[[workloads]]\nname = "sets"', "share a table"),
        ('title = "x"\nspan_s = 0', "is no scenario"),
        ('title = "x"\nregions = ["a"]\n[latency]', "the distance of a is not known"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(text: str, words: str) -> None:
    if "distance" in words:
        text = text.replace('["a"]', '["a", "us-east-1"]')
    with pytest.raises(ScenarioError, match=words):
        parse(text, "here.toml")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ScenarioError, match="region-loss"):
        load("nothing-of-the-kind")


def test_the_longest_spell_without_success_is_an_outage() -> None:
    now = [0]
    recorder = Recorder(lambda: now[0])
    for at_s, good in ((0.2, True), (0.5, True), (2.0, False), (3.7, True), (4.0, True)):
        now[0] = int(at_s * SECOND)
        call = recorder.invoke(recorder.process(), "a", "put")
        _ = call.ok() if good else call.fail("refused")
    (found,) = outages(operations(recorder.events), 0, 4 * SECOND)
    assert (found.region, found.began_s, round(found.seconds, 3)) == ("a", 0.5, 3.2)
    assert outages([], 0, 4 * SECOND) == []


def lag(at_s: float, link: str, behind: int) -> Lag:
    return Lag(at_s=at_s, link=link, state="live", behind=behind, age_s=0)


def test_the_recovery_point_is_what_the_least_behind_sink_lacked_when_the_region_was_lost() -> None:
    lags = [lag(1, "a->b", 9), lag(1, "a->c", 4), lag(2, "a->b", 99), lag(2, "a->c", 98), lag(1, "b->a", 0)]
    crash = Applied(fault=Crash(region="a"), began_s=1.5)
    assert unreplicated([crash], lags) == 4
    assert unreplicated([Applied(fault=Cut(), began_s=1.5)], lags) is None
    assert unreplicated([crash], []) is None
