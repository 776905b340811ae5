"""What a region lost with the end of its file comes back from whoever has it, and reaches everyone."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from typing import Any

import pytest
from fleet import eventually
from script_commands import Stage, play

from region.errors import StoreError
from region.operation.context import Context
from region.store.port import Reader
from replication import obligations, repair, resynchronisation
from replication.comparison import NotNowError
from replication.events import BootstrapInterrupted
from replication.inlet import Inlet
from replication.link import Surroundings
from replication.message import Refuse
from replication.source import Source


async def test_a_member_that_joined_in_the_lost_end_of_a_file_gives_back_what_it_alone_has(stage: Stage) -> None:
    await play(
        stage,
        "region a b c\ntable on a b\nput a k0 zero\nconverge a b\ncopy a\nadd c\nconverge\n"
        "cut a->b b->a\nadvance 100\n"
        "put a k from-a\nwait c k from-a\ncut c->a\nrestore a\nheal a->c",
    )
    planned = stage.region("a").replication._around.plans
    await eventually(lambda: planned.get("c") is not None, "c is refused before it has told of its tables")
    assert planned.get("c").tables == ()
    await play(stage, "heal\nadvance 100\nconverge")
    assert await play(stage, "get a k\nget b k") == ["from-a", "from-a"]


async def test_a_region_that_joins_while_another_has_still_to_compare_gets_what_had_come_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare, held_up = repair.Repairer.compare, [True]

    async def slow(self: repair.Repairer, table: Any, inlet: Inlet, **named: Any) -> repair.Tally:
        if held_up and (self._around.region, inlet.peer) == ("b", "a") and named.get("planned"):
            raise NotNowError("the link is slow")
        return await compare(self, table, inlet, **named)

    monkeypatch.setattr(repair.Repairer, "compare", slow)
    await play(
        stage,
        "region a b c d\ntable on a b c\nput a k0 zero\nconverge a b c\ncopy a\ncut a->b a->d\n"
        "advance 100\nput a k from-a\n"
        "wait c k from-a\nrestore a\nheal\nadvance 100\nwait a k from-a",
    )
    b = stage.region("b")
    await eventually(lambda: b.replication._around.plans.get("a") is not None, "b knows that it has to compare")
    await b.add_replica("d")
    await eventually(lambda: stage.fleet.replicas("d").get("d") == "ACTIVE", "d is ready")
    held_up.clear()
    await play(stage, "wait d k from-a\nconverge")


async def test_of_two_writes_under_one_timestamp_the_same_stands_everywhere(stage: Stage) -> None:
    await play(
        stage,
        "region a b c\ntable on a b c\nput a k0 zero\nconverge\ncopy a\ncut a->c\nrestart a\n"
        "put a k zzz\nwait b k zzz\n"
        "cut a->b b->a\nrestore a\nheal a->c\nput a k aaa\nwait c k aaa",
    )
    one, other = await play(stage, "get b k"), await play(stage, "get c k")
    await play(stage, "heal\nadvance 100\nwait c k zzz\nconverge")
    assert one != other


async def test_a_renewal_under_load_is_not_taken_for_a_loss(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    subscribe, codes = Source.subscribe, Counter[str]()

    def counted(self: Source, *arguments: Any) -> Any:
        answer = subscribe(self, *arguments)
        if self.region == "a":
            codes[answer.code if isinstance(answer, Refuse) else "welcome"] += 1
        return answer

    await play(stage, "region a b c\ntable on a b c\nput a k0 zero\nconverge")
    monkeypatch.setattr(Source, "subscribe", counted)
    a, done = stage.region("a"), asyncio.Event()

    async def write(writer: int) -> None:
        number = 0
        while not done.is_set():
            number += 1
            await a.put(f"{writer}-{number % 20}", v=str(number))

    writers = [asyncio.ensure_future(write(number)) for number in range(8)]
    for times in range(1, 5):
        await a.replication._around.durably(resynchronisation.renew)
        await eventually(lambda due=2 * times: codes["welcome"] == due, "both peers have subscribed anew")
    done.set()
    await asyncio.gather(*writers)
    assert codes.keys() == {"rewound", "welcome"}
    await play(stage, "advance 1\nconverge")


async def test_a_renewal_that_failed_once_is_made_at_the_next_turn(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = await stage.fleet.add("a", source=stage.clock, path=stage.file("a"), compare_ms=50)
    await play(stage, "region b\ntable on a b\nput a k0 zero\nconverge")
    durably, failures = Surroundings.durably, iter([StoreError("the disk is full")])

    async def failing(self: Surroundings, work: Any, then: Any = None) -> Any:
        if work is resynchronisation.renew and (failure := next(failures, None)):
            raise failure
        return await durably(self, work, then)

    def due(context: Context) -> None:
        context.transaction.save_meta(resynchronisation._RENEWAL, "due")
        context.written += 1

    monkeypatch.setattr(Surroundings, "durably", failing)
    await a.engine.transact(due)
    await eventually(lambda: not resynchronisation.renewal_due(a.store), "the lineage is renewed")
    assert next(failures, None) is None
    assert await play(stage, "events a WorkInterrupted") == ["1"]


async def test_what_is_owed_holds_the_safe_time_though_the_store_could_not_be_read_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await play(
        stage,
        "region a b c\ntable on a b\nput a k0 zero\nconverge a b\ncut a->b b->a\nput b k from-b\n"
        "cut b->c c->b\nadvance 10",
    )
    await stage.region("a").add_replica("c")
    c = stage.region("c")
    await eventually(lambda: stage.fleet.replicas("c").get("c") == "ACTIVE", "c is ready")
    bootstrapper, load, failures = c.replication._bootstrapper, obligations.load, iter([StoreError("not read")])
    held_hlc = bootstrapper.hold_hlc

    def failing(reader: Reader, uid: str) -> obligations.Plan | None:
        asked_by = sys._getframe(1).f_code.co_name
        if reader is c.store and asked_by == "_run" and (failure := next(failures, None)):
            raise failure
        return load(reader, uid)

    monkeypatch.setattr(obligations, "load", failing)
    bootstrapper.link_changed()
    await eventually(lambda: c.seen(BootstrapInterrupted) != [], "it is told of")
    assert held_hlc is not None
    assert bootstrapper.hold_hlc == held_hlc
    await play(stage, "heal b->c c->b\nadvance 1000\nwait c k from-b")


async def test_what_is_deleted_by_a_region_whose_file_knows_of_no_replica_stays_deleted(stage: Stage) -> None:
    """Its file fell back to before the table was global; a table of one region alone keeps no tombstones."""
    await play(stage, "region a b")
    a = stage.region("a")
    await a.create_table()
    await play(stage, "copy a")
    await a.add_replica("b")
    await eventually(lambda: stage.fleet.replicas("a").get("b") == "ACTIVE", "b is ready")
    await play(stage, "put a k one\nput a kept one\nconverge\ncut a\nrestore a\nadvance 100")
    await play(stage, "put a k two\ndelete a k\nheal\nadvance 100\nwait b k -\nconverge")
    assert await play(stage, "get a k\nget b k\nget a kept") == ["no item", "no item", "one"]
