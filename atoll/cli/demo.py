"""``atoll demo``: three regions, a global table and gentle traffic, in one command.

What: the traffic writes orders in every region, and every few seconds the same order in two regions at the same moment,
so that conflicts happen and can be looked at. Ctrl-C stops everything within a second.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol

import click

from atoll import ports
from atoll.child import ServingChild
from atoll.cli import lag, options, status
from atoll.cluster import REGIONS, START_S, Cluster
from atoll.failure import PortTakenError, RemedyError
from atoll.layout import HOST
from atoll.remote import AdminClient, DynamoCaller
from atoll.report import LIVE

TABLE: Final = "orders"
API_PORT: Final = 8000
PAGE_PORT: Final = 8080
BEAT_S: Final = 0.2
CONFLICT_EVERY: Final = 15
"""Every so many beats, that is every 3 s, two regions write the same order at the same moment."""
SHOW_EVERY: Final = 3


class Line(Protocol):
    """Where the live status is shown."""

    def update(self, text: str) -> None:
        """Show this instead of what was shown."""


@click.command("demo")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Keep the data here.")
@click.option(
    "--port",
    type=click.IntRange(1, 65532),
    metavar="N",
    help=f"The first API port.  [default: {API_PORT}, or any free]",
)
@click.option("--latency", type=click.Choice(["aws"]), help="Links as slow as those between AWS's regions.")
@click.option(
    "--latency-scale", type=click.FloatRange(0, 100), default=1.0, show_default=True, help="Times as slow as that."
)
@click.option("--tls", is_flag=True, help="TLS for clients and between regions, by certificates made for it.")
def command(data: Path | None, port: int | None, latency: str | None, latency_scale: float, tls: bool) -> None:
    """Start three regions with a global table and gentle traffic; Ctrl-C stops everything."""
    for number in (signal.SIGINT, signal.SIGTERM):  # A shell that starts it in the background has SIGINT ignored.
        signal.signal(number, signal.default_int_handler)
    cluster = _start(port, data=data, latency=latency, latency_scale=latency_scale, tls=tls)
    page = ServingChild(["dashboard", f"--cluster={cluster.data}", f"--port={_page_port()}"], Path(str(cluster.data)))
    try:
        page.launch()
        _play(cluster, page, data)
    except KeyboardInterrupt:
        click.echo("\nStopping.")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        page.let_go()
        cluster.stop()
        page.stop()


def _start(port: int | None, **settings: Any) -> Cluster:
    """Start the cluster on the wanted ports, or on any free ones if nobody asked for special ones."""
    try:
        return Cluster(REGIONS, api_port=port or API_PORT, gateway=True, proxied=True, **settings).start()
    except PortTakenError:
        if port is not None:
            raise
        return Cluster(REGIONS, gateway=True, proxied=True, **settings).start()


def _page_port() -> int:
    """Return the port of the page: the usual one, or any free one where that is taken."""
    try:
        ports.Reservation(HOST, PAGE_PORT).release()
    except OSError:
        return 0
    return PAGE_PORT


def _play(cluster: Cluster, page: ServingChild, data: Path | None) -> None:
    callers = {region: cluster.caller(region) for region in cluster.regions}
    first = callers[cluster.regions[0]]
    if TABLE not in first.call("ListTables", {})["TableNames"]:
        cluster.create_global_table(TABLE, hash_key="id")
    _introduce(cluster, page.wait_ready(START_S), data)
    traffic = Traffic(callers)
    conflicts = Conflicts({region: cluster.admin(region) for region in cluster.regions})
    with _line() as line:
        for beat in count():
            traffic.beat(beat)
            if line is not None and beat % SHOW_EVERY == 0:
                statuses = status.ask({region: cluster.admin(region) for region in cluster.regions})
                line.update(_summary(traffic, conflicts.count(), statuses))
            time.sleep(BEAT_S)


def _introduce(cluster: Cluster, page: str, data: Path | None) -> None:
    second = cluster.regions[1]
    click.echo(f"Three regions are ready, with the global table {TABLE!r} and a little traffic.\n")
    click.echo(f"  See it live: {page}\n")
    click.echo(f"  {'region':<16}{'DynamoDB API':<24}admin: /status, /conflicts, /metrics")
    for region in cluster.regions:
        click.echo(f"  {region:<16}{cluster.endpoint(region):<24}{cluster.admin(region)}")
    click.echo(f"  {'all of them':<16}{cluster.gateway:<24}a request goes to the region it is signed for")
    fate = f"kept in {cluster.data}" if data else f"temporary, in {cluster.data}; `atoll demo --data DIR` keeps it"
    click.echo(f"\nData: {fate}.\n\nTry, in another terminal:\n")
    keys = "AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x"
    if cluster.authority is not None:
        click.echo(f"  export AWS_CA_BUNDLE={cluster.authority}   # whom to trust, here and in your programs")
    if (activate := _activate()) is not None:
        click.echo(f"  source {activate}")
    click.echo(
        f"  {keys} aws dynamodb scan --table-name {TABLE} --max-items 3 \\\n"
        f"      --region {second} --endpoint-url {cluster.endpoint(second)}\n"
        f"  atoll lag --watch\n"
        f"  atoll pause {cluster.regions[0]} --for 30s\n"
        f"  atoll cut '{cluster.regions[0]}->{second}' --mode blackhole --for 30s   # atoll delay, skew, kill, heal\n"
        f"  curl -s {cluster.admin(cluster.regions[0])}/conflicts   # who won, and what was lost\n"
        f"  python -c \"import boto3; print(boto3.client('dynamodb', region_name='{second}',\n"
        f"      endpoint_url='{cluster.endpoint(second)}', aws_access_key_id='x', aws_secret_access_key='x')\n"
        f"      .describe_table(TableName='{TABLE}')['Table']['Replicas'])\"\n"
        "\nCtrl-C stops everything."
    )
    sys.stdout.flush()


def _activate() -> Path | None:
    """Return the script that puts this virtual environment's programs on the path; ``None`` if they are there."""
    programs = Path(sys.prefix) / "bin"
    script = programs / "activate"
    on_path = str(programs) in os.environ.get("PATH", "").split(os.pathsep)
    return script if script.is_file() and not on_path else None


