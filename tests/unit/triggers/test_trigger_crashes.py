"""Triggers whose region stops at arbitrary moments, with functions that fail at random: nothing lost, order kept."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from trigger_region import Noting, number, region_of, settings

from region.model.stream import StreamSettings

LIVES = 5
BATCH = 4


@pytest.mark.parametrize("seed", range(4))
async def test_over_stops_failures_splits_and_lines_every_change_arrives_in_its_items_order(
    tmp_path: Path, seed: int
) -> None:
    chosen = random.Random(seed)
    lines = chosen.choice((1, 2, 3))
    written: dict[str, int] = defaultdict(int)
    dealt_with: dict[str, list[int]] = defaultdict(list)

    def answer(records: list[dict[str, Any]]) -> Any:
        if chosen.random() < 0.15:
            raise ValueError("not now")
        good = len(records) if chosen.random() < 0.8 else chosen.randrange(len(records))
        for record in records[:good]:
            dealt_with[record["dynamodb"]["Keys"]["id"]["S"]].append(number(record))
        if good == len(records):
            return None
        return {"batchItemFailures": [{"itemIdentifier": records[good]["dynamodb"]["SequenceNumber"]}]}

    class Slow(Noting):
        async def invoke(self, call: Any) -> Any:
            await asyncio.sleep(chosen.choice((0, 0, 0.002)))
            return await super().invoke(call)

    for life in range(LIVES):
        async with region_of(
            tmp_path / "region.sqlite", streams=StreamSettings(shards=2, shard_ms=80, shard_bytes=1)
        ) as region:
            function = region.functions["f"] = Slow(answer)
            if not life:
                await region.triggers.add(
                    settings(
                        batch_size=BATCH,
                        parallelization_factor=lines,
                        bisect_on_error=chosen.random() < 0.5,
                        report_batch_item_failures=True,
                    )
                )
            else:
                # The trigger that was kept has made its function before this one was there.
                await region.triggers.pause("t", paused=False)
            for _ in range(30):
                key = f"k{chosen.randrange(6)}"
                written[key] += 1
                await region.put(key, written[key])
                if chosen.random() < 0.2:
                    await asyncio.sleep(0)
            if life == LIVES - 1:
                await region.caught_up()
            else:
                enough = chosen.randrange(1, 8)
                await region.until(partial(has_called, function, enough))
    for key, last in written.items():
        high = 0
        for n in dealt_with[key]:
            assert n <= high + 1, f"{key}: {n} came after {high}"
            high = max(high, n)
        assert high == last


def has_called(function: Noting, times: int) -> bool:
    """Whether a function was called so often."""
    return len(function.calls) >= times
