"""The metrics of a cache: every one is documented, and no other, and every one has samples."""

from __future__ import annotations

import re
from pathlib import Path

from atoll.dax.accelerator import Accelerator
from atoll.dax.cache import Cache
from atoll.dax.figures import families, samples
from atoll.dax.upstream import Upstream
from atoll.observability import Exposition
from clock import ManualClock

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "dax.md"


def test_every_metric_is_documented_and_has_samples() -> None:
    clock = ManualClock()
    accelerator = Accelerator(
        Upstream("us-east-1", "http://127.0.0.1:1", clock),
        Cache(ttl_ms=1000, bytes_max=1000, clock=clock),
        Cache(ttl_ms=1000, bytes_max=1000, clock=clock),
    )
    scraped = Exposition(families, [lambda: samples(accelerator)]).text().decode()
    shown = {name for name in re.findall(r"^# TYPE (\w+) ", scraped, re.MULTILINE) if name.startswith("atoll_")}
    assert shown == set(re.findall(r"^\| `(atoll_dax_\w+)`", PAGE.read_text(), re.MULTILINE))
    assert all(re.search(rf"^{name}{{", scraped, re.MULTILINE) for name in shown)
