from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos import history
from chaos.history import Access, Event, Recorder


def stopwatch(*times_ns: int) -> Callable[[], int]:
    waiting = list(times_ns)
    return lambda: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def recorded(path: Path | None = None) -> Recorder:
    recorder = Recorder(stopwatch(*range(10, 100, 10)), path)
    process = recorder.process()
    access = Access("w", "songs", "k", recorder.tag())
    call = recorder.invoke(process, "east", "write", table="songs", key="k", accesses=(access,))
    call.ok()
    call = recorder.invoke(process, "east", "read", accesses=(Access("r", "songs", "k"),))
    call.ok(accesses=(Access("r", "songs", "k", access.tag),))
    call = recorder.invoke(process, "east", "delete", accesses=(Access("d", "songs", "k", recorder.tag()),))
    call.info("no answer")
    recorder.close()
    return recorder


def test_what_was_recorded_is_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    events = recorded(path).events
    assert history.read(path) == events
    assert [event.index for event in events] == list(range(6))
    assert [event.time_ns for event in events] == [10, 20, 30, 40, 50, 60]
    assert path.read_bytes().splitlines()[0] == (
        b'{"index":0,"time_ns":10,"process":0,"region":"east","type":"invoke","f":"write","table":"songs","key":"k",'
        b'"accesses":[["w","songs","k","t1"]]}'
    )
    history.write(tmp_path / "again.jsonl", events)
    assert (tmp_path / "again.jsonl").read_bytes() == path.read_bytes()


def test_half_a_last_line_is_no_event_and_a_broken_line_in_the_midst_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    events = recorded(path).events
    lines = path.read_bytes()
    path.write_bytes(lines[:-5])
    assert history.read(path) == events[:-1]
    path.write_bytes(b"{}\n" + lines)
    with pytest.raises(ValueError, match=r"line 1 of .* is no event"):
        history.read(path)
    path.write_bytes(lines + lines)
    with pytest.raises(ValueError, match=r"line 7 of .* has index 0, not 6"):
        history.read(path)


def test_an_operation_is_its_invocation_and_its_completion() -> None:
    write, read, delete = history.operations(recorded().events)
    assert (write.outcome, write.invoked_ns, write.returned_ns) == ("ok", 10, 20)
    assert write.writes == [Access("w", "songs", "k", "t1")]
    assert write.reads == []
    assert read.reads == [Access("r", "songs", "k", "t1")]
    assert (delete.outcome, delete.returned_ns, delete.reads) == ("info", None, [])
    assert delete.writes == [Access("d", "songs", "k", "t2")]


def test_an_operation_that_failed_wrote_nothing_and_may_have_read() -> None:
    recorder = Recorder(stopwatch(1))
    call = recorder.invoke(0, "east", "write", accesses=(Access("w", "songs", "k", "t1"),))
    call.fail("ConditionalCheckFailedException", accesses=(Access("r", "songs", "k", "t0"),))
    (failed,) = history.operations(recorder.events)
    assert failed.writes == []
    assert failed.reads == [Access("r", "songs", "k", "t0")]


def test_what_never_ended_is_unknown() -> None:
    recorder = Recorder(stopwatch(1))
    recorder.invoke(0, "east", "read")
    (cut,) = history.operations(recorder.events)
    assert (cut.outcome, cut.returned_ns) == ("info", None)


def test_a_process_does_one_thing_at_a_time() -> None:
    begin = Event(index=0, time_ns=0, process=1, region="east", type="invoke", f="read")
    with pytest.raises(ValueError, match="process 1 begins event 0 with another operation open"):
        history.operations([begin, begin])
    with pytest.raises(ValueError, match="event 0 ends what process 1 never began"):
        history.operations([Event(index=0, time_ns=0, process=1, region="east", type="ok", f="read")])


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_times_never_fall_whatever_the_stopwatch_says(times: list[int]) -> None:
    recorder = Recorder(stopwatch(*times, times[-1]))
    for process in range(len(times)):
        recorder.invoke(process, "east", "read")
    seen = [event.time_ns for event in recorder.events]
    assert seen == sorted(seen)


def test_a_key_is_the_contents_of_its_attributes() -> None:
    assert history.key_text({"pk": {"S": "a"}, "sk": {"N": "5"}}) == "a/5"
    assert history.key_text({"pk": {"B": b"\xff"}}) == "\xff"
