"""The feeds of several regions as one: a pair of writes is told once, with what any region knows of it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from atoll.failure import UnreachableError
from atoll.feeds import Feeds
from atoll.findings import ConflictEntry, ConflictPage, Granted, Side
from atoll.remote import AdminClient, RequestError


def entry(number: int, recorded_ms: int, loser: int = 1, **more: Any) -> ConflictEntry:
    grants = more.pop("grants", [])
    return ConflictEntry(
        number=number,
        table="t",
        table_uid="uid",
        key="00",
        item_key={"id": {"S": "a"}},
        margin_ms=0,
        attributes_lost=[],
        recorded_ms=recorded_ms,
        winner=Side(hlc=9, origin="b", vector={}, request_id=more.get("winner")),
        loser=Side(hlc=loser, origin="a", vector={}, request_id=more.get("request")),
        double_grant=bool(grants),
        grants=grants,
    )


class Region:
    """The admin address of a region that has these entries."""

    def __init__(self, *entries: ConflictEntry, error: Exception | None = None) -> None:
        self.entries = list(entries)
        self.error = error

    def conflict_page(self, after: int, limit: int, **parameters: str) -> ConflictPage:
        if self.error is not None:
            raise self.error
        found = [each for each in self.entries if each.number > after][:limit]
        last = found[-1].number if len(found) == limit else len(self.entries)
        return ConflictPage(region="", conflicts=found, next=last, dropped=0, recorded=len(self.entries))


def feeds(**regions: Region) -> Feeds:
    return Feeds(cast(dict[str, AdminClient], regions), {})


def test_what_several_regions_recorded_of_a_pair_is_one_entry() -> None:
    read = feeds(a=Region(entry(1, 30, request="L")), b=Region(entry(1, 20, loser=2), entry(2, 40, winner="W"))).read()
    assert [(each.loser.hlc, each.recorded_ms, each.recorded_by) for each in read] == [
        (2, 20, {"b": 1}),
        (1, 30, {"a": 1, "b": 2}),
    ]
    assert (read[1].winner.request_id, read[1].loser.request_id) == ("W", "L")


def test_reading_goes_on_and_tells_a_pair_again_only_as_a_double_grant() -> None:
    one, other = Region(entry(1, 10)), Region()
    both = feeds(a=one, b=other)
    assert len(both.read()) == 1
    other.entries.append(entry(1, 12))
    assert both.read() == []
    grants = [Granted(hlc=1, origin="a", condition="c"), Granted(hlc=9, origin="b", condition="c")]
    other.entries.append(entry(2, 13, grants=grants))
    (again,) = both.read()
    assert again.double_grant
    assert both.read() == []


def test_a_region_that_does_not_answer_is_named_and_read_when_it_does() -> None:
    down = Region(entry(1, 10), error=UnreachableError("No region answers.", ""))
    both = feeds(a=down, b=Region())
    assert both.read() == []
    assert both.unreachable == {"a": "No region answers."}
    down.error = None
    assert len(both.read()) == 1
    assert both.unreachable == {}


def test_a_table_that_one_region_lacks_is_no_error_and_one_that_all_lack_is() -> None:
    lacking = RequestError("404", "There is no table t.", "a")
    assert len(feeds(a=Region(error=lacking), b=Region(entry(1, 10))).read()) == 1
    with pytest.raises(RequestError, match="There is no table"):
        feeds(a=Region(error=lacking)).read()
