"""A moment is by the machine's clock, whatever the region's own clock shows."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from atoll.admin.answers import BadRequestError
from atoll.admin.feed import moment_of
from clock import SkewedClock, SystemClock


@pytest.mark.parametrize("offset_ms", [0, 60_000, -60_000])
def test_an_absolute_moment_is_shifted_as_the_regions_clock_is(offset_ms: int) -> None:
    request = make_mocked_request("GET", "/inspect/t?at=1700000000.5")
    moment_ms = moment_of(request, "at", SkewedClock(SystemClock(), offset_ms))
    assert moment_ms is not None
    assert 0 <= moment_ms - (1_700_000_000_500 + offset_ms) < (1 if not offset_ms else 60_000)


def test_a_moment_ago_is_so_long_before_the_regions_now() -> None:
    source = SkewedClock(SystemClock(), 60_000)
    before_ms = source.now_ms()
    moment_ms = moment_of(make_mocked_request("GET", "/inspect/t?at=-30s"), "at", source)
    assert moment_ms is not None
    assert before_ms <= moment_ms + 30_000 <= source.now_ms()


def test_no_moment_is_none_and_nonsense_is_refused() -> None:
    assert moment_of(make_mocked_request("GET", "/inspect/t"), "at", SystemClock()) is None
    with pytest.raises(BadRequestError, match="'soon' is no moment"):
        moment_of(make_mocked_request("GET", "/inspect/t?at=soon"), "at", SystemClock())
