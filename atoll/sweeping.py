"""Sweeps of simulations on all cores of this machine, or on those of many, and the order in which they are told.

What: :func:`outcomes` tries the seeds of a sweep in processes of their own and yields what became of each, as it comes.
``dask://host:port`` sends them to a Dask scheduler instead (``pip install 'atolldb[dask]'``).

Invariant: no more than a few seeds a process are under way, so a sweep of millions takes no memory.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from atoll.failure import RemedyError, UsageError
from chaos.simulation.simulate import Outcome
from chaos.simulation.sweep import Sweep, attempt

DASK: Final = "dask://"
AHEAD: Final = 3
"""How many seeds wait for each process."""


def cores() -> int:
    """Return how many processes run at once on this machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def outcomes(sweep: Sweep, seeds: Sequence[int], *, jobs: int, on: str | None = None) -> Iterator[Outcome]:
    """Try the seeds of a sweep; yield their outcomes in the order in which they are known.

    Raises:
        UsageError: ``on`` is no place that there is a way to.
        RemedyError: Dask is not installed, or its scheduler does not answer.
    """
    if on is not None:
        if not on.startswith(DASK):
            raise UsageError(f"{on} is no place for a sweep.", "Write dask://host:port.")
        with _dask(on.removeprefix(DASK)) as (executor, width):
            yield from _through(executor, sweep, seeds, AHEAD * width)
    elif jobs <= 1 or len(seeds) <= 1:
        yield from (attempt(sweep, seed) for seed in seeds)
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(jobs, len(seeds)), mp_context=context) as executor:
            try:
                yield from _through(executor, sweep, seeds, AHEAD * jobs)
            finally:
                executor.shutdown(wait=False, cancel_futures=True)


def _through(executor: Executor, sweep: Sweep, seeds: Sequence[int], ahead: int) -> Iterator[Outcome]:
    remaining = iter(seeds)
    under_way: set[Future[Outcome]] = {executor.submit(attempt, sweep, seed) for seed in islice(remaining, ahead)}
    while under_way:
        done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
        for seed in islice(remaining, len(done)):
            under_way.add(executor.submit(attempt, sweep, seed))
        for future in done:
            yield future.result()


@contextmanager
def _dask(address: str) -> Iterator[tuple[Any, int]]:
    """Connect to a scheduler; yield an executor, and how many threads its workers have in all."""
    try:
        # An extra that only sweeps over many machines need.
        from distributed import Client  # noqa: PLC0415
    except ImportError as error:
        raise RemedyError("Dask is not installed.", "Install it: pip install 'atolldb[dask]'.") from error
    try:
        client = Client(address, timeout="3s")
    except OSError as error:
        raise RemedyError(f"No Dask scheduler answers at {address}: {error}.", "Start one: dask scheduler.") from error
    with client:
        width = sum(client.nthreads().values()) or 1
        yield client.get_executor(pure=False), width
