"""A trial: what one seed decides, as a value, so that it can be repeated, shrunk and sent to another machine.

What: :func:`plan` draws from a seed how a run looks: the links' delay, durability, workloads and how busy they are, and
the script of faults. A :class:`Trial` says all of it; the same trial runs the same way everywhere.

Invariant: a trial is complete: nothing that decides the course of a run is outside of it, but the program's version.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from chaos import nemesis
from chaos.faults import AnyFault
from chaos.simulation.cluster import REGIONS
from region.randomness import SeededRng, chance, integer, pick, shuffled

SPAN_S: Final = 60.0
DEADLINE_S: Final = 120.0
WORKLOADS: Final = ("registers", "counters", "carts", "bank", "sets", "ttl", "locks")
"""What a seed draws from; churn of tables, which no other workload can share a table with, is drawn on its own."""
BATCHES: Final[dict[str, tuple[int | None, ...]]] = {
    "batch_records": (None, None, 1, 3),
    "batch_bytes": (None, None, 700),
    "window_bytes": (None, None, 2000),
}
"""Settings of replication that a seed may make small; ``None`` leaves the default."""
COMPARISONS_MS: Final = (None, 5000)
"""How often a seed may have regions compare in the background, where not as rarely as the product does."""
DELAYS_MS: Final = (1.0, 20.0, 80.0, 150.0)


class Trial(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    rename={"script": "faults"},
):
    """One run. ``span_s`` is how long faults and clients go on, ``deadline_s`` how long coming to rest may take."""

    seed: int = 0
    span_s: float = SPAN_S
    deadline_s: float = DEADLINE_S
    regions: tuple[str, ...] = REGIONS
    durability: Literal["full", "normal"] = "normal"
    transactions: Literal["group", "item"] = "group"
    replication: dict[str, int] = {}
    """Settings of replication that are not the product's defaults: small batches and windows meet every edge."""
    delay_ms: float = 20.0
    jitter_ms: float = 4.0
    workloads: tuple[str, ...] = ("registers",)
    clients: int = 1
    pause_ms: float = 1500.0
    """A client rests up to so long between two operations."""
    script: tuple[AnyFault, ...] = ()


def plan(
    seed: int,
    *,
    span_s: float = SPAN_S,
    regions: Sequence[str] = REGIONS,
    nemeses: Sequence[str] = (),
    workloads: Sequence[str] = (),
) -> Trial:
    """Return the trial of a seed; ``nemeses`` and ``workloads`` fix by name what would be drawn.

    Raises:
        KeyError: there is no nemesis of that name.
    """
    rng = SeededRng(seed)
    delay_ms = pick(rng, DELAYS_MS)
    durability: Literal["full", "normal"] = "full" if chance(rng, 0.5) else "normal"
    transactions: Literal["group", "item"] = "item" if chance(rng, 0.2) else "group"
    replication = {name: value for name, choices in BATCHES.items() if (value := pick(rng, choices)) is not None}
    drawn = ("churn",) if chance(rng, 0.1) else tuple(shuffled(rng, WORKLOADS)[: integer(rng, 1, 3)])
    chosen = tuple(workloads) or drawn
    # As many operations in all, whether many workloads share them or one has them for itself.
    pause_ms = round(rng.uniform(0.7, 1.3) * 1000 * len(chosen))
    script = nemesis.script(rng, regions, int(span_s * 1000), nemeses)
    compare_ms = pick(rng, COMPARISONS_MS)
    if compare_ms is not None:
        replication["compare_ms"] = compare_ms
    return Trial(
        seed=seed,
        span_s=span_s,
        regions=tuple(regions),
        durability=durability,
        transactions=transactions,
        replication=replication,
        delay_ms=delay_ms,
        jitter_ms=round(delay_ms * rng.uniform(0, 0.5), 2),
        workloads=chosen,
        pause_ms=pause_ms,
        script=tuple(script),
    )


def load(path: Path) -> Trial:
    """Read a trial from a file of JSON or TOML; what it does not say is the default.

    Raises:
        ValueError: it cannot be read, or is no trial; the message says why.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".toml":
            return msgspec.toml.decode(content, type=Trial)
        return msgspec.json.decode(content, type=Trial)
    except (OSError, msgspec.DecodeError) as error:
        raise ValueError(f"{path} is no trial of a simulation: {error}") from error
