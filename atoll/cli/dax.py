"""``atoll dax``: a cache in front of a region that DAX's clients talk to; ``atoll dax stats``: what it has counted."""

from __future__ import annotations

import http.client
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import click
import msgspec

from atoll import config, tether
from atoll.cli import options, status
from atoll.failure import ConfigError, UnreachableError, UsageError
from atoll.trust import Trust, from_environment, serving

ADMIN_URL = "http://127.0.0.1:8112"


@click.group("dax", invoke_without_command=True)
@click.option("--region", help="A region of the running cluster, REGION=URL, or its URL alone.")
@click.option("--admin", metavar="URL", help="The region's admin address, for --invalidate, where a URL is given.")
@options.cluster_option
@click.option("--config", "file", type=click.Path(path_type=Path), metavar="FILE", help="The region's TOML file.")
@click.option("--host", help="Where the cache listens. [default: 127.0.0.1]")
@click.option("--port", help="Its port; 0 takes any free one. [default: 8111]")
@click.option("--admin-port", help="The port of its statistics. [default: 8112]")
@click.option("--item-ttl", type=options.Duration(), help="How long an item is held; 0ms: until evicted. [default: 5m]")
@click.option("--query-ttl", type=options.Duration(), help="How long a result is held. [default: 5m]")
@click.option("--lists", metavar="FILE", help="Where attribute lists are kept. [default: in the user's cache]")
@click.option("--invalidate", is_flag=True, default=None, help="Drop what changes in the region, by whoever.")
@options.serving
@click.option(
    "--authorities", type=click.Path(exists=True, dir_okay=False), metavar="FILE", help="Whom to trust, with a URL."
)
@click.option("--tethered", is_flag=True, hidden=True)
@click.pass_context
def command(
    context: click.Context,
    /,
    region: str | None,
    admin: str | None,
    cluster: str | None,
    file: Path | None,
    item_ttl: int | None,
    query_ttl: int | None,
    certificate: str | None,
    key: str | None,
    authorities: str | None,
    tethered: bool,
    **named: Any,
) -> int | None:
    """Serve a cache of a region to DAX's clients, until SIGTERM or Ctrl-C.

    Settings come from the section [cache] of --config, then from ATOLL_CACHE_… variables, then from these flags.
    """
    if context.invoked_subcommand is not None:
        return None
    flags = {f"cache.{name}": value for name, value in named.items()}
    flags |= {"cache.item_ttl_ms": item_ttl, "cache.query_ttl_ms": query_ttl}

    async def serve() -> None:
        # Loaded when it serves: `atoll dax --help` and `stats` do without an HTTP server.
        from atoll.dax.list_file import ListFile, usual  # noqa: PLC0415
        from atoll.dax.serving import Behind, Cached  # noqa: PLC0415
        from clock import SystemClock  # noqa: PLC0415

        until = tether.Until(tethered=tethered)
        loaded = config.load(file, os.environ, flags)
        name, endpoint, found_admin, trust = _behind(region, admin, cluster, loaded, given=file is not None)
        if authorities or certificate:
            trust = Trust(authorities=authorities or "", certificate=certificate or "", key=key or "")
        trusted = trust.context() if endpoint.startswith("https:") else None
        behind = Behind(name, endpoint, found_admin, dict(loaded.api.access_keys), trusted)
        lists = ListFile(Path(loaded.cache.lists) if loaded.cache.lists else usual(os.environ))
        cached = Cached(behind, loaded.cache, SystemClock(), lists, serving(certificate or "", key or ""))
        url = await cached.start()
        try:
            await until.told(url, f"The cache of {name} is ready at {url}. Its statistics are at {cached.admin}/stats.")
        finally:
            await cached.stop()

    return tether.run(serve, tethered=tethered)


@command.command("stats")
@click.option("--url", default=ADMIN_URL, show_default=True, help="The cache's admin address.")
@options.json_option
def stats(url: str, as_json: bool) -> int:
    """Show what a cache holds, and what it has counted."""
    content = _fetch(f"{url.rstrip('/')}/stats")
    if as_json:
        click.echo(content.decode())
        return 0
    figures = msgspec.json.decode(content)
    counted = ("hits", "misses", "ratio", "negative", "entries", "MB", "evicted", "expired", "invalidated")
    table = options.columns("cache", *counted, right=counted)
    for name in ("item", "query"):
        it = figures[name]
        asked = it["hits"] + it["misses"]
        table.add_row(
            name,
            *(f"{it[figure]:,}" for figure in ("hits", "misses")),
            f"{it['hits'] / asked:.1%}" if asked else "",
            f"{it['negative_hits']:,}",
            f"{it['entries']:,}",
            f"{it['bytes'] / 1e6:,.1f}",
            *(f"{it[figure]:,}" for figure in ("evictions", "expirations", "invalidations")),
        )
    console = options.console()
    console.print(f"{figures['region']} at {figures['endpoint']}, {figures['connections']} connections")
    console.print(table)
    return 0


def _behind(
    region: str | None, admin: str | None, cluster: str | None, loaded: config.Config, *, given: bool
) -> tuple[str, str, str | None, Trust]:
    """Return the region's name, endpoint and admin address, and whom to trust: as given, or of the running cluster."""
    name, equals, url = (region or "").partition("=")
    if not equals and "://" in name:
        name, url = "", name
    if url:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"{region!r} is no REGION=URL.", "Write --region us-east-1=http://127.0.0.1:8000.")
        return name or loaded.region, url, admin, from_environment(os.environ)
    if given and name in ("", loaded.region):
        if not loaded.api.port or not loaded.admin.port:
            raise ConfigError("The region's ports are any free ones.", f"Give --region {loaded.region}=URL.")
        tls = loaded.tls
        web = "https" if tls.certificate else "http"
        return (
            loaded.region,
            f"{web}://{loaded.api.host}:{loaded.api.port}",
            admin or f"{web}://{loaded.admin.host}:{loaded.admin.port}",
            Trust(authorities=tls.authorities, certificate=tls.certificate, key=tls.key),
        )
    clients = options.find(cluster)
    if not name:
        if len(clients) > 1:
            raise UsageError("The cluster has several regions.", f"Choose one with --region: {', '.join(clients)}.")
        name = next(iter(clients))
    chosen = options.chosen(clients, (name,))
    known = status.ask(chosen)[name]
    if known is None:
        raise UnreachableError(f"{name} does not answer at {chosen[name]}.", "Is it running?")
    return name, known.addresses.api, known.addresses.admin, chosen[name].trust


def _fetch(url: str) -> bytes:
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"{url!r} is no URL.", "Write --url http://127.0.0.1:8112.")
    try:
        with urlopen(url, timeout=10) as response:
            content: bytes = response.read()
            return content
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"No cache answers at {url} ({error}).", "Is `atoll dax` running?") from error
