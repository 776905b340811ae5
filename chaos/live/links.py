"""Faults of links on real processes: what each does to a link's proxy, how it is undone, and how it is proved.

What: the sink connects to the source through the link's proxy, so *downstream* is what the source sends and *upstream*
what the sink acknowledges. :func:`begin` applies a fault to one link and returns how to end it; :func:`prove` measures
its effect by probing.

Invariants: toxics are named after the fault's number, so faults of the same link do not meet. What is stalled is
delivered when the fault ends; what a black hole swallowed is not, and its connections end with it, as the link's
protocol expects.

Source: Toxiproxy 2.12's README, "Toxics".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from chaos.faults import Bandwidth, Cut, Delay, LinkFault, Loss, Pause, Tear
from chaos.live import probe
from chaos.live.fleet import Fleet, Way
from chaos.live.probe import RefusedError
from chaos.live.toxiproxy import Toxiproxy

TORN_AFTER_BYTES: Final = 7
"""A frame is torn after so many bytes, in the midst of its header."""
ATTEMPTS: Final = 40
SLACK_MS: Final = 2.0
"""A timer of the proxy and the probe's own clock may differ by this."""

Undo = Callable[[], None]


class Effect(NamedTuple):
    """What was measured of a fault at one target, and whether it is what the fault is for."""

    target: str
    measured: str
    holds: bool


class _Toxic(NamedTuple):
    kind: str
    stream: str
    attributes: Mapping[str, int]
    toxicity: float = 1.0


BOTH: Final = ("upstream", "downstream")


def _toxics(fault: LinkFault) -> list[_Toxic]:
    match fault:
        case Cut(mode="blackhole"):
            return [_Toxic("timeout", stream, {"timeout": 0}) for stream in BOTH]
        case Cut(mode="data"):
            return [_Toxic("bandwidth", "downstream", {"rate": 0})]
        case Cut(mode="acks"):
            return [_Toxic("bandwidth", "upstream", {"rate": 0})]
        case Delay(ms=ms, jitter_ms=jitter):
            # Up to ``jitter`` more than ``ms`` is the middle of that span, half of it to either side.
            attributes = {"latency": ms + jitter // 2, "jitter": jitter // 2}
            return [_Toxic("latency", stream, attributes) for stream in BOTH]
        case Bandwidth(kb_s=kb_s):
            return [_Toxic("bandwidth", stream, {"rate": max(1, round(kb_s))}) for stream in BOTH]
        case Loss(share=share):
            return [_Toxic("reset_peer", "upstream", {"timeout": 0}, share)]
        case Tear():
            return [_Toxic("limit_data", "downstream", {"bytes": TORN_AFTER_BYTES})]
    return []


def begin(fault: LinkFault, number: int, fleet: Fleet, proxies: Toxiproxy, source: str, sink: str) -> Undo:
    """Apply a fault to one directed link; return what ends it there."""
    way = fleet.way(source, sink)
    if isinstance(fault, Pause):
        fleet.pause_link(source, sink)
        return lambda: fleet.resume_link(source, sink)
    if isinstance(fault, Cut) and fault.mode == "refuse":
        proxies.enable(way.proxy, enabled=False)
        return lambda: proxies.enable(way.proxy, enabled=True)
    names = []
    for toxic in _toxics(fault):
        name = f"fault-{number}-{toxic.stream}"
        proxies.add_toxic(way.proxy, name, toxic.kind, toxic.stream, toxic.attributes, toxic.toxicity)
        names.append(name)

    def undo() -> None:
        for name in names:
            proxies.remove_toxic(way.proxy, name)

    return undo


def strike_again(number: int, fleet: Fleet, proxies: Toxiproxy, source: str, sink: str) -> None:
    """Let a loss of connections hit those that stand, once more."""
    proxies.touch_toxic(fleet.way(source, sink).proxy, f"fault-{number}-upstream")


def prove(fault: LinkFault, fleet: Fleet, source: str, sink: str) -> Effect:
    """Probe one directed link for the effect of a fault."""
    way = fleet.way(source, sink)
    measured, holds = _measure(fault, fleet, way, source, sink)
    return Effect(f"{source}->{sink}", measured, holds)


def _measure(fault: LinkFault, fleet: Fleet, way: Way, source: str, sink: str) -> tuple[str, bool]:
    match fault:
        case Pause():
            states = fleet.link_states(source, sink)
            return f"state {' and '.join(sorted(set(states.values()))) or 'unknown'}", "paused" in states.values()
        case Delay(ms=ms, jitter_ms=jitter):
            took = _answer(way, 2 * (ms + jitter) / 1000 + 5)
            if took is None:
                return "no answer", False
            each_ms = took * 1000 / 2
            return f"{each_ms:.0f} ms in each direction", each_ms >= ms - SLACK_MS
        case Bandwidth(kb_s=kb_s):
            # What takes a quarter of a second, but the first kilobytes are in the sockets before the rate shows.
            rate = probe.rate_kb_s(way, max(3 * probe.PADDING, round(kb_s * 250)), 10)
            return ("stalled", False) if rate is None else (f"{rate:.0f} KB/s", rate <= kb_s * 1.5)
        case Loss(share=share):
            lost = probe.lost_share(way, ATTEMPTS)
            return f"{lost:.0%} of connections lost", (lost > 0) == (share > 0)
        case Tear():
            count = probe.received(way, probe.SILENCE_S)
            return f"torn after {count} bytes", count <= TORN_AFTER_BYTES
    return _silence(way, refused=isinstance(fault, Cut) and fault.mode == "refuse")


def _silence(way: Way, *, refused: bool) -> tuple[str, bool]:
    try:
        took = probe.answer_s(way)
    except RefusedError:
        return "refused", refused
    if took is None:
        return f"no answer in {probe.SILENCE_S * 1000:.0f} ms", not refused
    return f"answered in {took * 1000:.0f} ms", False


def _answer(way: Way, wait_s: float) -> float | None:
    try:
        return probe.answer_s(way, wait_s)
    except RefusedError:
        return None


def passes(fleet: Fleet, source: str, sink: str, wait_s: float) -> bool:
    """Whether a probe gets an answer over a directed link."""
    return _answer(fleet.way(source, sink), wait_s) is not None
