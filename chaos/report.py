"""The report of an experiment: one HTML page with everything in it, readable without a network.

What: :func:`page` draws what was played: the verdict, the timeline of faults, the lag of every link, throughput and
latency of clients per region, conflicts, and what was lost and what was not. Figures are SVG made by hand, with the
numbers beside them as tables, so that nothing is told by colour alone.

Invariants: the page asks for nothing from elsewhere and runs no script. Everything that clients or faults said is
escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from chaos import faults, spacetime
from chaos.checker.replica import Replica, text
from chaos.history import Operation
from chaos.record import Applied, Lag
from chaos.runner import Played, Verdict
from chaos.scenario import Scenario
from region.model.change import Conflict

WIDTH: Final = 900
LANE: Final = 22
CHART: Final = 90
LEFT: Final = 230
SHOWN: Final = 100
"""So many conflicts and violations are listed; the history has them all."""
STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2530; --soft: #66707c; --line: #c9d1d9; --bar: #b3541e; --wave: #1f6feb;
  --paper: #fff; --good: #1a7f37; --bad: #cf222e }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --line: #3a424c; --bar: #e0823d;
  --wave: #58a6ff; --paper: #10151b; --good: #3fb950; --bad: #ff7b72 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1000px;
  margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 } h2 { margin-top: 2rem } .soft { color: var(--soft) }
.held { color: var(--good) } .broken { color: var(--bad) }
table { border-collapse: collapse; margin: .5rem 0 } th, td { text-align: left; padding: .2rem .8rem .2rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top } td.n, th.n { text-align: right }
svg { width: 100%; height: auto } svg text { fill: var(--ink); font-size: 12px } .axis { stroke: var(--line) }
.bar { fill: var(--bar) } .wave { fill: none; stroke: var(--wave); stroke-width: 1.5 } code { font-size: 13px }
"""


def page(played: Played) -> str:
    """Return the report as HTML."""
    verdict = played.verdict
    scenario = verdict.scenario
    parts = [
        _head(verdict),
        _section("What did not hold", _violations(verdict)) if verdict.violations else "",
        _section("Faults", _timeline(verdict.applied, scenario) + _applied(verdict.applied)),
        _section("Lag", _lags(played.lags, scenario)),
        _section("Clients", _clients(played.evidence.operations, verdict)),
        _section("What was lost, and what was not", _losses(verdict)),
        _section("Conflicts", _conflicts(played)),
        _section("One item in space and time", spacetime.figure(played.evidence)),
        _section("Judged", _judged(verdict)),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(scenario.title)}</title><style>{STYLE}</style></head><body>\n"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _head(verdict: Verdict) -> str:
    scenario = verdict.scenario
    word = "held" if verdict.held else "broken"
    names = "" if verdict.held else f": {escape(', '.join(verdict.broken))}"
    return (
        f"<h1>{escape(scenario.title)}</h1><p class=soft>{escape(scenario.about)}</p>"
        f'<p><strong class="{word}">{word.capitalize()}{names}</strong></p>'
        f"<p>{escape(', '.join(scenario.regions))}; {scenario.span_s:g} s of clients and faults, "
        f"durability {scenario.durability}, seed {scenario.seed}.</p>"
    )


def _section(title: str, body: str) -> str:
    return f"<h2>{escape(title)}</h2>{body}"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _violations(verdict: Verdict) -> str:
    return _table(("invariant", "what"), [(each.invariant, each.sentence) for each in verdict.violations[:SHOWN]])


# Time runs to the right.


def _x(at_s: float, span_s: float) -> float:
    return LEFT + min(1.0, max(0.0, at_s / span_s)) * (WIDTH - LEFT - 10)


def _svg(height: float, body: str, label: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}">{body}</svg>'


def _axis(span_s: float, height: float) -> str:
    marks = []
    for second in range(int(span_s) + 1):
        x = _x(second, span_s)
        marks.append(f'<line class="axis" x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height - 16:.0f}"/>')
        marks.append(f'<text x="{x:.1f}" y="{height - 3:.0f}" text-anchor="middle">{second} s</text>')
    return "".join(marks)


def _timeline(applied: Sequence[Applied], scenario: Scenario) -> str:
    height = LANE * len(applied) + 20
    body = _axis(scenario.span_s, height)
    for lane, each in enumerate(applied):
        span_s = scenario.span_s - each.began_s if each.fault.for_ms is None else each.fault.for_ms / 1000
        begin, end = _x(each.began_s, scenario.span_s), _x(each.began_s + span_s, scenario.span_s)
        y = lane * LANE
        body += f'<text x="0" y="{y + 15}">{escape(_whom(each))}</text>'
        body += f'<rect class="bar" x="{begin:.1f}" y="{y + 4}" width="{max(3.0, end - begin):.1f}" height="14"/>'
    return _svg(height, body, "When each fault was there") if applied else "<p>None.</p>"


def _whom(applied: Applied) -> str:
    table = faults.encode(applied.fault)
    return f"{table['kind']} {table.get('link') or table.get('region') or ''}"


def _applied(applied: Sequence[Applied]) -> str:
    rows = [
        (f"{each.began_s:.2f} s", faults.describe(each.fault), each.error or "; ".join(each.effects))
        for each in applied
    ]
    return _table(("began", "fault", "measured"), rows)