class Traffic:
    """Gentle writes: a new or changed order in each region in turn, and now and then the same one in two regions."""

    def __init__(self, callers: Mapping[str, DynamoCaller]) -> None:
        self.writes = 0
        self.failures = 0
        self._callers = callers
        self._regions = tuple(callers)

    def beat(self, beat: int) -> None:
        """Make this beat's writes. A region that does not answer is passed over: an island may be down."""
        here = self._regions[beat % len(self._regions)]
        if beat % CONFLICT_EVERY == CONFLICT_EVERY - 1:
            there = self._regions[(beat + 1) % len(self._regions)]
            self._write({here: _order("contested", beat, here), there: _order("contested", beat, there)})
        else:
            self._write({here: _order(f"order-{beat % 100:02}", beat, here)})

    def _write(self, items: Mapping[str, dict[str, Any]]) -> None:
        """Write in several regions at the same moment: all requests leave before the first answer is awaited."""
        sent = []
        for region, item in items.items():
            try:
                self._callers[region].send("PutItem", {"TableName": TABLE, "Item": item})
                sent.append(region)
            except RemedyError:
                self.failures += 1
        for region in sent:
            try:
                self._callers[region].receive()
                self.writes += 1
            except RemedyError:
                self.failures += 1


class Conflicts:
    """Counts the conflicts recorded in all regions."""

    def __init__(self, clients: Mapping[str, AdminClient]) -> None:
        self._clients = clients
        self._seen = dict.fromkeys(clients, 0)
        self._count = 0

    def count(self) -> int:
        """Return how many there have been, as far as the regions answer."""
        for region, client in self._clients.items():
            try:
                found = client.conflicts(after=self._seen[region])
            except RemedyError:
                continue
            self._count += len(found)
            if found:
                self._seen[region] = int(found[-1]["number"])
        return self._count


def _order(name: str, beat: int, region: str) -> dict[str, Any]:
    return {"id": {"S": name}, "placed_in": {"S": region}, "beat": {"N": str(beat)}}


def _summary(traffic: Traffic, conflicts: int, statuses: Mapping[str, Any]) -> str:
    links = lag.links(statuses)
    ill = [f"{link.source}->{link.sink} {link.state}" for link in links if link.state != LIVE]
    latencies = [link.latency.p50_ms for link in links if link.latency is not None]
    worst = f"ReplicationLatency {max(latencies)} ms" if latencies else "nothing replicated yet"
    failed = f", {traffic.failures:,} failed" if traffic.failures else ""
    health = "all links live" if not ill else f"{len(links) - len(ill)} of {len(links)} links live: {ill[0]}"
    health += f" and {len(ill) - 1} more" if len(ill) > 1 else ""
    return f"{traffic.writes:,} writes{failed} · {conflicts:,} conflicts · {worst} · {health}"


def _line() -> Any:
    """Return a context whose value shows a live line on a terminal; elsewhere its value is ``None``."""
    if not sys.stdout.isatty():
        return nullcontext()
    return options.console().status("")
