"""``atoll skew``: a region's clock is wrong."""

from __future__ import annotations

from typing import Any

import click

from atoll.cli import faulting, options


@click.command("skew")
@click.argument("region")
@click.option("--ms", type=int, metavar="N", help="Wrong by so many milliseconds, ahead or (negative) behind.")
@click.option("--drift-ppm", type=float, metavar="N", help="Running fast, or (negative) slow.")
@click.option("--jump", type=int, metavar="N", help="Jumps by so many milliseconds, for good until healed.")
@click.option("--freeze", is_flag=True, help="Stands still.")
@faulting.for_option
@options.cluster_option
@options.json_option
def command(
    region: str,
    ms: int | None,
    drift_ppm: float | None,
    jump: int | None,
    freeze: bool,
    for_ms: int | None,
    cluster: str | None,
    as_json: bool,
) -> None:
    """Set the clock of REGION wrong, in one of four ways."""
    ways: list[dict[str, Any]] = [
        {"kind": "clock-offset", "ms": ms} if ms is not None else {},
        {"kind": "clock-drift", "ppm": drift_ppm} if drift_ppm is not None else {},
        {"kind": "clock-jump", "ms": jump} if jump is not None else {},
        {"kind": "clock-freeze"} if freeze else {},
    ]
    chosen = [way for way in ways if way]
    if len(chosen) != 1:
        raise click.UsageError("Give one of --ms, --drift-ppm, --jump and --freeze.")
    faulting.apply({**chosen[0], "region": region}, for_ms, cluster, as_json=as_json)
