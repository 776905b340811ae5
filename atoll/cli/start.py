"""``atoll start``: one region in this process, until it is told to stop."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from atoll import certificates, config
from atoll.failure import ConfigError
from atoll.tether import report_refusal

with certificates.deferred():
    from atoll.composition import run


@click.command("start")
@click.option("--config", "file", type=click.Path(path_type=Path), metavar="FILE", help="A TOML file of settings.")
@click.option("--region", help="The region's name.")
@click.option("--data", metavar="DIR", help="The folder of the region's files.")
@click.option("--durability", help="full, normal or memory.")
@click.option("--api-host", help="Where the DynamoDB API listens.")
@click.option("--api-port", help="The port of the DynamoDB API; 0 takes a free one.")
@click.option("--admin-port", help="The port of health, metrics and status.")
@click.option("--replication-host", help="Where peers reach this region.")
@click.option("--replication-port", help="The port where peers reach this region.")
@click.option(
    "--peer", "peers", multiple=True, metavar="REGION=URL", help="Another region; may be given several times."
)
@click.option("--log-level", help="debug, info, warning or error.")
@click.option("--log-format", help="json or console.")
@click.option("--set", "others", multiple=True, metavar="SETTING=VALUE", help="Any setting by its dotted path.")
@click.option("--tethered", is_flag=True, hidden=True)
def command(file: Path | None, peers: tuple[str, ...], others: tuple[str, ...], tethered: bool, **named: Any) -> int:
    """Start one region and serve until SIGTERM or Ctrl-C.

    Settings come from --config, then from ATOLL_… variables, then from these flags; the later wins.
    """
    try:
        flags = {_path(name): value for name, value in named.items()}
        flags["replication.peers"] = dict(_pair(peer, "--peer") for peer in peers) or None
        known = config.settings()
        for path, value in (_pair(other, "--set") for other in others):
            if path not in known:
                raise ConfigError(f"There is no setting {path} (in --set).", config.did_you_mean(path))
            flags[path] = config.parse(known[path], value, f"--set {path}")
        loaded = config.load(file, os.environ, flags)
    except ConfigError as error:
        if not tethered:
            raise
        report_refusal(error)
        return error.exit_code
    return run(loaded, tethered=tethered)


def _path(name: str) -> str:
    """Return the setting that a flag is named after: ``api_port`` is ``api.port``."""
    section, underscore, rest = name.partition("_")
    return f"{section}.{rest}" if underscore else name


def _pair(text: str, flag: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"{flag} {text!r} is no NAME=VALUE.", f"Write for example {flag} name=value.")
    return name, value
