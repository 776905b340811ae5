"""Experiments as files: regions, workloads and faults as equals, a steady state, invariants, and what is expected.

What: :class:`Scenario` is the content of a TOML file; :func:`load` reads one, or one of the gallery by its name. Who
plays it (:mod:`chaos.runner`) decides where: on real processes or in a simulation.

Invariants: a scenario is checked whole before anything starts: unknown regions, workloads, invariants and settings are
errors that name them. Times are milliseconds since the workloads began.

Source: the steady-state hypothesis is that of "Principles of Chaos Engineering" (https://principlesofchaos.org).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from chaos import faults, latency
from chaos.checker import CHECKERS
from chaos.faults import AnyFault
from chaos.workload import WORKLOADS, Workload

SUFFIX: Final = ".toml"
Positive = Annotated[float, Meta(gt=0)]


class ScenarioError(Exception):
    """A scenario makes no sense; the text says where."""


class Latency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the links are: a profile of :mod:`chaos.latency`, times ``scale``."""

    profile: Literal["aws"] = "aws"
    scale: Annotated[float, Meta(ge=0, le=100)] = 1.0


class Use(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One workload: its name, and how busy it is in every region."""

    name: str
    clients: Annotated[int, Meta(ge=1, le=100)] = 2
    keys: Annotated[int, Meta(ge=1)] = 4
    pause_ms: Positive = 40.0
    session_tokens: bool = False

    def workload(self) -> Workload:
        """Return the workload."""
        return WORKLOADS[self.name](
            clients=self.clients, keys=self.keys, pause_ms=self.pause_ms, carries_token=self.session_tokens
        )


class Steady(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The steady-state hypothesis: what is so before the faults, and again after them, or the experiment says nothing.

    ``links_live``: every link is live. ``answer_ms_max``: a read of each region is answered within so long.
    """

    links_live: bool = True
    answer_ms_max: Positive = 2000.0


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the experiment is to show, beside the invariants; ``None``: anything."""

    conflicts_min: int | None = None
    """At least so many writes lost to concurrent ones, and are on record."""
    double_grants_min: int | None = None
    """At least so many times the same condition held in two regions."""
    rto_max_s: float | None = None
    """Clients of no region were without an answer for longer (recovery time objective)."""
    rpo_max_writes: int | None = None
    """No more writes than this were in a region alone when it was lost (recovery point objective)."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One experiment."""

    title: str
    about: str = ""
    regions: tuple[str, ...] = ("us-east-1", "eu-west-1", "ap-northeast-1")
    seed: int = 1
    durability: Literal["full", "normal"] = "normal"
    span_s: Positive = 8.0
    """How long clients and faults go on."""
    deadline_s: Positive = 30.0
    """How long coming to rest may take after the healing."""
    latency: Latency | None = None
    workloads: tuple[Use, ...] = (Use(name="registers"),)
    faults: tuple[AnyFault, ...] = ()
    steady: Steady = Steady()
    invariants: tuple[str, ...] = tuple(CHECKERS)
    expect: Expected = Expected()


def gallery() -> dict[str, Scenario]:
    """Return the ready experiments by name."""
    folder = resources.files("chaos") / "scenarios"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(SUFFIX))
    return {name.removesuffix(SUFFIX): parse((folder / name).read_text(), name) for name in names}


def load(what: str) -> Scenario:
    """Read a scenario: a file, or the name of one in the gallery.

    Raises:
        ScenarioError: there is none, or it makes no sense.
    """
    path = Path(what)
    if path.suffix != SUFFIX and not path.exists():
        ready = gallery()
        if what not in ready:
            raise ScenarioError(f"there is no file and no experiment {what}; there are {', '.join(ready)}")
        return ready[what]
    try:
        text = path.read_text()
    except OSError as error:
        raise ScenarioError(f"{path} cannot be read: {error.strerror}") from error
    return parse(text, str(path))


def parse(text: str, where: str) -> Scenario:
    """Read a scenario's text.

    Raises:
        ScenarioError: it makes no sense.
    """
    try:
        scenario = msgspec.toml.decode(text, type=Scenario)
    except msgspec.DecodeError as error:
        raise ScenarioError(f"{where} is no scenario: {error}") from error
    try:
        _check(scenario)
    except ValueError as error:
        raise ScenarioError(f"{where} makes no sense: {error}") from error
    return scenario


def _check(scenario: Scenario) -> None:
    if len(set(scenario.regions)) != len(scenario.regions) or not scenario.regions:
        raise ValueError("regions must be different names, at least one")
    _known((use.name for use in scenario.workloads), WORKLOADS, "workload")
    _known(scenario.invariants, CHECKERS, "invariant")
    tables = [schema["TableName"] for use in scenario.workloads for schema in use.workload().schemas()]
    if len(set(tables)) != len(tables):
        raise ValueError("two workloads share a table")
    for fault in scenario.faults:
        faults.strikes(fault, scenario.regions)
        if fault.at_ms > scenario.span_s * 1000:
            raise ValueError(f"{faults.describe(fault)}: it begins after the end of the run, {scenario.span_s:g} s")
    if scenario.latency is not None:
        latency.delays_ms(scenario.regions, scenario.latency.scale)


def _known(names: Any, known: Any, what: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"there is no {what} {name!r}; there are {', '.join(known)}")


def script(scenario: Scenario) -> Sequence[AnyFault]:
    """Return the faults by their beginning."""
    return sorted(scenario.faults, key=lambda fault: fault.at_ms)
