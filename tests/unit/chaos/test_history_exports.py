from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chaos import exports, history
from chaos.history import Access, Event, Recorder

Step = tuple[str, str, str, str, int]
"""Region, kind of access, key, outcome, process."""

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["east", "west"]),
        st.sampled_from("rwd"),
        st.sampled_from(["a", "b", 'c "quoted"']),
        st.sampled_from(["ok", "fail", "info"]),
        st.integers(0, 2),
    ),
    max_size=20,
)


def made(steps: list[Step]) -> list[Event]:
    """A history whose operations follow one another; reads find what the step says, not what was written."""
    ticks = iter(range(1_000_000))
    recorder = Recorder(lambda: next(ticks))
    for region, action, key, outcome, process in steps:
        tag = None if action == "r" else recorder.tag()
        access = Access(action, "songs", key, tag)  # type: ignore[arg-type]  # Sampled from the three actions.
        call = recorder.invoke(process, region, {"r": "read", "w": "write", "d": "delete"}[action], accesses=(access,))
        if outcome == "ok":
            call.ok(accesses=(Access("r", "songs", key, "t1") if action == "r" else access,))
        elif outcome == "fail":
            call.fail("ConditionalCheckFailedException", accesses=(Access("r", "songs", key, "t1"),))
        else:
            call.info("timeout")
    return recorder.events


def parse(text: str) -> Any:
    """Read the small part of EDN that the exports use."""
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^\s,{}\[\]]+', text)

    def value() -> Any:
        token = tokens.pop(0)
        if token in "{[":
            items: list[Any] = []
            while tokens[0] not in "}]":
                items.append(value())
            tokens.pop(0)
            return dict(zip(items[::2], items[1::2], strict=True)) if token == "{" else items
        return None if token == "nil" else token if token.startswith(":") else json.loads(token)

    return value()


@given(STEPS)
def test_elle_gets_every_event_of_keys_that_were_never_deleted(steps: list[Step]) -> None:
    events = made(steps)
    deleted = {access.key for event in events for access in event.accesses if access.action == "d"}
    lines = {parsed[":index"]: parsed for parsed in map(parse, exports.elle_registers(events))}
    for event in events:
        (access,) = event.accesses
        if access.key in deleted:
            assert event.index not in lines
            continue
        expected = None if event.type == "invoke" and access.action == "r" else access.tag
        assert lines.pop(event.index) == {
            ":index": event.index,
            ":time": event.time_ns,
            ":process": event.process,
            ":type": f":{event.type}",
            ":f": ":txn",
            ":value": [[f":{access.action}", f"songs/{access.key}", expected]],
        }
    assert lines == {}


@given(STEPS)
def test_porcupine_gets_every_operation_of_a_region_that_says_something(steps: list[Step]) -> None:
    events = made(steps)
    for region in ("east", "west"):
        lines = [json.loads(line) for line in exports.porcupine(events, region)]
        meant = [
            it
            for it in history.operations(events)
            if it.invocation.region == region and (it.reads or (it.writes and it.outcome != "fail"))
        ]
        assert [line["call"] for line in lines] == [it.invoked_ns for it in meant]
        for line, operation in zip(lines, meant, strict=True):
            returned = operation.returned_ns
            assert line["return"] == (exports.NEVER_NS if returned is None else returned)
            assert line["output"]["ok"] is {"ok": True, "fail": False, "info": None}[operation.outcome]
            assert line["key"] == f"songs/{operation.invocation.accesses[0].key}"
            if operation.writes:
                (written,) = operation.writes
                op = {"w": "write", "d": "delete"}[written.action]
                assert line["input"] == {"op": op, "tag": written.tag}
            else:
                assert line["input"] == {"op": "read"}
            assert ("tag" in line["output"]) is bool(operation.reads)


def test_lists_are_exported_as_appends_and_reads_of_lists() -> None:
    recorder = Recorder(lambda: 5)
    recorder.invoke(0, "east", "append", table="sets", key="s", value=3).ok()
    recorder.invoke(0, "east", "read-list", table="sets", key="s").ok(result=[1, 3])
    recorder.invoke(0, "west", "read-list", table="sets", key="s").ok(result=[])
    assert list(exports.elle_lists(recorder.events, "east")) == [
        '{:index 0, :time 5, :process 0, :type :invoke, :f :txn, :value [[:append "sets/s" 3]]}',
        '{:index 1, :time 5, :process 0, :type :ok, :f :txn, :value [[:append "sets/s" 3]]}',
        '{:index 2, :time 5, :process 0, :type :invoke, :f :txn, :value [[:r "sets/s" nil]]}',
        '{:index 3, :time 5, :process 0, :type :ok, :f :txn, :value [[:r "sets/s" [1 3]]]}',
    ]
    assert len(list(exports.elle_lists(recorder.events))) == 6
