"""Session tokens merge like sets, survive their text, and what is no token is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region.model import session

TOKENS = st.dictionaries(st.sampled_from(["us-east-1", "eu-west-1", "a", "b-2"]), st.integers(1, (1 << 64) - 1))


@given(TOKENS)
def test_a_token_survives_its_text(token: session.Token) -> None:
    assert session.decode(session.encode(token)) == token


@given(TOKENS, TOKENS, TOKENS)
def test_merging_is_commutative_associative_and_idempotent(
    one: session.Token, two: session.Token, three: session.Token
) -> None:
    assert session.merge(one, two) == session.merge(two, one)
    assert session.merge(one, session.merge(two, three)) == session.merge(session.merge(one, two), three)
    assert session.merge(one, one) == one


@given(TOKENS, st.integers(0, 1 << 64))
def test_what_is_everywhere_is_left_out_and_nothing_else(token: session.Token, everywhere_hlc: int) -> None:
    left = session.without(token, everywhere_hlc)
    assert all(hlc > everywhere_hlc for hlc in left.values())
    assert session.merge(left, {region: hlc for region, hlc in token.items() if hlc <= everywhere_hlc}) == token


def test_the_token_of_ten_regions_is_small() -> None:
    token = {f"ap-southeast-{number}": (1 << 63) + number for number in range(10)}
    assert len(session.encode(token)) < 400


@pytest.mark.parametrize(
    "text",
    [
        "2;us-east-1=1",
        "1;us-east-1",
        "1;us-east-1=",
        "1;us-east-1=xyz",
        "1;us-east-1=11111111111111111",
        "1;US=1",
        "1;us-east-1=1;us-east-1=2",
        "1;;",
        "us-east-1=1",
        "1;a=1\r\nx: y",
        "1" + ";a=1" * 2000,
        "1;" + ";".join(f"r{number}=1" for number in range(65)),
    ],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no session token"):
        session.decode(text)


def test_an_empty_text_is_the_token_of_who_knows_nothing() -> None:
    assert session.decode("") == {}
    assert session.decode(session.encode({})) == {}
