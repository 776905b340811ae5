"""Keys decoded: what a stream shows of an item that is no more."""

from __future__ import annotations

from base64 import b64encode
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region.errors import ValidationError
from region.model import keys, numbers


@st.composite
def canonical_numbers(draw: st.DrawFn) -> str:
    """Return numbers of every sign, length and magnitude that DynamoDB has."""
    digits = draw(st.integers(0, 10**38 - 1))
    exponent = draw(st.integers(-130, 125))
    try:
        return numbers.from_decimal(Decimal((draw(st.sampled_from([0, 1])), tuple(map(int, str(digits))), exponent)))
    except ValidationError:
        return str(digits)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
RAW = st.binary(max_size=8) | st.lists(st.sampled_from([0, 1, 0xFF]), max_size=6).map(bytes)
SCALARS = (
    TEXTS.map(lambda text: {"S": text})
    | RAW.map(lambda raw: {"B": b64encode(raw).decode()})
    | canonical_numbers().map(lambda number: {"N": number})
)


@given(SCALARS, st.none() | SCALARS)
def test_decoding_a_key_gives_back_what_was_encoded(
    hash_value: dict[str, str], range_value: dict[str, str] | None
) -> None:
    given_values = [hash_value] if range_value is None else [hash_value, range_value]
    key = keys.key((hash_value,), tuple(given_values[1:]))
    assert keys.decode(key, [kind for value in given_values for kind in value]) == given_values


@pytest.mark.parametrize(
    "number",
    ["0", "-1", "10", "100", "0.1", "-0.001", "9" * 38, "-" + "9" * 38 + "0" * 88, "0." + "0" * 129 + "1", "12.5"],
)
def test_numbers_survive_exactly(number: str) -> None:
    assert keys.decode(keys.key(({"N": number},), ()), ["N"]) == [{"N": number}]
