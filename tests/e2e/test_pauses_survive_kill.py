"""A pause of one table on real processes: others flow past it, kill -9 does not end it, and nothing is lost."""

from __future__ import annotations

import json
import time

from settled import Run

from atoll import Cluster
from atoll.provision import wait

EAST, WEST = "us-east-1", "eu-west-1"


def put(cluster: Cluster, table: str, key: str) -> None:
    cluster.call(EAST, "PutItem", {"TableName": table, "Item": {"id": {"S": key}}})


def items(cluster: Cluster, table: str) -> int:
    return next(each.items for each in cluster.admin(WEST).status().tables if each.name == table)


def test_a_paused_table_is_held_back_over_a_kill_and_delivered_after_resume(run: Run) -> None:
    with Cluster((EAST, WEST), announce=False) as cluster:
        for table in ("held", "flows"):
            cluster.create_global_table(table)
        urls = ",".join(str(cluster.admin(region)) for region in cluster.regions)
        paused = run("pause", f"{EAST}:{WEST}", "--table", "held", "--for", "1h", "--cluster", urls)
        assert paused.stdout == f"paused held on {EAST}->{WEST} for 3600 s\n"
        for number in range(2):
            put(cluster, "held", str(number))
            put(cluster, "flows", str(number))
            wait(lambda number=number: items(cluster, "flows") == number + 1, time.monotonic() + 30, "it flows")
            assert items(cluster, "held") == 0
            cluster.kill(WEST)
            cluster.restart(WEST)
        shown = json.loads(run("lag", "--json", "--cluster", urls).stdout)
        link = next(each for each in shown if each["source"] == EAST)
        assert 3500 < link["paused_tables"]["held"] <= 3600
        wait(
            lambda: any(each.records_behind == 2 for each in cluster.admin(EAST).status().links),
            time.monotonic() + 30,
            "the source counts what is held back",
        )
        cluster.resume(f"{EAST}->{WEST}")
        cluster.wait_converged("held")
        assert items(cluster, "held") == 2
