"""``atoll repair``: compare the replicas of tables now, and mend what differs."""

from __future__ import annotations

import click
import msgspec

from atoll import differences
from atoll.cli import diff, options
from atoll.comparisons import RepairRequest
from atoll.failure import EXIT_FAILED


@click.command("repair")
@click.argument("table", required=False)
@options.cluster_option
@options.json_option
def command(table: str | None, cluster: str | None, as_json: bool) -> int:
    """Compare the replicas of TABLE, or of every global table, and take over what is missing in a region.

    Every region makes its digest anew from its rows first, compares with each peer, and settles what differs by the
    conflict rule. Clients go on meanwhile. Exit code 1 if replicas still differ afterwards, or could not be compared.
    """
    clients = options.find(cluster)
    done = {region: client.repair(RepairRequest(table=table)) for region, client in clients.items()}
    tables = sorted({each.table for answers in done.values() for each in answers})
    left = [differences.gather(clients, name) for name in tables]
    if as_json:
        click.echo(msgspec.json.encode({"repaired": done, "left": left}).decode())
    else:
        for region, answers in done.items():
            for each in answers:
                if each.repaired:
                    rows = "1 item" if each.repaired == 1 else f"{each.repaired:,} items"
                    click.echo(f"{each.table}: {region} took {rows} from {each.peer}")
        for found in left:
            diff.show(found)
        if not tables:
            click.echo("There is no global table.")
    return EXIT_FAILED if any(found.keys or found.problems for found in left) else 0