def _wave(points: Sequence[tuple[float, float]], span_s: float, top: float) -> str:
    shown = " ".join(f"{_x(at_s, span_s):.1f},{CHART - 24 - value / top * (CHART - 34):.1f}" for at_s, value in points)
    return f'<polyline class="wave" points="{shown}"/>'


def _chart(name: str, points: Sequence[tuple[float, float]], span_s: float, unit: str) -> str:
    top = max((value for _, value in points), default=0.0) or 1.0
    body = _axis(span_s, CHART) + f'<text x="0" y="30">{escape(name)}</text>'
    body += f'<text x="0" y="48">up to {top:,.2f} {unit}</text>' + _wave(points, span_s, top)
    return _svg(CHART, body, f"{name}, {unit}")


def _lags(lags: Sequence[Lag], scenario: Scenario) -> str:
    links = sorted({lag.link for lag in lags})
    charts, rows = [], []
    for link in links:
        mine = [lag for lag in lags if lag.link == link]
        points = [(lag.at_s, lag.age_s) for lag in mine if lag.at_s <= scenario.span_s]
        charts.append(_chart(link, points, scenario.span_s, "s old"))
        states = sorted({lag.state for lag in mine})
        worst = max(mine, key=lambda lag: lag.age_s)
        stale = max(lag.staleness_s for lag in mine)
        behind = f"{max(lag.behind for lag in mine):,}"
        rows.append((link, f"{worst.age_s:.2f} s", behind, f"{stale:.2f} s", ", ".join(states)))
    head = ("link", "oldest unacknowledged", "most behind", "staleness at worst", "states seen")
    return "".join(charts) + _table(head, rows)


def _clients(operations: Sequence[Operation], verdict: Verdict) -> str:
    scenario = verdict.scenario
    charts, rows = [], []
    for region in scenario.regions:
        mine = [each for each in operations if each.invocation.region == region and each.returned_ns is not None]
        good = [each for each in mine if each.outcome == "ok"]
        counts = [0] * (int(scenario.span_s * 2) + 1)
        for each in good:
            slot = int(((each.returned_ns or 0) - verdict.started_ns) / 5e8)
            if 0 <= slot < len(counts):
                counts[slot] += 2
        charts.append(
            _chart(
                region, [(slot / 2, count) for slot, count in enumerate(counts)], scenario.span_s, "answers a second"
            )
        )
        took = sorted(((each.returned_ns or 0) - each.invoked_ns) / 1e6 for each in good)
        rows.append((region, f"{len(good):,}", *(_percentile(took, percent) for percent in (50, 99, 100))))
    table = _table(("region", "succeeded", "p50", "p99", "slowest"), rows)
    spells = [(each.region, f"{each.began_s:.1f} s", f"{each.seconds:.1f} s") for each in verdict.outages]
    return "".join(charts) + table + (_table(("region", "no answer from", "for"), spells) if spells else "")


def _percentile(ordered: Sequence[float], percent: int) -> str:
    if not ordered:
        return "-"
    return f"{ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]:.1f} ms"


def _losses(verdict: Verdict) -> str:
    rpo = "no region was lost" if verdict.rpo_writes is None else f"{verdict.rpo_writes:,}"
    settled = "it did not" if verdict.settled_s is None else f"{verdict.settled_s:.2f} s after the healing"
    rows = [
        ("operations", f"{verdict.operations:,}"),
        ("acknowledged", f"{verdict.acknowledged:,}"),
        ("refused, without effect", f"{verdict.failed:,}"),
        ("outcome unknown to the client", f"{verdict.unknown:,}"),
        ("acknowledged writes lost without a record", f"{_lost(verdict):,}"),
        ("writes that lost to a concurrent one, on record", f"{verdict.conflicts:,}"),
        ("conditions that held in two regions", f"{verdict.double_grants:,}"),
        ("longest time without an answer (RTO)", f"{verdict.rto_s:.1f} s"),
        ("writes that a lost region had to itself (RPO)", rpo),
        ("at rest, everything everywhere", settled),
    ]
    return _table(("", ""), rows)


def _lost(verdict: Verdict) -> int:
    return sum(violation.invariant in ("values", "durability") for violation in verdict.violations)


def _conflicts(played: Played) -> str:
    rows = []
    for region, held in played.evidence.replicas.items():
        for _, conflict in held.conflicts:
            rows.append(
                (
                    region,
                    _item(held, conflict),
                    conflict.winner.version.origin,
                    conflict.loser.version.origin,
                    f"{conflict.margin_ms} ms",
                    ", ".join(conflict.attributes_lost) or "-",
                    "yes" if conflict.grants else "",
                )
            )
    if not rows:
        return "<p>None.</p>"
    more = f"<p class=soft>The first {SHOWN} of {len(rows):,}.</p>" if len(rows) > SHOWN else ""
    head = ("recorded in", "key", "winner", "loser", "margin", "attributes lost", "double grant")
    return more + _table(head, rows[:SHOWN])


def _item(held: Replica, conflict: Conflict) -> str:
    table = held.known[conflict.table_uid]
    return f"{table.name} {text(table, conflict.key)}"


def _judged(verdict: Verdict) -> str:
    broken = set(verdict.broken)
    rows = [(name, "BROKEN" if name in broken else "held") for name in verdict.scenario.invariants]
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in verdict.remarks[:SHOWN])
    return _table(("invariant", ""), rows) + (f"<ul class=soft>{remarks}</ul>" if remarks else "")
