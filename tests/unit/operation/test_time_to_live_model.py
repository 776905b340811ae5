"""Time to live against a simple model: random writes, switches and sweeps delete what is due, and no more."""

from __future__ import annotations

from typing import Any

from control_plane import START_MS, US, Replica, TestFleet, simple_table
from hypothesis import given, settings
from hypothesis import strategies as st

from region.model import expiry, image
from region.operation import OPERATIONS
from region.operation.context import Context
from region.operation.setting.time_to_live import sweep

NOW_S = START_MS // 1000
DAY_S = 24 * 60 * 60
HOUR_MS = 60 * 60 * 1000
ALL_TIME = (0, expiry.SECONDS_MAX)

keys = st.sampled_from("abcdefgh")
attributes = st.sampled_from(("e", "f"))
values = st.one_of(
    st.integers(NOW_S - 2 * DAY_S, NOW_S + 2 * DAY_S).map(lambda at_s: {"N": str(at_s)}),
    st.sampled_from(({"S": "never"}, {"N": "-1"}, {"N": str(NOW_S - 6 * 365 * DAY_S)})),
)
steps = st.one_of(
    st.tuples(st.just("put"), keys, attributes, values),
    st.tuples(st.just("delete"), keys),
    st.tuples(st.just("advance"), st.integers(1, 30 * HOUR_MS)),
    st.tuples(st.just("switch"), attributes),
    st.tuples(st.just("sweep")),
)


class World:
    """A replica, and what should be in it."""

    def __init__(self) -> None:
        self.fleet = TestFleet(US)
        self.us: Replica = self.fleet[US]
        self.us.call("CreateTable", **simple_table())
        self.items: dict[str, dict[str, Any]] = {}
        self.attribute: str | None = None

    def put(self, key: str, attribute: str, value: dict[str, str]) -> None:
        self.items[key] = {"a": {"S": key}, attribute: value}
        self.us.put(self.items[key])

    def delete(self, key: str) -> None:
        self.items.pop(key, None)

        def work(context: Context) -> None:
            table = context.catalogue.by_name["table"]
            encoded = table.key_of({"a": {"S": key}})
            context.write(table, encoded, None, 0, context.reader.get(table, encoded))

        self.us.work(work)

    def advance(self, ms: int) -> None:
        self.fleet.time.advance(ms)

    def switch(self, attribute: str) -> None:
        """Switch TTL off if it is on, or on for this attribute."""
        self.fleet.time.advance(HOUR_MS)
        enabled = self.attribute is None
        specification = {"Enabled": enabled, "AttributeName": self.attribute or attribute}
        request = {"TableName": "table", "TimeToLiveSpecification": specification}
        self.us.work(lambda context: OPERATIONS["UpdateTimeToLive"].run(context, request))
        self.attribute = attribute if enabled else None

    def sweep(self) -> None:
        """Sweep until nothing is due; the model does so at once."""
        while self.us.work(sweep) == 0:
            pass
        now_ms = self.fleet.time.now_ms()
        first_s, last_s = expiry.due_s(now_ms)
        for key, at_s in self.expiries().items():
            if first_s <= at_s <= last_s:
                del self.items[key]

    def expiries(self) -> dict[str, int]:
        if self.attribute is None:
            return {}
        found = {key: expiry.expires_s(item, self.attribute) for key, item in self.items.items()}
        return {key: at_s for key, at_s in found.items() if at_s is not None}

    def check(self) -> None:
        """Compare items, and the index of expiries entry by entry."""
        table = self.us.table()
        stored = [image.decode(it.image) for it in self.us.store.scan(table, None, b"", None)]
        assert {item["a"]["S"]: item for item in stored} == self.items
        indexed = self.us.work(lambda context: context.transaction.expired(table, *ALL_TIME, 1000))
        wanted = {(at_s, table.key_of({"a": {"S": key}})) for key, at_s in self.expiries().items()}
        assert set(indexed) == wanted
        assert len(indexed) == len(wanted)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=40))
def test_the_sweep_deletes_exactly_what_the_model_does(sequence: list[tuple[Any, ...]]) -> None:
    world = World()
    for name, *arguments in sequence:
        getattr(world, name)(*arguments)
        if name == "sweep":
            world.check()
    world.sweep()
    world.check()
    world.us.store.close()
