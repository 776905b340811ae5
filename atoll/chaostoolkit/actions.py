"""Actions for Chaos Toolkit experiments: every fault that a running cluster can have, and the heal.

What: each applies one fault through the cluster's control address and returns what probes measured of it. A fault lasts
``seconds``, or until :func:`heal`, which belongs into an experiment's rollbacks.
"""

from __future__ import annotations

from typing import Any

import msgspec

from atoll.remote_control import find

__all__ = ["apply_fault", "crash", "cut", "delay", "heal", "isolate", "pause", "skew", "suspend"]

Applied = dict[str, Any]


def apply_fault(fault: dict[str, Any], cluster: str | None = None) -> Applied:
    """Apply any fault, as scenario files have it: ``{"kind": "bandwidth", "link": "*->*", "kb_s": 20}``."""
    applied: Applied = msgspec.to_builtins(find(cluster).apply(fault))
    return applied


def cut(link: str, mode: str = "blackhole", seconds: float | None = None, cluster: str | None = None) -> Applied:
    """Cut a link ``source->sink``: ``blackhole``, ``refuse``, only the ``data`` or only the ``acks``."""
    return _apply("cut", seconds, cluster, link=link, mode=mode)


def isolate(region: str, seconds: float | None = None, cluster: str | None = None) -> list[Applied]:
    """Cut every link into and out of a region, without a word."""
    return [cut(link, "blackhole", seconds, cluster) for link in (f"*->{region}", f"{region}->*")]


def delay(
    ms: int, link: str = "*->*", jitter_ms: int = 0, seconds: float | None = None, cluster: str | None = None
) -> Applied:
    """Delay what links carry by ``ms``, and up to ``jitter_ms`` more, each way."""
    return _apply("delay", seconds, cluster, link=link, ms=ms, jitter_ms=jitter_ms)


def pause(link: str, seconds: float | None = None, cluster: str | None = None) -> Applied:
    """Pause replication of a link; its connection stays."""
    return _apply("pause", seconds, cluster, link=link)


def skew(region: str, ms: int, seconds: float | None = None, cluster: str | None = None) -> Applied:
    """Set a region's clock wrong by ``ms``."""
    return _apply("clock-offset", seconds, cluster, region=region, ms=ms)


def crash(region: str, seconds: float | None = None, cluster: str | None = None) -> Applied:
    """End a region's process as ``kill -9`` does; it starts again after ``seconds``, or with the heal."""
    return _apply("crash", seconds, cluster, region=region)


def suspend(region: str, seconds: float | None = None, cluster: str | None = None) -> Applied:
    """Stop a region's process where it stands (SIGSTOP)."""
    return _apply("suspend", seconds, cluster, region=region)


def heal(cluster: str | None = None) -> list[int]:
    """End every fault and pause and start every region that is down; return the numbers of the faults."""
    return find(cluster).heal()


def _apply(kind: str, seconds: float | None, cluster: str | None, **fields: Any) -> Applied:
    span = {} if seconds is None else {"for_ms": round(seconds * 1000)}
    return apply_fault({"kind": kind, **fields, **span}, cluster)
