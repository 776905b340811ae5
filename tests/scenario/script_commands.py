"""The commands of scenario scripts; see :mod:`scripts`.

=============================  ==========================================================================
``region NAME…``               start regions, each connected with all others
``table [NAME] on REGION…``    make a global table (``songs`` unless named) and wait until it is ACTIVE there
``add REGION``                 add a replica in a region that was started later, and wait until it is ACTIVE
``remove REGION``              remove a region's replica, there, without waiting for the others
``put REGION KEY VALUE``       write an item ``{pk: KEY, v: VALUE}``
``delete REGION KEY``          delete an item
``lock REGION KEY VALUE``      write an item on the condition that there is none
``see REGION KEY MS``          print what a region saw of an item at a time, and how that is known
``history REGION KEY``         print the changes of an item in a region's log, newest first
``get REGION KEY``             print the item's value
``rows [REGION…]``             print all items and tombstones, with time and origin; regions that agree together
``cut A->B``, ``cut A``        cut a link, or everything to and from a region; ``heal`` mends everything
``pause A->B``, ``resume``     hold back a link; end all pauses
``force A->B``                 let pass what B has parked of A
``risk REGION [N M]``          print how many of its writes would be lost with it; wait until it is N and M
``advance MS``                 move the wall clock of all regions
``skew REGION MS``             set one region's clock off
``converge [REGION…]``         wait until everything is everywhere, and all replicas are equal
``wait REGION KEY VALUE``      wait until a region shows a value (``-``: no item)
``wait A->B STATE``            wait until the sink says that a link is in a state
``link A->B``                  print a link's state as its sink sees it
``conflicts REGION…``          print the losers that regions recorded
``restart REGION``             stop and start again with the same file
``copy REGION``                keep a copy of a region's file as it is now
``restore REGION``             stop a region and start it with the copy
``sweep REGION…``              purge what tombstones and trim what log records may go now
``trim REGION``                trim a region's log to its last record
``digest [REGION…]``           print which regions have equal digests
``safe REGION``                print up to when everything in the world is applied in a region
``events REGION NAME``         print how often a region told of something
``lose REGION``                stop a region and start it with an empty file
=============================  ==========================================================================

A command that fails prints ``error: `` and why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import msgspec
from fleet import TABLE, Fleet, Region, eventually

from atoll.admin.inspector import inspect
from atoll.findings import Inspection
from clock import ManualClock
from region.errors import AtollError
from region.model import image as images
from region.operation.context import Context
from replication import Fate, LinkState, MemoryNetwork

EPOCH_MS = 1_800_000_000_000
"""When every script begins."""

Command = Callable[["Stage", list[str]], Awaitable[list[str]]]
COMMANDS: dict[str, Command] = {}


def command(name: str) -> Callable[[Command], Command]:
    """Make a function a command of the scripts."""

    def register(function: Command) -> Command:
        COMMANDS[name] = function
        return function

    return register


class Cuts:
    """What is cut: whole regions, without a word, and single links, at the connection."""

    def __init__(self) -> None:
        self.regions: set[str] = set()
        self.links: set[tuple[str, str]] = set()

    def refuses(self, caller: str, callee: str) -> bool:
        return bool(self.regions & {caller, callee}) or (callee, caller) in self.links

    def fate(self, sender: str, receiver: str, frame: bytes) -> Fate:
        return Fate(copies=0) if self.regions & {sender, receiver} else Fate()


class Stage:
    """The world of one script."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock(EPOCH_MS)
        self.cuts = Cuts()
        self.fleet = Fleet(MemoryNetwork(self.cuts))
        self.copies: dict[str, Path] = {}
        self.files = 0

    def region(self, name: str) -> Region:
        return self.fleet.regions[name]

    def file(self, name: str) -> Path:
        """A new name for a region's file."""
        self.files += 1
        return self.folder / f"{name}-{self.files}.sqlite"

    async def replace(self, name: str, path: Path | None) -> None:
        """Stop a region and start it again with a file."""
        await self.fleet.regions.pop(name).stop()
        await self.fleet.add(name, source=self.clock, path=path)

    def at(self, hlc: int) -> str:
        """A timestamp, in ms since the script began."""
        return f"{(hlc >> 16) - EPOCH_MS}ms"

    async def run(self, words: list[str]) -> list[str]:
        """Run one command."""
        try:
            return await COMMANDS[words[0]](self, words[1:])
        except AtollError as error:
            return [f"error: {error}"]


