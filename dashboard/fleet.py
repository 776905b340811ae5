"""The fleet as one state: what every region says of itself and of its links, put together for a page.

What: :meth:`Fleet.heard` takes a region's report, :meth:`Fleet.view` returns the state that the page shows: a headline,
regions, links, conflicts, faults, marks for the timeline and samples for the charts. No I/O, no clocks.

Invariants: a number that nobody knows is left out, never shown as zero. The lag of a link is the greater of its recent
``ReplicationLatency`` and the age of its oldest unacknowledged change, by the worse of what its two ends know, so a cut
link never looks healthy; a region that does not answer makes its links unreachable. Skew is shown as it is, never
clamped.

Source: the project's design, section 4 (lag).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from dashboard import weather

Report = Mapping[str, Any]

SAMPLE_MS: Final = 1000
SAMPLES_KEPT: Final = 300
CONFLICTS_KEPT: Final = 100
MARKS_KEPT: Final = 200
RATE_WINDOW_MS: Final = 3000
MINUTE_MS: Final = 60_000
LIVE: Final = "live"
UNREACHABLE: Final = "unreachable"
_SEVERITY: Final = {
    state: rank
    for rank, state in enumerate(
        (LIVE, "catching up", "bootstrapping", "paused", "parked", "needs resynchronisation", UNREACHABLE)
    )
}


class Counter:
    """A number that only grows while a process lives, and how fast it has of late."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, float]] = deque()
        self._life = 0

    def add(self, now_ms: int, value: float, life: int) -> None:
        """Take the number's value in a process; another process counts anew."""
        if life != self._life:
            self._seen.clear()
            self._life = life
        self._seen.append((now_ms, value))
        while len(self._seen) > 2 and self._seen[1][0] <= now_ms - RATE_WINDOW_MS:
            self._seen.popleft()

    @property
    def per_second(self) -> float:
        """The growth a second."""
        if len(self._seen) < 2:
            return 0.0
        (first_ms, first), (last_ms, last) = self._seen[0], self._seen[-1]
        return round((last - first) * 1000 / (last_ms - first_ms), 1) if last_ms > first_ms else 0.0


