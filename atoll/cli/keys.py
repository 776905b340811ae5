"""``atoll keys``: the master keys of a keyring file, as AWS KMS has them. Running regions follow within a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from atoll import keyring
from atoll.cli import options
from atoll.failure import UsageError
from atoll.keyring import KeyFile, MasterKey
from clock import SystemClock
from region.keyring import OWNED
from region.randomness import SystemRng

VARIABLE: Final = "ATOLL_ENCRYPTION_KEYRING"
DAY_MS: Final = 24 * 60 * 60 * 1000
_path = click.option(
    "--keyring",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar=VARIABLE,
    required=True,
    metavar="FILE",
    help=f"The keyring's file; otherwise ${VARIABLE}.",
)
_key = click.argument("name", metavar="KEY")


@click.group("keys")
def command() -> None:
    """Make, list, rotate, disable and delete the master keys of a keyring file.

    KEY is a key's id, its ARN, or an alias. Regions that use the file follow within a second.
    """


@command.command("create")
@_path
@click.option("--alias", help="What tables may call it, such as alias/orders.")
@options.json_option
def create(path: Path, alias: str | None, as_json: bool) -> None:
    """Make a key, and the keyring where there is none, with the key of tables that name none."""
    file = keyring.read(path) if path.exists() else KeyFile()
    wanted = ([] if file.find(OWNED) else [OWNED]) + ([] if alias in (None, OWNED) else [str(alias)])
    if alias is not None:
        if not alias.startswith("alias/"):
            raise UsageError(f"{alias!r} is no alias.", "An alias begins with alias/, such as alias/orders.")
        if file.find(alias) is not None:
            raise UsageError(f"There is a key {alias} already.", "`atoll keys list` shows it.")
    made = [keyring.new_key(SystemRng(), SystemClock().now_ms(), [name]) for name in wanted]
    if alias is None and not made:
        made = [keyring.new_key(SystemRng(), SystemClock().now_ms(), [])]
    file.keys += made
    keyring.write(path, file)
    if as_json:
        click.echo(msgspec.json.encode([_shown(key) for key in made]).decode())
        return
    for key in made:
        click.echo(f"{key.id}  {', '.join(key.aliases)}".rstrip())


@command.command("list")
@_path
@options.json_option
def show(path: Path, as_json: bool) -> None:
    """List the keys, without their secrets."""
    keys = keyring.read(path).keys
    if as_json:
        click.echo(msgspec.json.encode([_shown(key) for key in keys]).decode())
        return
    table = options.columns("id", "state", "generations", "aliases", right=("generations",), wrapped=("aliases",))
    for key in keys:
        table.add_row(key.id, key.state, str(len(key.generations)), ", ".join(key.aliases))
    options.console().print(table)


@command.command("rotate")
@_path
@_key
@options.json_option
def rotate(path: Path, name: str, as_json: bool) -> None:
    """Give a key a new generation: tables get new data keys, and are encrypted anew in the background."""

    def act(key: MasterKey) -> str:
        if key.state != keyring.ENABLED:
            raise UsageError(f"{key.id} is {key.state}.", "Enable it first.")
        key.generations.append(keyring.new_secret(SystemRng()))
        return f"has generation {len(key.generations)}"

    _change(path, name, act, as_json=as_json)


@command.command("disable")
@_path
@_key
@options.json_option
def disable(path: Path, name: str, as_json: bool) -> None:
    """Let nobody use a key: its tables become INACCESSIBLE_ENCRYPTION_CREDENTIALS."""

    def act(key: MasterKey) -> str:
        key.enabled = False
        return "is disabled"

    _change(path, name, act, as_json=as_json)


@command.command("enable")
@_path
@_key
@options.json_option
def enable(path: Path, name: str, as_json: bool) -> None:
    """Let a key be used again, also one that was to be deleted."""

    def act(key: MasterKey) -> str:
        key.enabled, key.deletion_ms = True, None
        return "is enabled"

    _change(path, name, act, as_json=as_json)


@command.command("schedule-deletion")
@_path
@_key
@click.option("--days", type=click.IntRange(0, 30), default=30, show_default=True, help="0: now, for good.")
@options.json_option
def schedule_deletion(path: Path, name: str, days: int, as_json: bool) -> None:
    """Delete a key after some days, in which it cannot be used but can be enabled again."""
    now_ms = SystemClock().now_ms()

    def act(key: MasterKey) -> str:
        key.deletion_ms = now_ms + days * DAY_MS
        return f"is to be deleted in {days} days" if days else "is deleted: what is encrypted under it is lost"

    _change(path, name, act, as_json=as_json)


def _change(path: Path, name: str, act: Callable[[MasterKey], str], *, as_json: bool) -> None:
    now_ms = SystemClock().now_ms()
    file = keyring.read(path).without_deleted(now_ms)
    key = file.find(name)
    if key is None:
        raise UsageError(f"The keyring {path} has no key {name}.", "`atoll keys list` shows which it has.")
    said = act(key)
    keyring.write(path, file.without_deleted(now_ms))
    click.echo(msgspec.json.encode(_shown(key)).decode() if as_json else f"{key.id} {said}")


def _shown(key: MasterKey) -> dict[str, Any]:
    """Return a key as it is told: how many generations it has, and not their secrets."""
    return {**msgspec.to_builtins(key), "generations": len(key.generations), "state": key.state}