def ends(link: str) -> tuple[str, str]:
    source, _, sink = link.partition("->")
    return source, sink


async def play(stage: Stage, text: str) -> list[str]:
    """Run some lines of a script; return what they printed."""
    return [printed for line in text.strip().splitlines() for printed in await stage.run(line.split())]


@command("region")
async def _region(stage: Stage, names: list[str]) -> list[str]:
    for name in names:
        await stage.fleet.add(name, source=stage.clock, path=stage.file(name))
    return []


@command("table")
async def _table(stage: Stage, arguments: list[str]) -> list[str]:
    name = TABLE if arguments[0] == "on" else arguments.pop(0)
    await stage.fleet.global_table(*arguments[1:], table=name)
    return []


@command("put")
async def _put(stage: Stage, arguments: list[str]) -> list[str]:
    name, key, value = arguments
    await stage.region(name).put(key, v=value)
    return []


@command("delete")
async def _delete(stage: Stage, arguments: list[str]) -> list[str]:
    name, key = arguments
    await stage.region(name).delete(key)
    return []


@command("lock")
async def _lock(stage: Stage, arguments: list[str]) -> list[str]:
    name, key, value = arguments
    item = {"pk": {"S": key}, "v": {"S": value}}
    await stage.region(name).run("PutItem", TableName=TABLE, Item=item, ConditionExpression="attribute_not_exists(pk)")
    return []


async def _inspected(stage: Stage, name: str, key: str, ms: int | None = None) -> Inspection:
    region = stage.region(name)
    table = region.engine.catalogue.by_name[TABLE]
    at_ms = None if ms is None else EPOCH_MS + ms
    return await inspect(region.engine, table, table.check_item_keys({"pk": {"S": key}}), at_ms=at_ms)


@command("see")
async def _see(stage: Stage, arguments: list[str]) -> list[str]:
    name, key, ms = arguments
    seen = await _inspected(stage, name, key, int(ms))
    return [f"{name} {ms}ms: {_what(seen.held.image) if seen.held else 'no item'} ({seen.source})"]


@command("history")
async def _history(stage: Stage, arguments: list[str]) -> list[str]:
    name, key = arguments
    return [
        f"{name} {write.seen_ms - EPOCH_MS}ms: {_what(write.image)} ({stage.at(write.hlc)} {write.origin})"
        for write in (await _inspected(stage, name, key)).history
    ]


def _what(image: Any) -> str:
    return "deleted" if bytes(image) == b"null" else str(images.decode(bytes(image))["v"]["S"])


@command("get")
async def _get(stage: Stage, arguments: list[str]) -> list[str]:
    name, key = arguments
    item = await stage.region(name).get(key)
    return [item["v"]["S"] if item else "no item"]


@command("rows")
async def _rows(stage: Stage, names: list[str]) -> list[str]:
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in names or sorted(stage.fleet.regions):
        groups[tuple(_shown(stage, name))].append(name)
    return [line for lines, those in groups.items() for line in (f"{' '.join(those)}:", *(lines or ("  nothing",)))]


def _shown(stage: Stage, name: str) -> list[str]:
    region = stage.region(name)
    table = region.engine.catalogue.by_name.get(TABLE)
    if table is None:
        return ["  no table"]
    keys = {table.check_item_keys({"pk": {"S": key}}): key for key in stage_keys(stage)}
    lines = []
    for key, (image, hlc, origin, _) in (region.rows() or {}).items():
        item = images.decode(image) if image is not None else None
        what = "deleted" if item is None else f"= {item['v']['S']}"
        lines.append(f"  {keys.get(key, key.hex())} {what} ({stage.at(hlc)} {origin})")
    return sorted(lines)


