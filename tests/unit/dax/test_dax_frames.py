"""CBOR off a connection: whole requests however they are cut, and nothing but one error for anything else."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atoll.dax import frames, requests
from atoll.dax.expressions import Writer
from atoll.dax.frames import MalformedError, Scanner
from atoll.dax.item_keys import KeySchema
from atoll.dax.list_file import ListFile
from atoll.dax.requests import GREETING, Frame, Stream, UnknownMethodError
from atoll.dax.values import AttributeLists, to_cbor, to_json
from region.errors import ValidationError
from region.model.values import normalise

HELLO = b"".join(frames.encode(each) for each in ("J7yne5G", 0, b"session", {"UserAgent": "test"}, 0))
NAMES = st.text(min_size=1, max_size=6)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**37), 10**37),
        st.binary(max_size=6),
        NAMES,
        st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def frame(method: int, *arguments: Any) -> bytes:
    return b"".join(frames.encode(each) for each in (1, method, *arguments))


@given(st.lists(st.tuples(NAMES, st.binary(max_size=9), VALUES), min_size=1, max_size=4), st.data())
def test_requests_come_out_whole_however_they_are_cut(sent: list[tuple[str, bytes, Any]], data: Any) -> None:
    text = HELLO + b"".join(frame(requests.GET, *arguments) for arguments in sent)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1), max_size=8)))
    stream, found = Stream(), []
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        stream.feed(text[begin:end])
        while (taken := stream.next()) is not None:
            found.append(taken)
    assert found[0].method == GREETING
    assert [each.method for each in found[1:]] == [requests.GET] * len(sent)
    assert [each.arguments for each in found[1:]] == [tuple(map(frames.encode, arguments)) for arguments in sent]
    assert stream.waiting_bytes == 0


@given(VALUES)
def test_the_end_of_an_item_is_where_the_library_finds_it_in_either_length(value: Any) -> None:
    for endless in (False, True):
        item = cbor2.dumps(value, indefinite_containers=endless)
        scanner = Scanner()
        assert not any(scanner.item(item[:length]) for length in range(len(item)))
        assert scanner.item(item + b"\x01")
        assert scanner.position == len(item)
        assert frames.decode(item) == value


@given(st.binary(max_size=80))
@example(b"\xd8\x23a(")
@example(b"\xd8\x1c\x81\xd8\x1d\x00")
@example(b"\xc4\x82\x1b\xff\xff\xff\xff\xff\xff\xff\xff\x01")
@example(b"\x9f" * 70)
@example(b"\xbf\x81\x01\x02\xff")
@example(b"\xc2\x5a\x00\x00\x20\x00" + b"\xff" * 0x2000)
def test_any_bytes_are_a_value_or_malformed_and_nothing_else(data: bytes) -> None:
    """Everything that reads what a client sends, on bytes that nobody meant."""
    schema = KeySchema(("p", "s"), ("N", "N"))
    writer = Writer()
    readers = (
        lambda: to_json(frames.decode(data)),
        lambda: frames.sequence(data),
        lambda: AttributeLists().unpack(data),
        lambda: schema.canonical(data),
        lambda: KeySchema(("p",), ("N",)).canonical(data),
        lambda: writer.condition(data),
        lambda: writer.update(data),
        lambda: writer.projection(data),
        lambda: requests.parameters(requests.options(data), writer),
    )
    for read in readers:
        try:
            read()
        except (MalformedError, ValidationError):
            continue


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_on_a_connection_are_requests_or_end_it(data: bytes, greeted: bool) -> None:
    stream = Stream()
    stream.feed((HELLO if greeted else b"") + data)
    try:
        while (taken := stream.next()) is not None:
            assert isinstance(taken, Frame)
    except (MalformedError, UnknownMethodError):
        pass


def test_a_request_that_never_ends_is_refused_and_does_not_fill_the_memory() -> None:
    stream = Stream()
    stream.feed(HELLO)
    assert stream.next() is not None
    stream.feed(frame(requests.GET, b"t", b"k") + b"\x9f")
    with pytest.raises(MalformedError, match="parts"):  # noqa: PT012  It is raised in one of the rounds, and which is not said.
        for _ in range(1000):
            stream.feed(b"\x01" * 1000)
            assert stream.next() is None
    with pytest.raises(MalformedError, match="a string of"):
        Scanner().item(b"\x5b" + (1 << 40).to_bytes(8))


def test_a_method_that_dax_has_not_is_named_in_words() -> None:
    stream = Stream()
    stream.feed(HELLO + frame(-313431286, b"table"))
    assert stream.next() is not None
    with pytest.raises(UnknownMethodError, match="tables are managed with a DynamoDB client at the region itself"):
        stream.next()


@given(VALUES)
def test_a_value_goes_to_json_and_back(value: Any) -> None:
    json = to_json(value)
    normalise(json)
    again = to_json(frames.decode(frames.encode(to_cbor(json))))
    normalise(again)
    assert again == json


@pytest.mark.parametrize(
    "value",
    [
        {"SS": ["a", "b"]},
        {"NS": ["-1", "2.5", "100000000000000000000000000000000000000"]},
        {"BS": ["AA==", "/w=="]},
        {"M": {"l": {"L": [{"NULL": True}, {"BOOL": False}, {"SS": ["x"]}]}}},
    ],
)
def test_sets_keep_their_kind(value: dict[str, Any]) -> None:
    assert to_json(frames.decode(frames.encode(to_cbor(value)))) == value


def test_decimals_are_those_of_the_client() -> None:
    assert frames.encode(Decimal("1.5")) == b"\xc4\x82\x20\x0f"
    assert to_json(Decimal("1E+2")) == {"N": "1E+2"}


def test_attribute_lists_are_kept_in_a_file_for_the_next_process(tmp_path: Path) -> None:
    file = ListFile(tmp_path / "folder" / "lists")
    number = AttributeLists(file).number(("a", "é"))
    with (tmp_path / "folder" / "lists").open("ab") as text:
        text.write(b'\n["b"]\nnot a list\n{"a":1}\n["b"]\n["torn')
    again = AttributeLists(file)
    assert again.names(number) == ("a", "é")
    assert len({number, again.number(("b",)), again.number(("c",))}) == 3
    assert file.read() == [("a", "é"), ("b",), ("c",)]


def test_a_file_that_cannot_be_written_costs_no_answer(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    assert AttributeLists(ListFile(tmp_path / "taken" / "lists")).number(("a",)) > 1


def test_the_number_of_an_attribute_list_is_the_same_in_every_process() -> None:
    one, other = AttributeLists(), AttributeLists()
    other.number(("z",))
    assert one.number(("a", "b")) == other.number(("a", "b"))
    assert one.number(()) == 1
    with pytest.raises(ValidationError, match="Make a new client"):
        AttributeLists().names(one.number(("a", "b")))