class Fleet:
    """Everything that is known of the regions, by their names and in their order."""

    def __init__(self, regions: tuple[str, ...]) -> None:
        self.regions = regions
        self.faults: dict[str, Any] = {}
        self._reports: dict[str, Report | None] = dict.fromkeys(regions)
        self._writes = {region: Counter() for region in regions}
        self._rates: dict[str, Counter] = {}
        self._conflicts: deque[dict[str, Any]] = deque(maxlen=CONFLICTS_KEPT)
        self._conflict_times: deque[int] = deque()
        self._conflict_count = 0
        self._marks: deque[dict[str, Any]] = deque(maxlen=MARKS_KEPT)
        self._samples: deque[dict[str, Any]] = deque(maxlen=SAMPLES_KEPT)
        self._sampled_ms = 0
        self._equal: bool | None = None
        self._since_ms: int | None = None
        self._states: dict[str, str] = {}
        self._tried: set[str] = set()

    @property
    def ready(self) -> bool:
        """Whether every region was asked once, so that what is missing is missing."""
        return len(self._tried) == len(self.regions)

    def heard(self, region: str, report: Report | None, now_ms: int) -> None:
        """Take what a region says of itself; ``None``: it does not answer."""
        was_there = self._reports[region] is not None
        self._reports[region] = report
        self._tried.add(region)
        if (report is not None) is not was_there and self._since_ms is not None:
            self.mark(now_ms, "region", region, "is back" if report else "does not answer")
        if report is None:
            return
        life = report["pid"]
        applied = 0
        for link in report["links"]:
            if link["at"] == link["sink"]:
                applied += link["changes"]
                name = f"{link['source']}->{link['sink']}"
                self._rates.setdefault(name, Counter()).add(now_ms, link["changes"], life)
        self._writes[region].add(now_ms, report["store"]["log_head"] - applied, life)

    def conflicted(self, entry: dict[str, Any], now_ms: int) -> None:
        """Take one entry of the fleet's conflict feed."""
        self._conflict_count += 1
        self._conflict_times.append(now_ms)
        self._conflicts.appendleft(entry)

    def mark(self, now_ms: int, kind: str, target: str, text: str) -> None:
        """Put a mark on the timeline."""
        self._marks.append({"at_ms": now_ms, "kind": kind, "target": target, "text": text})

    def view(self, now_ms: int) -> dict[str, Any]:
        """Return the state that the page shows."""
        links = self._links()
        for name, link in links.items():
            before = self._states.get(name)
            if before is not None and before != link["state"]:
                self.mark(now_ms, "link", name, link["state"])
            self._states[name] = link["state"]
        regions = {region: self._region(region, links) for region in self.regions}
        headline = self._headline(regions, links, now_ms)
        self._sample(regions, links, now_ms)
        return {
            "headline": headline,
            "regions": regions,
            "links": links,
            "faults": self.faults,
            "conflicts": {"total": self._conflict_count, "recent": list(self._conflicts)},
            "marks": list(self._marks),
            "samples": list(self._samples)[-1:],
        }

    def samples(self) -> list[dict[str, Any]]:
        """Return the samples kept, oldest first, for a page that has just come."""
        return list(self._samples)

    # The parts of it.

    def _links(self) -> dict[str, dict[str, Any]]:
        links: dict[str, dict[str, Any]] = {}
        for source in self.regions:
            for sink in self.regions:
                if source == sink:
                    continue
                name = f"{source}->{sink}"
                ends = [
                    link
                    for at in (source, sink)
                    for link in (self._reports[at] or {"links": ()})["links"]
                    if (link["source"], link["sink"]) == (source, sink)
                ]
                links[name] = self._link(name, ends, answered=all(self._reports[at] for at in (source, sink)))
        return links

    def _link(self, name: str, ends: list[Mapping[str, Any]], *, answered: bool) -> dict[str, Any]:
        """Put together what the two ends of a link know: the worse of both."""
        worst = max(ends, key=lambda end: _SEVERITY.get(end["state"], 0), default=None)
        state = worst["state"] if worst is not None and answered else UNREACHABLE
        latencies = [end["latency"] for end in ends if end.get("latency")]
        oldest_s = _greatest(ends, "oldest_unacknowledged_s")
        latency_ms = max((latency["p50_ms"] for latency in latencies), default=None)
        if state == UNREACHABLE or oldest_s is not None:
            waiting_ms = (
                max(oldest_s or 0.0, (_greatest(ends, "staleness_s") or 0.0) if state == UNREACHABLE else 0.0) * 1000
            )
        else:
            waiting_ms = 0.0
        lag_ms = None if latency_ms is None and not waiting_ms else round(max(latency_ms or 0, waiting_ms))
        return _known(
            state=state,
            detail=(worst or {}).get("detail") or None,
            lag_ms=lag_ms,
            latency_ms=latency_ms,
            p99_ms=max((latency["p99_ms"] for latency in latencies), default=None),
            behind=_greatest(ends, "records_behind"),
            oldest_s=_rounded(oldest_s),
            staleness_s=_rounded(_greatest(ends, "staleness_s")),
            exchange_s=_rounded(_greatest(ends, "last_exchange_s")),
            rate=self._rates[name].per_second if name in self._rates else None,
            skew_ms=next((end["skew_ms"] for end in ends if end["at"] == end["sink"]), None),
            paused_for_s=_rounded(_greatest(ends, "paused_for_s")),
            **weather.on_link(name, [standing["fault"] for standing in self.faults.values()]),
        )

    def _region(self, region: str, links: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        report = self._reports[region]
        if report is None:
            return {"state": "unreachable"}
        into = [link for name, link in links.items() if name.endswith(f"->{region}")]
        stale = [link["staleness_s"] for link in into if "staleness_s" in link]
        return _known(
            state=report["state"],
            endpoint=report["addresses"]["api"],
            admin=report["addresses"]["admin"],
            writes_s=self._writes[region].per_second,
            log_head=report["store"]["log_head"],
            staleness_s=max(stale, default=None),
            skew_ms=self._skew_ms(region),
            fenced=report["clock"]["refusing"] or None,
            alarms=[f"{alarm['message']} {alarm['remedy']}" for alarm in report["alarms"]],
            rpo=_known(**report["rpo"]["nowhere_else"]),
            tables=[{"name": table["name"], "items": table["items"]} for table in report["tables"]],
        )

    def _skew_ms(self, region: str) -> int | None:
        """Return how far a region's clock is ahead of its peers', by the median of what it has measured."""
        report = self._reports[region] or {"links": ()}
        skews = sorted(-link["skew_ms"] for link in report["links"] if link["at"] == link["sink"] == region)
        return skews[len(skews) // 2] if skews else None

    def _headline(
        self, regions: Mapping[str, Mapping[str, Any]], links: Mapping[str, Mapping[str, Any]], now_ms: int
    ) -> dict[str, Any]:
        equal, why = self._equality(regions, links)
        if equal is not self._equal or self._since_ms is None:
            if self._equal is not None:
                self.mark(now_ms, "headline", "*", "converged" if equal else "diverged")
            self._equal, self._since_ms = equal, now_ms
        while self._conflict_times and self._conflict_times[0] < now_ms - MINUTE_MS:
            self._conflict_times.popleft()
        worst = max(links, key=lambda name: links[name].get("lag_ms", -1), default=None)
        known = worst is not None and "lag_ms" in links[worst]
        return _known(
            equal=equal,
            since_ms=self._since_ms,
            why=why,
            writes_s=round(sum(region.get("writes_s", 0.0) for region in regions.values()), 1),
            conflicts_min=len(self._conflict_times),
            worst_link=worst if known else None,
            worst_lag_ms=links[worst]["lag_ms"] if worst is not None and known else None,
        )

    @staticmethod
    def _equality(regions: Mapping[str, Mapping[str, Any]], links: Mapping[str, Mapping[str, Any]]) -> tuple[bool, str]:
        """Say whether every region holds what every other has written, and if not, what is in the way."""
        silent = [name for name, region in regions.items() if region["state"] != LIVE]
        if silent:
            return False, f"{', '.join(silent)} {'does' if len(silent) == 1 else 'do'} not answer"
        ill = [name for name, link in links.items() if link["state"] not in (LIVE, "catching up")]
        if ill:
            return False, f"{ill[0]} is {links[ill[0]]['state']}" + (f", and {len(ill) - 1} more" if ill[1:] else "")
        waiting = sum(link.get("behind", 0) for link in links.values())
        late = [name for name, link in links.items() if link.get("lag_ms", 0) > 1000 and link.get("behind")]
        if late:
            return False, f"{waiting} changes on their way, the oldest over {late[0]}"
        return True, "every link delivers within a second" if waiting else "nothing is on its way"

    def _sample(
        self, regions: Mapping[str, Mapping[str, Any]], links: Mapping[str, Mapping[str, Any]], now_ms: int
    ) -> None:
        if now_ms - self._sampled_ms < SAMPLE_MS:
            return
        self._sampled_ms = now_ms
        self._samples.append(
            {
                "at_ms": now_ms,
                "lag": {name: link["lag_ms"] for name, link in links.items() if "lag_ms" in link},
                "states": {name: link["state"] for name, link in links.items()},
                "writes": {name: region.get("writes_s", 0.0) for name, region in regions.items()},
                "up": [name for name, region in regions.items() if region["state"] == LIVE],
            }
        )


def _known(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _greatest(ends: list[Mapping[str, Any]], name: str) -> Any:
    return max((end[name] for end in ends if end.get(name) is not None), default=None)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
