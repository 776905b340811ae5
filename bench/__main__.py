"""``python -m bench``: run all measurements and write the page. ``--quick`` gives rough figures in two minutes."""

from __future__ import annotations

import argparse
import os
import shutil
import sys

from bench import access, caching, catching_up, delay, links, mesh, page, proxy, region, report, simulation, trimming


def main() -> None:
    """Run the measurements."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, smaller tables, nothing written")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("bench: wrk is missing; `make bench` installs it where it may (Debian: apt-get install wrk)")
    rounds, seconds = (1, 1.0) if arguments.quick else (3, 2.0)
    sizes = (10_000, 100_000) if arguments.quick else (10_000, 100_000, 1_000_000)
    load_before = os.getloadavg()[0]
    start = region.start_times(rounds)
    rows = region.compare(rounds=rounds, seconds=seconds)
    grown, memory, idle = region.growth(sizes, seconds=max(2.0, seconds))
    replication = links.measure(max(3.0, seconds))
    proxies = report.proxies(proxy.measure(seconds))
    cached = caching.measure(seconds)
    shown = page.measure(max(5.0, seconds))
    growth = report.Growth(
        catching_up.measure(max(3.0, seconds)),
        delay.measure(max(3.0, seconds)),
        mesh.measure(max(5.0, seconds)),
        trimming.measure(),
    )
    simulated = simulation.measure(20 if arguments.quick else simulation.SEEDS)
    budgets = report.budgets(rows, grown, memory, idle, start, replication, growth, cached, shown)
    print(budgets)
    print(proxies)
    print(access.report())
    busy = report.busyness(load_before, os.getloadavg()[0])
    print(busy)
    if not arguments.quick:
        report.write(
            {
                "Budgets": budgets,
                "Operations, side by side": report.comparison(rows),
                "Growth": report.comparison_by_size(grown, memory),
                "Replication": report.figures(replication),
                "Catching up after a long cut": report.figures(growth.catching_up),
                "A link with 100 ms of delay each way": report.figures(growth.distant),
                "Ten regions in full mesh": report.figures(growth.mesh),
                "Trimming of the change log": report.figures(growth.trimming),
                "Cache": report.figures(cached),
                "Simulation": report.figures(simulated),
                "The live page": report.figures(shown),
                "Proxy": proxies,
            },
            busy,
        )


if __name__ == "__main__":
    main()
