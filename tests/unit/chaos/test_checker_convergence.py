from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.checker.convergence import Record, differences

ITEM = Record("01", 5, "a", {"b": 3}, b'{"id":{"S":"1"}}')


def test_equal_dumps_have_no_differences_whatever_their_order() -> None:
    other = ITEM._replace(key="02", image=None)
    assert differences({"a": [ITEM, other], "b": [other, ITEM]}) == []


def test_one_region_and_none_at_all_have_converged() -> None:
    assert differences({}) == []
    assert differences({"a": [ITEM]}) == []


@pytest.mark.parametrize(
    "other",
    [
        ITEM._replace(hlc=6),
        ITEM._replace(origin="b"),
        ITEM._replace(vector={"b": 4}),
        ITEM._replace(vector={}),
        ITEM._replace(image=b"{}"),
        ITEM._replace(image=None),
        None,
    ],
)
def test_a_record_that_differs_in_anything_is_named(other: Record | None) -> None:
    (found,) = differences({"a": [ITEM], "b": [ITEM], "c": [] if other is None else [other]})
    assert found.key == "01"
    assert found.records == {"a": ITEM, "b": ITEM, "c": other}
    assert "key 01: a: (5, a) an item; b: " in str(found)


def test_every_key_that_differs_is_named_in_order() -> None:
    left = [ITEM._replace(key=key) for key in ("03", "01", "02")]
    assert [each.key for each in differences({"a": left, "b": [left[2]]})] == ["01", "03"]


def test_a_dump_with_a_key_twice_is_no_dump() -> None:
    with pytest.raises(ValueError, match="the dump of a holds the key 01 twice"):
        differences({"a": [ITEM, ITEM]})


@given(st.dictionaries(st.sampled_from(["01", "02", "03"]), st.integers(1, 2)), st.data())
def test_exactly_the_changed_keys_are_named(hlcs: dict[str, int], data: st.DataObject) -> None:
    changed = data.draw(st.sets(st.sampled_from(sorted(hlcs)))) if hlcs else set()
    left = [ITEM._replace(key=key, hlc=hlc) for key, hlc in hlcs.items()]
    right = [record._replace(hlc=9) if record.key in changed else record for record in left]
    assert {each.key for each in differences({"a": left, "b": right})} == changed
