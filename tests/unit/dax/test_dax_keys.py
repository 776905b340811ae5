"""Keys: what AWS's client writes is read here, and the other way round, and one item has one key."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from amazondax import AttributeValueEncoder, LexDecimal
from amazondax.CborEncoder import DYNAMODB_CONTEXT
from hypothesis import given
from hypothesis import strategies as st

from atoll.dax import lex_decimal
from atoll.dax.frames import MalformedError
from atoll.dax.item_keys import KeySchema
from region.model import numbers

DIGITS = st.integers(-(10**30) + 1, 10**30 - 1)
SPELLINGS = st.builds(lambda digits, power: f"{digits}E{power}", DIGITS, st.integers(-90, 80))
NUMBERS = SPELLINGS.map(numbers.canonical)


@given(SPELLINGS)
def test_a_sort_key_number_of_the_client_is_read_and_ours_is_read_by_it(spelling: str) -> None:
    number = numbers.canonical(spelling)
    theirs = LexDecimal.encode(DYNAMODB_CONTEXT.create_decimal(spelling))
    assert lex_decimal.decode(theirs) == number
    assert Decimal(LexDecimal.decode_all(lex_decimal.encode(number))) == Decimal(number)
    assert lex_decimal.decode(lex_decimal.encode(number)) == number


@given(NUMBERS, NUMBERS)
def test_encoded_numbers_sort_as_numbers_do(one: str, other: str) -> None:
    assert (lex_decimal.encode(one) < lex_decimal.encode(other)) == (Decimal(one) < Decimal(other))


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff", b"\xc1", b"\xc1\x00", b"\x81\x00", b"\xc1" + b"\x10" * 70])
def test_bytes_that_are_no_number_are_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        lex_decimal.decode(data)


def schema_of_client(schema: KeySchema) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "AttributeType": kind} for name, kind in zip(schema.names, schema.types, strict=True)
    ]


@pytest.mark.parametrize("first", ["S", "N", "B"])
@pytest.mark.parametrize("second", ["", "S", "N", "B"])
def test_a_key_of_every_schema_is_read_as_the_client_wrote_it(first: str, second: str) -> None:
    schema = KeySchema(("p", "s")[: 1 + bool(second)], (first, *filter(None, [second])))
    sent: dict[str, Any] = {"S": "é", "N": "-12.5", "B": b"\x00\xff"}
    held = {"S": "é", "N": "-12.5", "B": "AP8="}
    theirs = {name: {kind: sent[kind]} for name, kind in zip(schema.names, schema.types, strict=True)}
    ours = {name: {kind: held[kind]} for name, kind in zip(schema.names, schema.types, strict=True)}
    packed = AttributeValueEncoder.encode_key(theirs, schema_of_client(schema))
    assert schema.unpack(packed) == ours
    assert schema.pack(ours) == schema.canonical(packed) == packed


@pytest.mark.parametrize("spelling", ["1", "1.0", "1.00", "10E-1", "0.1E1"])
def test_equal_numbers_are_one_key_however_they_are_spelt(spelling: str) -> None:
    schema = KeySchema(("p", "s"), ("N", "N"))
    key = {"p": {"N": spelling}, "s": {"N": spelling}}
    packed = AttributeValueEncoder.encode_key(key, schema_of_client(schema))
    assert schema.canonical(packed) == schema.pack({"p": {"N": "1"}, "s": {"N": "1"}})


def test_a_key_of_another_schema_is_malformed() -> None:
    with pytest.raises(MalformedError):
        KeySchema(("p", "s"), ("N", "S")).unpack(b"atext")
    with pytest.raises(MalformedError):
        KeySchema(("p",), ("S",)).unpack(b"\xff")
    with pytest.raises(MalformedError):
        KeySchema(("p",), ("S",)).pack({"q": {"S": "1"}})
