"""The bank of mutants: bugs of replication, clocks and storage, each of a kind that a real system had.

What: :func:`mutant` registers a function that plants one bug into the product at run time, by patching what it needs.
Its docstring says what the bug is and which system's it resembles. :data:`MUTANTS` has them by name;
:func:`planted` has the bug in place for as long as a ``with`` block lasts. The keywords of :func:`mutant` say under
which load and faults the bug is looked for: what a tester would turn to who suspects a bug of that kind.

Invariant: nothing of a mutant outlives its block, so the next simulation runs the product as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import pytest

from chaos.simulation.trial import Trial, plan

Plant = Callable[[pytest.MonkeyPatch], None]
SPAN_S = 15.0


class Mutant(NamedTuple):
    """One bug: how to plant it, and how to look for it. One of ``invariants`` must be named when it is caught."""

    name: str
    resembles: str
    plant: Plant
    invariants: frozenset[str]
    workloads: tuple[str, ...]
    nemeses: tuple[str, ...]
    changes: Mapping[str, Any]

    def trial(self, seed: int) -> Trial:
        """Return the trial in which a seed looks for the bug; the same for the product without it."""
        trial = plan(seed, span_s=SPAN_S, nemeses=self.nemeses, workloads=self.workloads)
        # A link with a small window cannot keep up with clients that are so busy, which is no bug.
        replication = {name: value for name, value in trial.replication.items() if name != "window_bytes"}
        usual = {"clients": 2, "pause_ms": 150.0, "transactions": "group", "replication": replication}
        return msgspec.structs.replace(trial, **{**usual, **self.changes})


MUTANTS: dict[str, Mutant] = {}


def mutant(
    *invariants: str,
    workloads: tuple[str, ...] = ("registers",),
    nemeses: tuple[str, ...] = ("swizzle",),
    **changes: Any,
) -> Callable[[Plant], Plant]:
    """Register a bug by its function's name; ``changes`` are those of the trial."""

    def register(plant: Plant) -> Plant:
        name = plant.__name__
        resembles = " ".join((plant.__doc__ or "").split())
        MUTANTS[name] = Mutant(name, resembles, plant, frozenset(invariants), workloads, nemeses, changes)
        return plant

    return register


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Have a bug in the product for as long as the block lasts."""
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[name].plant(patch)
        yield
