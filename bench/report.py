"""The results as a page: ``docs/reference/performance.md``."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench import proxy
from bench.caching import Caching
from bench.catching_up import CatchingUp
from bench.delay import Distant
from bench.links import Links
from bench.mesh import Mesh
from bench.page import Page
from bench.region import Row
from bench.trimming import Trimming

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "performance.md"
OWN: Final = "atoll (normal)"
BUSY: Final = 3.5
"""The load average above which others than the measurement must have been at work on two cores."""


class Growth(NamedTuple):
    """What becomes of replication as distance, backlog and the number of regions grow."""

    catching_up: CatchingUp
    distant: Distant
    mesh: Mesh
    trimming: Trimming


def machine() -> str:
    """Name the machine: processor, cores, kernel and Python."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    cores = Path("/proc/cpuinfo").read_text().count("processor\t")
    return f"{model}, {cores} cores, Linux {platform.release()}, Python {platform.python_version()}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Render a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def comparison(rows: list[Row]) -> str:
    """Render every measured cell with its ratio to Atoll's own (how many times the CPU, or the rate, of Atoll)."""
    own = {(row.operation, row.connections): row.sample for row in rows if row.peer == OWN}
    body = []
    for row in rows:
        mine = own[row.operation, row.connections]
        cpu, ratio = "", ""
        if row.sample.cpu_us is not None and mine.cpu_us:
            cpu = f"{row.sample.cpu_us:.1f}"
            ratio = f"{row.sample.cpu_us / mine.cpu_us:.2f}"
        body.append(
            (
                row.operation,
                str(row.connections),
                row.peer,
                f"{row.sample.rate:,.0f}",
                f"{row.sample.p50_ms:.3f}",
                f"{row.sample.p99_ms:.2f}",
                cpu,
                ratio,
                f"{mine.rate / row.sample.rate:.2f}",
            )
        )
    return table(
        (
            "operation",
            "connections",
            "system",
            "per second",
            "p50 ms",
            "p99 ms",
            "CPU µs",
            "CPU / Atoll's",
            "Atoll's rate / its",
        ),
        body,
    )


def budgets(
    rows: list[Row],
    grown: list[Row],
    memory: dict[int, float],
    idle: float,
    start: tuple[float, float],
    links: Links,
    growth: Growth,
    cached: Caching,
    shown: Page,
) -> str:
    """Render the budgets beside what was measured in this run."""
    cell = {(row.peer, row.operation, row.connections): row.sample for row in rows}

    def cpu(peer: str, operation: str) -> float:
        return cell[peer, operation, 64].cpu_us or float("nan")

    lines = [
        (
            f"{operation}: CPU against dynalite, 64 connections",
            f"≤ 1/{bound}",
            f"1/{cpu('dynalite', operation) / cpu(OWN, operation):.2f}",
        )
        for operation, bound in (
            ("GetItem", 3),
            ("PutItem", 2.5),
            ("UpdateItem", 2.5),
            ("Query", 8),
            ("BatchWriteItem", 4),
        )
    ]
    full, normal = cpu("atoll (full)", "PutItem"), cpu(OWN, "PutItem")
    smallest, largest = min(memory), max(memory)
    by_size = {(row.operation, row.items): row.sample.cpu_us or 0.0 for row in grown}
    lines += [
        ("PutItem: CPU of durability full against normal, 64 connections", "≤ 1.3", f"{full / normal:.2f}"),
        ("PutItem at 1 connection, p50", "< 0.25 ms", f"{cell[OWN, 'PutItem', 1].p50_ms:.3f} ms"),
        (
            "CPU of the writing region per PutItem, three regions against one",
            "≤ 1.4",
            f"{links.write_cpu_three / links.write_cpu_one:.2f}",
        ),
    ]
    lines += [
        (
            f"{operation}: CPU at {largest:,} items against {smallest:,}",
            "≤ 1.5",
            f"{by_size[operation, largest] / by_size[operation, smallest]:.2f}",
        )
        for operation in ("GetItem", "PutItem", "Query")
    ]
    lines += [
        ("resident memory, idle", "60 MB", f"{idle:.0f} MB"),
        (f"resident memory with {largest:,} items", "350 MB", f"{memory[largest]:.0f} MB"),
        ("start of one region to the first answer", "0.5 s", f"{start[0]:.2f} s"),
        ("start of three regions with a global table", "1.5 s", f"{start[1]:.2f} s"),
        ("one link, sustained", "≥ 12,000 changes/s", f"{links.applied_per_second:,.0f} changes/s"),
        ("CPU of the sink per change", "≤ 40 µs", f"{links.apply_cpu:.1f} µs"),
        (
            "replication lag, idle link, p50 / p99",
            "≤ 5 / 20 ms",
            f"{links.idle_p50_ms:.1f} / {links.idle_p99_ms:.1f} ms",
        ),
        ("replication lag at 2,000 writes/s, p99", "≤ 100 ms", f"{links.loaded_p99_ms:.1f} ms"),
        (
            "catching up while the source takes 1,000 writes/s",
            "≥ 8,000 changes/s",
            f"{links.catch_up_per_second:,.0f} changes/s",
        ),
    ]
    lines.append(
        ("GetItem through a cache: CPU of one that is held against one that is not", "≤ 1/3", f"1/{cached.ratio:.1f}")
    )
    lines.append(
        (
            "server of the live page: ten regions, 1,000 writes/s, the page open",
            "≤ 10 % of a core",
            f"{shown.busy_cpu_percent:.1f} % at {shown.writes_per_second:,.0f} writes/s",
        )
    )
    return table(("what", "budget", "measured"), lines + _of_growth(links, growth))