def stage_keys(stage: Stage) -> set[str]:
    """Every key that any log of the fleet knows: a tombstone shows only the hash of its own."""
    found: set[str] = set()
    for region in stage.fleet.regions.values():
        for record in region.store.read_log(0, limit=1_000_000, bytes_max=1 << 30):
            for image in (record.image, record.old_image):
                if record.kind == 0 and image is not None:
                    found.add(images.decode(image)["pk"]["S"])
    return found


@command("cut")
async def _cut(stage: Stage, arguments: list[str]) -> list[str]:
    for what in arguments:
        if "->" in what:
            source, sink = ends(what)
            stage.cuts.links.add((source, sink))
            stage.fleet.network.tear_link(source, sink)
        else:
            stage.cuts.regions.add(what)
    return []


@command("heal")
async def _heal(stage: Stage, arguments: list[str]) -> list[str]:
    for what in arguments or [*stage.cuts.regions, *(f"{source}->{sink}" for source, sink in stage.cuts.links)]:
        stage.cuts.regions.discard(what)
        stage.cuts.links.discard(ends(what))
    return []


@command("pause")
async def _pause(stage: Stage, arguments: list[str]) -> list[str]:
    source, sink = ends(arguments[0])
    stage.region(source).replication.pause("out", sink)
    return []


@command("resume")
async def _resume(stage: Stage, arguments: list[str]) -> list[str]:
    for region in stage.fleet.regions.values():
        region.replication.resume()
    return []


@command("force")
async def _force(stage: Stage, arguments: list[str]) -> list[str]:
    source, sink = ends(arguments[0])
    stage.region(sink).replication.force(source)
    return []


@command("risk")
async def _risk(stage: Stage, arguments: list[str]) -> list[str]:
    name, *wanted = arguments

    def counted() -> list[str]:
        exposure = stage.region(name).replication.exposure()
        return [str(exposure.nowhere_else.records), str(exposure.not_everywhere.records)]

    await eventually(lambda: not wanted or counted() == wanted, f"at risk in {name}: {wanted}")
    nowhere_else, not_everywhere = counted()
    return [f"{nowhere_else} nowhere else, {not_everywhere} not everywhere"]


@command("advance")
async def _advance(stage: Stage, arguments: list[str]) -> list[str]:
    stage.clock.advance(int(arguments[0]))
    return []


@command("skew")
async def _skew(stage: Stage, arguments: list[str]) -> list[str]:
    name, ms = arguments
    stage.region(name).source.set_offset(int(ms))
    return []


@command("converge")
async def _converge(stage: Stage, names: list[str]) -> list[str]:
    await stage.fleet.converged(*names)
    return []


@command("wait")
async def _wait(stage: Stage, arguments: list[str]) -> list[str]:
    first, *rest = arguments
    if "->" in first:
        source, sink = ends(first)
        state = LinkState(" ".join(rest))
        await eventually(lambda: stage.region(sink).link(source, sink).state is state, f"{first} is {state}")
        return []
    key, value = rest
    wanted = None if value == "-" else value
    await eventually(lambda: _value(stage.region(first), key) == wanted, f"{first} shows {key} = {value}")
    return []


def _value(region: Region, key: str) -> str | None:
    table = region.engine.catalogue.by_name.get(TABLE)
    stored = region.store.get(table, table.check_item_keys({"pk": {"S": key}})) if table else None
    return images.decode(stored.image)["v"]["S"] if stored and stored.image is not None else None


@command("link")
async def _link(stage: Stage, arguments: list[str]) -> list[str]:
    source, sink = ends(arguments[0])
    return [f"{arguments[0]} {stage.region(sink).link(source, sink).state}"]


