"""``make mutants``: hunt every mutant, and say how many seeds each needed; then run the same seeds without any.

Exit code 0 when all were caught and the product itself was never flagged, else 1. ``--json`` prints what was found for
programs, ``--seeds N`` is how many seeds each gets, names of mutants limit the hunt to them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed

from rich.console import Console
from rich.progress import track
from rich.table import Table

from mutants import MUTANTS
from mutants.hunt import Catch, hunt, innocent

SEEDS = 12
CLEAN_SEEDS = 2


def main() -> int:
    """Hunt, and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="MUTANT", help="only these; default: all")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many seeds each mutant gets")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true", dest="as_json")
    asked = parser.parse_args()
    names = asked.names or list(MUTANTS)
    if unknown := [name for name in names if name not in MUTANTS]:
        parser.error(f"there is no mutant {unknown[0]}; there are {', '.join(MUTANTS)}")
    console = Console(stderr=asked.as_json, width=160)
    with ProcessPoolExecutor(asked.jobs) as pool:
        hunts = [pool.submit(hunt, name, range(1, asked.seeds + 1)) for name in names]
        clean = [pool.submit(innocent, name, range(1, CLEAN_SEEDS + 1)) for name in names]
        for _ in track(as_completed([*hunts, *clean]), "hunting", total=2 * len(names), console=console):
            pass
        catches = [each.result() for each in hunts]
        flagged = [sentence for each in clean for sentence in each.result()]
    away = [catch.name for catch in catches if catch.caught_by is None]
    if asked.as_json:
        found = {"caught": [catch._asdict() for catch in catches], "got_away": away, "flagged": flagged}
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        console.print(report(catches))
        caught = f"{len(catches) - len(away)} of {len(catches)} mutants were caught"
        console.print(f"{caught}{': missing ' + ', '.join(away) if away else ''}.")
        console.print(
            "\n".join(flagged) or f"The product itself was never flagged, in {CLEAN_SEEDS * len(names)} runs."
        )
    return 1 if away or flagged else 0


def report(catches: list[Catch]) -> Table:
    """Return a table with a line for each mutant."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("mutant", "seeds", "what was said first"):
        table.add_column(heading, justify="right" if heading == "seeds" else "left", no_wrap=heading != "said")
    for catch in catches:
        seeds = f"[red]> {catch.seeds}[/red]" if catch.caught_by is None else str(catch.seeds)
        table.add_row(catch.name, seeds, catch.said[:110])
    return table


if __name__ == "__main__":
    sys.exit(main())
