"""The page of formats says what the bytes are: its example of a frame, and the tags and fields of every frame."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from replication import message
from replication.message import Ack, Frame, decode, encode

PAGE = Path(__file__).parents[3] / "docs/reference/formats.md"


def test_the_example_frame_is_an_acknowledgement() -> None:
    (example,) = re.findall(r"^(01 00 (?:[0-9a-f]{2} *)+)$", PAGE.read_text(), re.MULTILINE)
    frame = Ack(10, 0, 0, 0, 0, "live")
    assert decode(bytes.fromhex(example)) == frame
    assert encode(frame).hex() == bytes.fromhex(example).hex()


def test_every_frame_stands_in_the_table_with_its_tag_and_as_many_fields() -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+) \| (?:sink|source) \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    described = {}
    for tag, name, fields in rows:
        flat = re.sub(r"\([^()]*\)", "", re.sub(r"\[[^\[\]]*(?:\[[^\[\]]*\])*[^\[\]]*\]|\{[^{}]*\}", "x", fields))
        described[int(tag)] = (name, len(flat.split(",")))
    frames = {}
    for kind in Frame.__args__:  # type: ignore[attr-defined]  # A union has its members, whatever its type says.
        tag = msgspec.structs.fields(kind) and kind.__struct_config__.tag
        frames[tag] = (kind.__name__, len(msgspec.structs.fields(kind)))
    assert described == frames
    assert message.FORMAT == 1
