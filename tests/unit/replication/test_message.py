"""Frames: what is encoded is decoded, and nothing else is."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from region.errors import ReplicationError
from replication.message import (
    FORMAT,
    FRAME_BYTES_MAX,
    Ack,
    Batch,
    Catalogue,
    Fetch,
    FetchRefused,
    Frame,
    Heartbeat,
    Position,
    Records,
    Refuse,
    Row,
    Shipped,
    Snapshot,
    Subscribe,
    TableState,
    Welcome,
    decode,
    digest,
    encode,
)

CHANGE = Shipped(7, 0, 0, b"key", b'{"pk":{"S":"a"}}', 3, 99 << 16, {"us-west-2": 5}, 0, None, "request")
FRAMES: list[Frame] = [
    Subscribe("us-west-2", "us-east-1", "epoch", 7, 1 << 20),
    Welcome("us-east-1", "epoch", 7, 9),
    Refuse("gap", "why", "epoch", 3, 9),
    Catalogue(None, [TableState("uid", "songs", b"{}")]),
    Catalogue(["songs"], []),
    Batch(6, 9, 99, 5, [("uid", "songs")], [CHANGE]),
    Ack(9, 5, 6, 4, 1, "live"),
    Heartbeat(9, 9, 12, 99, 5, 3, 4, -2, True),
    Fetch(1, "uid", "songs", b"{}", b"key", True, None, ""),
    Snapshot(1, "uid", b"", [Row(b"k", None, 0, 3, "us-east-1", None)], 2**64 - 1, True, 3, {"x": Position("e", 3)}),
    Records(1, "uid", "epoch", 0, 9, True, [CHANGE]),
    FetchRefused(1, "why", True),
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__name__)
def test_every_frame_comes_back_as_it_was(frame: Frame) -> None:
    assert decode(encode(frame)) == frame


def test_a_large_batch_is_compressed_when_that_pays_and_comes_back_as_it_was() -> None:
    changes = [Shipped(n, 0, 0, b"k%d" % n, b"x" * 1000, 1000, n << 16, None, 0, None, None) for n in range(256)]
    batch = Batch(0, 255, 1, 1, [("uid", "songs")], changes)
    data = encode(batch)
    assert data[1] == 1
    assert len(data) < 100_000
    assert decode(data) == batch


@given(st.binary(max_size=64))
def test_bytes_that_are_no_frame_are_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(ReplicationError):
        decode(data)


@given(st.sampled_from(FRAMES), st.data())
def test_one_damaged_byte_is_always_noticed(frame: Frame, data: st.DataObject) -> None:
    encoded = bytearray(encode(frame))
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ReplicationError):
        decode(bytes(encoded))


def _framed(body: bytes, flags: int = 0) -> bytes:
    start = bytes([FORMAT, flags])
    return start + struct.pack(">I", crc32(body, crc32(start))) + body


@pytest.mark.parametrize("body", [b"", b"\xc0", b"\x92\x63\x01", b"\x91\x05"])
def test_a_body_of_another_shape_is_refused(body: bytes) -> None:
    with pytest.raises(ReplicationError, match="decode"):
        decode(_framed(body))


def test_a_small_frame_cannot_grow_beyond_the_bound() -> None:
    bomb = zstandard.ZstdCompressor().compress(b"\x00" * (FRAME_BYTES_MAX + 1))
    assert len(bomb) < 10_000
    with pytest.raises(ReplicationError, match="says it holds"):
        decode(_framed(bomb, flags=1))


def test_a_frame_of_another_format_says_so() -> None:
    data = bytearray(encode(FRAMES[0]))
    data[0] = 2
    with pytest.raises(ReplicationError, match="format 2"):
        decode(bytes(data))


def test_a_digest_does_not_depend_on_order_and_notices_every_write() -> None:
    rows = [Row(b"k%d" % n, b"image", 1, n, "us-east-1", None) for n in range(5)]
    assert digest(rows) == digest(reversed(rows))
    changed = [*rows[:4], Row(b"k4", b"image", 1, 5, "us-east-1", None)]
    assert digest(changed) != digest(rows)
    assert digest(rows[:4]) != digest(rows)
