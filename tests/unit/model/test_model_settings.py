"""Registers: the settings of a table merge to the same values in every order of delivery."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from region.model import settings
from region.model.settings import Register

NAMES = st.sampled_from(["billing", "ttl", "index:by_owner", "replica:us-east-1", "replica:eu-west-1"])


def register(stamp: tuple[int, str]) -> Register:
    """Return the one register that a stamp can stand for: a timestamp is never given to two values."""
    hlc, origin = stamp
    return Register(hlc, origin, None if hlc % 4 == 0 else {"set": [hlc, origin]})


STAMPS = st.tuples(st.integers(1, 12), st.sampled_from(["eu-west-1", "us-east-1"]))
REGISTERS = st.dictionaries(NAMES, STAMPS.map(register))


@given(REGISTERS, REGISTERS)
def test_merging_is_commutative(left: dict[str, Register], right: dict[str, Register]) -> None:
    assert settings.merge(left, right) == settings.merge(right, left)


@given(REGISTERS, REGISTERS, REGISTERS)
def test_merging_is_associative(a: dict[str, Register], b: dict[str, Register], c: dict[str, Register]) -> None:
    assert settings.merge(settings.merge(a, b), c) == settings.merge(a, settings.merge(b, c))


@given(REGISTERS, REGISTERS)
def test_merging_is_idempotent_and_leaves_its_arguments_alone(
    left: dict[str, Register], right: dict[str, Register]
) -> None:
    before = dict(left), dict(right)
    merged = settings.merge(left, right)
    assert settings.merge(merged, right) == merged
    assert (left, right) == before


@given(REGISTERS)
def test_registers_come_back_from_their_encoding(registers: dict[str, Register]) -> None:
    assert settings.decode(settings.encode(registers)) == registers


def test_concurrent_changes_of_different_settings_both_survive() -> None:
    base = {"billing": Register(1, "us-east-1", "old"), "ttl": Register(1, "us-east-1", "old")}
    here = {**base, "billing": Register(5, "us-east-1", "new")}
    there = {**base, "ttl": Register(4, "eu-west-1", "new")}
    merged = settings.merge(here, there)
    assert [merged["billing"].value, merged["ttl"].value] == ["new", "new"]


def test_a_removed_member_stays_removed_against_an_older_addition() -> None:
    removed = {"replica:eu-west-1": Register(9, "us-east-1", None)}
    added = {"replica:eu-west-1": Register(8, "eu-west-1", {"RegionName": "eu-west-1"})}
    assert settings.family(settings.merge(added, removed), settings.REPLICA) == {}
    assert settings.family(added, settings.REPLICA) == {"eu-west-1": {"RegionName": "eu-west-1"}}
