"""``make differential``: thousands of generated requests to a region and to DynamoDB Local, and what differs.

Usage: ``python tests/differential/run.py [--seed N] [--requests N] [--verbose]``. The seed decides every request. It
fails on a difference that ``explanations.toml`` does not explain, and prints for each class of differences how often
it came and one request that shows it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
from collections import Counter, defaultdict
from typing import Any

from answer_differences import Difference
from compared_tables import TABLES
from comparison import Comparison, create
from control_plane_requests import compare_control_plane
from explanations import explanations
from oracle import oracle
from oracle_connection import Connection
from random_requests import Requests

from atoll import Cluster

REGION = "us-east-1"
SHOWN_MAX = 700


def main() -> int:
    """Run the comparison; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--requests", type=int, default=6000)
    parser.add_argument("--verbose", action="store_true", help="show the explained differences too")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with oracle() as url, Cluster(regions=(REGION,), durability="memory", announce=False) as cluster:
        comparison = Comparison(Connection(cluster.endpoint(REGION)), Connection(url))
        compare_control_plane(comparison, rng)
        for table in TABLES:
            create(comparison, table)
        comparison.run(itertools.islice(Requests(rng), arguments.requests))
    unexplained = report(comparison, verbose=arguments.verbose)
    print(
        f"differential: seed {arguments.seed}: {comparison.requests} requests, {comparison.refused} refused, ", end=""
    )
    print(f"{len(comparison.found)} differences, {unexplained} of them not explained")
    return 1 if unexplained else 0


def report(comparison: Comparison, *, verbose: bool) -> int:
    """Print the differences by class; return how many are not explained."""
    known = explanations()
    explained: Counter[str] = Counter()
    classes: dict[tuple[str, str, str], list[tuple[Difference, Any]]] = defaultdict(list)
    for difference, body in comparison.found:
        explanation = next((it for it in known if it.covers(*difference)), None)
        if explanation is None:
            classes[difference.operation, _outline(difference.ours), _outline(difference.oracle)].append(
                (difference, body)
            )
        else:
            explained[explanation.what] += 1
    for what, number in explained.most_common() if verbose else ():
        print(f"{number:6} explained: {what}")
    for members in sorted(classes.values(), key=len, reverse=True):
        difference, body = min(members, key=lambda member: len(json.dumps(member[1])))
        print(f"{len(members):6} {difference.operation} {json.dumps(body, ensure_ascii=False)[:SHOWN_MAX]}")
        print(f"         ours:   {difference.ours[:SHOWN_MAX]}")
        print(f"         oracle: {difference.oracle[:SHOWN_MAX]}")
    return sum(map(len, classes.values()))


def _outline(answer: str) -> str:
    """Return what differences of one class have in common: an error's first words, or a member's path."""
    return answer[:60] if ": " in answer.partition(" = ")[0] else answer.partition(" = ")[0]


if __name__ == "__main__":
    sys.exit(main())