@command("conflicts")
async def _conflicts(stage: Stage, names: list[str]) -> list[str]:
    lines = []
    for name in names:
        for _, lost in stage.region(name).store.conflicts(0, 1000):
            winner, loser = (
                f"{'deleted' if side.image is None else images.decode(side.image)['v']['S']} "
                f"({stage.at(side.version.hlc)} {side.version.origin})"
                for side in (lost.winner, lost.loser)
            )
            double = ", a double grant" if lost.grants else ""
            fields = msgspec.json.encode(lost.attributes_lost).decode()
            lines.append(f"{name}: {loser} lost to {winner}, {fields}{double}")
    return lines or ["none"]


@command("restart")
async def _restart(stage: Stage, arguments: list[str]) -> list[str]:
    await stage.replace(arguments[0], stage.region(arguments[0]).path)
    return []


@command("copy")
async def _copy(stage: Stage, arguments: list[str]) -> list[str]:
    name = arguments[0]
    path = stage.copies[name] = stage.file(name)
    # With the store's own library: two SQLite libraries in one process take each other's locks away.
    with closing(apsw.Connection(str(stage.region(name).path))) as live:
        live.execute("VACUUM INTO ?", (str(path),))
    return []


@command("restore")
async def _restore(stage: Stage, arguments: list[str]) -> list[str]:
    name = arguments[0]
    await stage.replace(name, stage.copies.pop(name))
    return []


@command("lose")
async def _lose(stage: Stage, arguments: list[str]) -> list[str]:
    await stage.replace(arguments[0], stage.file(arguments[0]))
    return []


@command("trim")
async def _trim(stage: Stage, arguments: list[str]) -> list[str]:
    region = stage.region(arguments[0])

    def work(context: Context) -> None:
        context.transaction.trim_log(context.reader.log_head(), 1_000_000)
        context.written += 1

    await region.engine.transact(work)
    return []


@command("digest")
async def _digest(stage: Stage, names: list[str]) -> list[str]:
    groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for name in names or sorted(stage.fleet.regions):
        region = stage.region(name)
        await eventually(lambda region=region: _chunks(region) is not None, f"{name} has a digest")
        groups[tuple(_chunks(region) or ())].append(name)
    return [" | ".join(" ".join(those) for those in groups.values())]


def _chunks(region: Region) -> list[int] | None:
    table = region.engine.catalogue.by_name.get(TABLE)
    return None if table is None else region.store.digest(table)


@command("events")
async def _events(stage: Stage, arguments: list[str]) -> list[str]:
    name, kind = arguments
    return [str(sum(type(event).__name__ == kind for event in stage.region(name).events))]


@command("sweep")
async def _sweep(stage: Stage, names: list[str]) -> list[str]:
    for name in names:
        await sweep(stage.fleet, name, wait=not (stage.cuts.regions or stage.cuts.links))
    return []


async def sweep(fleet: Fleet, name: str, *, wait: bool) -> None:
    """Do what retention may; ``wait`` first until the region knows that everything is stable up to the present."""
    region = fleet.regions[name]
    table = region.engine.catalogue.by_name.get(TABLE)
    now_ms = region.source.now_ms()
    if table is not None and wait:
        stable_hlc = region.engine.retention.stable_hlc
        await eventually(lambda: stable_hlc(region.engine.store, table) >> 16 >= now_ms, f"{name} knows what is stable")
    while await region.engine.transact(region.engine.retention.step):
        pass


@command("add")
async def _add(stage: Stage, arguments: list[str]) -> list[str]:
    (name,) = arguments
    await stage.fleet.connected()
    first = next(iter(stage.fleet.regions))
    members = list(stage.fleet.replicas(first))
    await stage.region(first).add_replica(name)
    await stage.fleet.active(TABLE, *members, name)
    return []


@command("remove")
async def _remove(stage: Stage, arguments: list[str]) -> list[str]:
    await stage.region(arguments[0]).run("DeleteTable", TableName=TABLE)
    return []


@command("safe")
async def _safe(stage: Stage, arguments: list[str]) -> list[str]:
    return [stage.at(stage.region(arguments[0]).replication.safe_time())]