def _of_growth(links: Links, growth: Growth) -> list[tuple[str, str, str]]:
    caught_up, distant, mesh, trimming = growth
    lag_ms = distant.lag_p50_ms - distant.delay_ms
    return [
        (
            "changes that a sink lacks when a source written to at full speed is left alone",
            "≤ 1 s of them",
            f"{links.full_speed_behind:,.0f} at {links.full_speed_per_second:,.0f} writes/s",
        ),
        ("readers of a region that catches up keep", "≥ 67 %", f"{caught_up.readers_kept:.0%}"),
        ("writers of a region that catches up keep", "≥ 67 %", f"{caught_up.writers_kept:.0%}"),
        (
            f"one link with {distant.delay_ms:.0f} ms of delay each way",
            "≥ 12,000 changes/s",
            f"{distant.applied_per_second:,.0f} changes/s",
        ),
        ("replication lag of that link, beyond its delay, p50", "≤ 5 ms", f"{lag_ms:.1f} ms"),
        ("ten regions: CPU of an idle one with eighteen links", "—", f"{mesh.idle_cpu_percent:.1f} % of a core"),
        ("ten regions: CPU per change and region", "≤ 40 µs", f"{mesh.change_cpu:.1f} µs"),
        ("ten regions: resident memory of the largest", "—", f"{mesh.resident_mb:.0f} MB"),
        (
            "records of the change log left when every member has all",
            "≤ 1 %",
            f"{trimming.records_left:,.0f} of {trimming.written:,.0f} after {trimming.seconds:.1f} s",
        ),
    ]


def busyness(before: float, after: float) -> str:
    """Say how busy the machine was beside the measurement, by its load average before and after."""
    text = f"The machine's load average was {before:.1f} before and {after:.1f} after the run."
    if max(before, after) > BUSY:
        text += (
            " Others were using it: CPU figures are inflated, those side by side alike; rates, latencies, start times "
            "and what is caught up in a second are far below what it does when quiet."
        )
    return text


def write(sections: dict[str, str], busy: str) -> None:
    """Write the page; ``busy`` says how busy the machine was."""
    text = "# Performance\n\nMeasured by `make bench`: server on one core, wrk on the other, items of 1 KB. "
    text += "CPU is user and system time of the server's process per answered request.\n\n"
    text += f"Machine: {machine()}. {busy}\n"
    for title, body in sections.items():
        text += f"\n## {title}\n\n{body}\n"
    PAGE.write_text(text)


def comparison_by_size(rows: list[Row], memory: dict[int, float]) -> str:
    """Render how one region does as its table grows."""
    body = [
        (
            row.operation,
            f"{row.items:,}",
            f"{row.sample.rate:,.0f}",
            f"{row.sample.cpu_us or 0:.1f}",
            f"{memory[row.items]:.0f}",
        )
        for row in rows
    ]
    return table(("operation", "items", "per second", "CPU µs", "resident MB"), body)


def figures(measured: Any) -> str:
    """Render figures as they were taken."""
    return table(
        ("figure", "value"), [(name.replace("_", " "), f"{value:,.1f}") for name, value in measured._asdict().items()]
    )


def proxies(rows: list[proxy.Row]) -> str:
    """Render what a proxy costs: one connection through an echo server and back."""
    body = [(row.name, f"{row.megabytes_per_second:,.0f}", f"{row.p50_us:.0f}", f"{row.p99_us:.0f}") for row in rows]
    return table(("way", "MB/s, there and back", "round trip of a byte, p50 µs", "p99 µs"), body)
