"""Source and sink, without I/O: over a link that dies anywhere and duplicates, the cursor never skips a record."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clock import DriftBounds, HybridLogicalClock, ManualClock
from region.errors import ReplicationError
from region.model import settings as registers
from region.model.change import INSERTED, ITEM, TABLE, Cursor, LogRecord
from region.model.lineage import Life, Lineage
from region.model.settings import Register
from region.model.version import Version
from replication.lag import Latencies, LinkState, Skew
from replication.message import AHEAD, EPOCH, GAP, Ack, Batch, Heartbeat, Refuse, Subscribe, Welcome
from replication.parking import Parking
from replication.sink import Sink
from replication.source import Source, SourceLimits

EAST, WEST = "us-east-1", "us-west-2"
EPOCH_ID = "e1"
PARK_MS = 5000


def record(
    sequence: int,
    *,
    uid: str = "mine",
    origin: str = EAST,
    hlc_ms: int | None = None,
    kind: int = ITEM,
    image: bytes = b"{}",
    group: str | None = None,
) -> LogRecord:
    version = Version((sequence if hlc_ms is None else hlc_ms) << 16, origin)
    return LogRecord(sequence, kind, uid, b"k", image, 2, version, None, 0, group, None, INSERTED, 0)


def new_source(limits: SourceLimits | None = None) -> Source:
    return Source(
        since=lambda uid: 0,
        region=EAST,
        sink=WEST,
        lineage=Lineage((Life(EPOCH_ID, 0),)),
        limits=limits or SourceLimits(),
        ships=lambda uid: uid == "mine",
        name_of=lambda uid: uid.upper(),
        latencies=Latencies(),
        skew=Skew(),
    )


def new_sink(cursor: Cursor | None = None, now_ms: int = 0) -> Sink:
    return Sink(
        region=WEST,
        origin=EAST,
        cursor=cursor,
        window_bytes=1 << 20,
        parking=Parking(HybridLogicalClock(WEST, ManualClock(now_ms), drift=DriftBounds(PARK_MS, PARK_MS))),
    )


def connect(source: Source, sink: Sink, head: int, tail: int = 0) -> None:
    answer = source.subscribe(sink.subscribe(), head, tail)
    assert isinstance(answer, Welcome)
    sink.welcome(answer)


def read(source: Source, log: list[LogRecord]) -> Batch | None:
    wanted = source.read()
    if wanted is None:
        return None
    own = [it for it in log if it.sequence > wanted.after and it.version.origin == EAST]
    return source.batch(own[: wanted.limit], len(log), (len(log) << 16, len(log)), len(log))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_every_record_for_the_sink_arrives_once_in_order_whatever_happens_to_connections(data: st.DataObject) -> None:
    log = [
        record(
            sequence,
            uid=data.draw(st.sampled_from(["mine", "other"])),
            origin=data.draw(st.sampled_from([EAST, WEST])),
        )
        for sequence in range(1, data.draw(st.integers(1, 30)) + 1)
    ]
    expected = [it.sequence for it in log if it.table_uid == "mine" and it.version.origin == EAST]
    limits = SourceLimits(batch_records=data.draw(st.integers(1, 4)), window_bytes=data.draw(st.integers(1, 500)))
    cursor: Cursor | None = None
    applied: list[int] = []
    for life in range(40):
        source, sink = new_source(limits), new_sink(cursor)
        connect(source, sink, len(log))
        actions = 12 if life < 20 else 200
        for _ in range(actions):
            action = data.draw(st.sampled_from(["batch", "heartbeat", "apply", "ack", "tear"])) if life < 20 else None
            if action == "tear":
                break
            if action in ("batch", None) and (frame := read(source, log)) is not None:
                sink.batch(frame, 0)
                sink.batch(frame, 0)
            if action in ("heartbeat", None):
                sink.heartbeat(source.heartbeat(len(log), (len(log) << 16, len(log)), 0), 0)
            if action in ("apply", None) and (work := sink.take(3)) is not None:
                for piece in work.pieces:
                    applied += [change.sequence for change in piece.changes]
                assert cursor is None or work.cursor.sequence >= cursor.sequence
                cursor = work.cursor
                sink.applied(work, 0)
            if action in ("ack", None):
                source.ack(sink.ack(cursor.sequence if cursor else 0, 0), 0)
        if sink.cursor.sequence == len(log):
            break
    assert applied == expected
    assert sink.cursor.sequence == len(log)
    assert sink.watermark >= len(log) << 16


def test_a_watermark_never_runs_ahead_of_the_position() -> None:
    source, sink = new_source(SourceLimits(batch_records=2)), new_sink()
    log = [record(sequence) for sequence in range(1, 6)]
    connect(source, sink, len(log))
    seen = []
    while (frame := read(source, log)) is not None:
        seen.append((frame.upto, frame.watermark >> 16))
    assert seen == [(2, 2), (4, 4), (5, 5)]


def test_the_window_stops_the_stream_until_an_acknowledgement() -> None:
    source = new_source(SourceLimits(batch_records=1, window_bytes=150))
    log = [record(sequence) for sequence in range(1, 10)]
    connect(source, new_sink(), len(log))
    assert read(source, log) is not None
    assert read(source, log) is not None
    assert source.read() is None
    source.ack(Ack(1, 0, 0, 0, 0, "live"), 0)
    assert source.read() is not None
    assert source.in_flight_records == 1


@pytest.mark.parametrize(
    ("epoch", "after", "code"), [("another", 5, EPOCH), (EPOCH_ID, 1, GAP), ("", 1, GAP), (EPOCH_ID, 11, AHEAD)]
)
def test_a_cursor_that_the_log_cannot_serve_is_refused(epoch: str, after: int, code: str) -> None:
    answer = new_source().subscribe(Subscribe(WEST, EAST, epoch, after, 1), 10, 3)
    assert isinstance(answer, Refuse)
    assert answer.code == code
    assert (answer.tail, answer.head) == (3, 10)


def test_table_records_go_to_everyone_who_is_or_was_a_member() -> None:
    source, sink = new_source(), new_sink()
    connect(source, sink, 3)

    def table_record(sequence: int, **members: object) -> LogRecord:
        image = registers.encode(
            {f"replica:{name.replace('_', '-')}": Register(1, EAST, value) for name, value in members.items()}
        )
        return record(sequence, uid="table", kind=TABLE, image=image)

    log = [
        table_record(1, us_east_1={}, us_west_2={}),
        table_record(2, us_east_1={}, us_west_2=None),
        table_record(3, us_east_1={}),
    ]
    frame = read(source, log)
    assert frame is not None
    assert [change.sequence for change in frame.changes] == [1, 2]
    assert frame.tables == [("table", "TABLE")]
    assert frame.upto == 3


def test_a_missing_frame_is_noticed() -> None:
    source, sink = new_source(SourceLimits(batch_records=1)), new_sink()
    log = [record(sequence) for sequence in range(1, 4)]
    connect(source, sink, len(log))
    read(source, log)
    second = read(source, log)
    assert second is not None
    with pytest.raises(ReplicationError, match="went from 0 to"):
        sink.batch(second, 0)
    with pytest.raises(ReplicationError, match="went from 0 to"):
        sink.heartbeat(Heartbeat(2, 3, 3, 0, 0, 0, 0, 0, False), 0)


@pytest.mark.parametrize("frame", [Batch(0, 2, 0, 0, [], []), Batch(0, 0, 0, 0, [("u", "n")], [])])
def test_a_batch_that_does_not_hold_what_it_says_is_refused(frame: Batch) -> None:
    sink = new_sink()
    connect(new_source(), sink, 5)
    with pytest.raises(ReplicationError):
        sink.batch(frame, 0)


def test_a_welcome_of_another_region_or_position_is_refused() -> None:
    with pytest.raises(ReplicationError, match="says that it is"):
        new_sink().welcome(Welcome("eu-north-1", EPOCH_ID, 0, 0))
    with pytest.raises(ReplicationError, match="starts after"):
        new_sink().welcome(Welcome(EAST, EPOCH_ID, 3, 3))
    with pytest.raises(ReplicationError, match="before its welcome"):
        new_sink().heartbeat(Heartbeat(0, 0, 0, 0, 0, 0, 0, 0, False), 0)


def test_what_is_too_far_ahead_parks_and_what_is_before_it_does_not() -> None:
    source, sink = new_source(), new_sink()
    log = [record(1, hlc_ms=10), record(2, hlc_ms=20, group="g"), record(3, hlc_ms=PARK_MS + 100, group="g")]
    connect(source, sink, len(log))
    frame = read(source, log)
    assert frame is not None
    sink.batch(frame, 0)
    work = sink.take(100)
    assert work is not None
    assert [change.sequence for change in work.pieces[0].changes] == [1], "a transaction is not torn apart"
    assert work.cursor.sequence == 1
    sink.applied(work, 0)
    assert sink.take(100) is None
    assert sink.parked_ms == 100
    assert sink.state(0) is LinkState.PARKED
    sink.force()
    work = sink.take(100)
    assert work is not None
    assert [change.sequence for change in work.pieces[0].changes] == [2, 3]
    assert work.cursor.sequence == 3


def test_a_paused_sink_keeps_what_arrives() -> None:
    source, sink = new_source(), new_sink()
    log = [record(1)]
    connect(source, sink, len(log))
    frame = read(source, log)
    assert frame is not None
    sink.paused = True
    sink.batch(frame, 0)
    assert sink.take(10) is None
    assert sink.state(0) is LinkState.PAUSED
    sink.paused = False
    assert sink.take(10) is not None


def test_latency_is_measured_on_the_clock_of_the_source() -> None:
    source, sink = new_source(), new_sink()
    log = [record(1, hlc_ms=1000)]
    connect(source, sink, 1)
    wanted = source.read()
    assert wanted is not None
    frame = source.batch(log, 1, (0, 0), 1000)
    assert frame is not None
    skewed_ms = 60_000
    sink.batch(frame, 1020 + skewed_ms)
    work = sink.take(1)
    assert work is not None
    sink.applied(work, 1025 + skewed_ms)
    settled = source.ack(sink.ack(1, 1025 + skewed_ms), 1045)
    assert settled[:2] == (1, 25)
    assert source.heartbeat(1, (0, 0), 1045).skew_ms == skewed_ms
