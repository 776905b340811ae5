"""Numbers: canonical text, exact arithmetic, sizes, and an encoding whose byte order is the numeric order."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from region.errors import ValidationError
from region.model import numbers

EXACT = Context(prec=400, Emax=999_999, Emin=-999_999)


@st.composite
def decimals(draw: st.DrawFn) -> Decimal:
    """A number that DynamoDB can hold: up to 38 digits, magnitude from 1E-130 to 9.99E+125."""
    digits = draw(st.integers(min_value=0, max_value=10**38 - 1))
    length = len(str(digits))
    exponent = draw(st.integers(min_value=-130 - (length - 1), max_value=125 - (length - 1)))
    # Trailing zeros may be trimmed, so a magnitude in range is all that counts.
    return Decimal((draw(st.integers(0, 1)), tuple(map(int, str(digits))), exponent))


@st.composite
def spelled(draw: st.DrawFn) -> tuple[str, Decimal]:
    """A number in one of its many spellings."""
    number = draw(decimals())
    spelling = draw(st.sampled_from(["plain", "scientific", "upper", "padded"]))
    with localcontext(EXACT):
        if spelling == "plain":
            return format(number, "f"), number
        if spelling == "padded":
            return f"{'-' if number.is_signed() else '+'}00{format(abs(number), 'f')}", number
        text = format(number, "e")
        return (text.upper() if spelling == "upper" else text), number


@given(spelled())
def test_the_canonical_spelling_is_the_same_number(case: tuple[str, Decimal]) -> None:
    text, number = case
    assert EXACT.compare(Decimal(numbers.canonical(text)), number) == 0


@given(decimals(), st.integers(0, 400), st.integers(0, 400))
def test_zeros_that_mean_nothing_change_nothing_however_many(number: Decimal, before: int, behind: int) -> None:
    with localcontext(EXACT):
        plain = format(number, "f")
    whole, _, fraction = plain.lstrip("-").partition(".")
    sign = "-" * number.is_signed()
    padded = f"{sign}{'0' * before}{whole}.{fraction}{'0' * behind}e+0{'0' * before}"
    shifted = f"{sign}{'0' * before}{whole}{fraction}{'0' * behind}e-{'0' * before}{len(fraction) + behind}"
    assert numbers.canonical(padded) == numbers.canonical(shifted) == numbers.canonical(plain)


@given(spelled())
def test_the_canonical_spelling_is_canonical(case: tuple[str, Decimal]) -> None:
    canonical = numbers.canonical(case[0])
    assert numbers.canonical(canonical) == canonical
    assert "e" not in canonical.lower()
    assert not canonical.startswith(("+", "-0 ", "."))
    assert canonical != "-0"
    whole, point, fraction = canonical.lstrip("-").partition(".")
    assert whole == "0" or not whole.startswith("0")
    assert not point or (fraction and not fraction.endswith("0"))


@given(decimals(), decimals())
def test_byte_order_is_numeric_order_and_no_encoding_is_a_prefix_of_another(left: Decimal, right: Decimal) -> None:
    a, b = (numbers.ordered(numbers.from_decimal(value)) for value in (left, right))
    assert (a < b, a == b, a > b) == (left < right, left == right, left > right)
    assert a == b or not (a.startswith(b) or b.startswith(a))


@given(st.integers(-(10**37), 10**37), st.integers(-(10**37), 10**37))
def test_addition_and_subtraction_are_exact(left: int, right: int) -> None:
    assert numbers.add(str(left), str(right)) == str(left + right)
    assert numbers.subtract(str(left), str(right)) == str(left - right)


@pytest.mark.parametrize(
    ("left", "right"), [("1e37", "0.1"), ("99999999999999999999999999999999999999", "0.1"), ("1e125", "1")]
)
def test_a_sum_that_needs_more_than_38_digits_is_refused_not_rounded(left: str, right: str) -> None:
    with pytest.raises(ValidationError, match="Attempting to store more than 38 significant digits in a Number"):
        numbers.add(numbers.canonical(left), numbers.canonical(right))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("0e999", "0"),
        ("007", "7"),
        ("1.", "1"),
        (".5", "0.5"),
        ("1e2", "100"),
        ("1E-2", "0.01"),
        ("-12.3400", "-12.34"),
        ("1" + "0" * 60, "1" + "0" * 60),
        ("9" * 38, "9" * 38),
    ],
)
def test_spellings(text: str, canonical: str) -> None:
    assert numbers.canonical(text) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The parameter cannot be converted to a numeric value"),
        ("one", "The parameter cannot be converted to a numeric value: one"),
        ("1_000", "The parameter cannot be converted to a numeric value: 1_000"),
        (" 1", "The parameter cannot be converted to a numeric value:  1"),
        ("\u0661", "The parameter cannot be converted to a numeric value: \u0661"),
        ("NaN", "The parameter cannot be converted to a numeric value: NaN"),
        ("Infinity", "The parameter cannot be converted to a numeric value: Infinity"),
        ("9" * 100_000, "Attempting to store more than 38 significant digits in a Number"),
        ("." + "9" * 100_000, "Attempting to store more than 38 significant digits in a Number"),
        (
            "1e" + "0" * 300 + "126",
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        ("9" * 39, "Attempting to store more than 38 significant digits in a Number"),
        ("1e126", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
        ("-1e126", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
        ("1e-131", "Number underflow. Attempting to store a number with magnitude smaller than supported range"),
        ("1e99999999", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
    ],
)
def test_what_is_no_number_or_does_not_fit_is_refused_in_the_words_of_aws(text: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        numbers.canonical(text)
    assert caught.value.message == message


@pytest.mark.parametrize(
    "text", ["1e" + "9" * 21, "1e-" + "9" * 21, "0e" + "9" * 21, "1e", "9" * 5000, "1e" + "9" * 5000]
)
def test_an_absurd_exponent_or_length_is_the_callers_mistake(text: str) -> None:
    with pytest.raises(ValidationError, match=r"cannot be converted to a numeric value|38 significant digits"):
        numbers.canonical(text)


@pytest.mark.parametrize(
    ("number", "size"),
    [("0", 1), ("1", 2), ("-1", 3), ("12", 2), ("123", 3), ("100", 2), ("0.001", 2), ("1.5", 2), ("9" * 38, 20)],
)
def test_sizes_count_a_byte_for_two_significant_digits_and_one_more(number: str, size: int) -> None:
    assert numbers.size(number) == size
