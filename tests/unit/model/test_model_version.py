"""Versions: what a write covers, what succeeds it, and that vectors merge the same in any order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from region.model.version import Version, merge, succeed

REGIONS = ("ap-northeast-1", "eu-west-1", "us-east-1")


@st.composite
def versions(draw: st.DrawFn) -> Version:
    """A version as the invariants allow it: no entry of its own origin, none above its own clock."""
    origin = draw(st.sampled_from(REGIONS))
    hlc = draw(st.integers(1, 50))
    others = st.sampled_from([region for region in REGIONS if region != origin])
    return Version(hlc, origin, draw(st.dictionaries(others, st.integers(1, hlc), max_size=2)))


@given(versions())
def test_a_version_covers_itself_and_what_its_vector_names(version: Version) -> None:
    assert version.covers(version.hlc, version.origin)
    assert not version.covers(version.hlc + 1, version.origin)
    for region in REGIONS:
        upto = version.full_vector().get(region, 0)
        assert version.covers(upto, region)
        assert not version.covers(upto + 1, region)


@given(versions(), st.sampled_from(REGIONS))
def test_a_local_write_covers_all_that_its_incumbent_covered(incumbent: Version, region: str) -> None:
    version = succeed(incumbent, incumbent.hlc + 1, region)
    for origin, hlc in incumbent.full_vector().items():
        assert version.covers(hlc, origin)
    assert version.timestamp > incumbent.timestamp
    assert region not in version.vector


def test_a_first_write_builds_on_nothing() -> None:
    assert succeed(None, 7, "us-east-1") == Version(7, "us-east-1", {})


@given(versions(), versions())
def test_a_merge_covers_what_either_covered_and_nothing_else(winner: Version, loser: Version) -> None:
    if winner.timestamp <= loser.timestamp:
        return
    merged = merge(winner, loser)
    assert merged.timestamp == winner.timestamp
    assert winner.origin not in merged.vector
    for region in REGIONS:
        expected = (
            winner.hlc
            if region == winner.origin
            else max(version.full_vector().get(region, 0) for version in (winner, loser))
        )
        assert merged.full_vector().get(region, 0) == expected


@given(versions())
def test_merging_a_version_with_itself_changes_nothing(version: Version) -> None:
    assert merge(version, version).full_vector() == version.full_vector()
