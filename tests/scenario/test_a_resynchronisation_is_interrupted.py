"""What a resynchronisation took, removed or left is right, whatever comes between two of its steps."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from fleet import TABLE, eventually
from script_commands import Stage, play

from region.errors import StoreError
from region.model.table import CREATING
from region.operation.context import Context
from replication import Replication, repair, resynchronisation
from replication.comparison import Comparison, Difference
from replication.inquiry import FetchRows, Findings, Inquiry
from replication.message import FetchRefused
from replication.questions import Questions

WRITTEN_FOR_ONE_PEER = """
region a b c
table on a b c
converge
copy a
cut a->c
advance 100
put a k1 one
put a k2 two
put a k3 three
wait b k3 three
restore a
advance 1
"""
DELETED_AND_PURGED = """
region a b
table on a b
put a k1 one
put a k2 two
converge
copy b
advance 1000
delete a k1
put a k2 changed
converge
advance 100000000
sweep a
sweep b
trim a
restore b
"""
BEHIND_THE_TAIL = """
cut b->a
advance 100
put b i from-b
put b j from-b
trim b
"""


async def came_back_everywhere(stage: Stage) -> None:
    await play(stage, "advance 100\nconverge")
    assert await play(stage, "get c k1\nget c k2\nget c k3") == ["one", "two", "three"]
    assert await play(stage, "events a WritesRecovered") == ["1"]


async def test_writes_that_came_back_reach_all_though_the_plan_could_not_be_kept_up_to_date(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared, failures = repair._compared, iter([StoreError("the disk is full")])

    def failing(*arguments: Any) -> None:
        if arguments[2] is not None and arguments[2].recovered and (failure := next(failures, None)):
            raise failure
        compared(*arguments)

    monkeypatch.setattr(repair, "_compared", failing)
    await play(stage, WRITTEN_FOR_ONE_PEER + "heal")
    await came_back_everywhere(stage)
    assert next(failures, None) is None


async def test_writes_that_came_back_reach_all_though_the_region_stops_before_the_table_is_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, taken = repair.Repairer._take, asyncio.Event()

    async def hanging(self: repair.Repairer, *arguments: Any, **named: Any) -> None:
        await take(self, *arguments, **named)
        if self._around.region == "a" and not taken.is_set():
            taken.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(repair.Repairer, "_take", hanging)
    await play(stage, WRITTEN_FOR_ONE_PEER + "heal")
    await taken.wait()
    await play(stage, "restart a")
    await came_back_everywhere(stage)


async def test_writes_that_came_back_with_a_copy_of_the_table_reach_all(stage: Stage) -> None:
    await play(stage, "region a b c\ntable on b c\nput b k0 zero\nconverge b c")
    for donor in "bc":
        stage.region(donor).replication.pause("out", "a")
    await stage.region("b").add_replica("a")
    await eventually(lambda: TABLE in stage.region("a").engine.catalogue.by_name, "a knows of the table")
    assert stage.region("a").engine.catalogue.by_name[TABLE].local.status == CREATING
    await play(stage, "copy a\ncut a->c\nresume")
    await eventually(lambda: stage.fleet.replicas("b").get("a") == "ACTIVE", "b hears that a is ready")
    await play(stage, "advance 100\nput a k from-a\nwait b k from-a\nrestore a\nheal\nadvance 100\nconverge")
    assert await play(stage, "get c k\nevents a WritesRecovered") == ["from-a", "1"]


async def _write(stage: Stage) -> None:
    await stage.region("b").put("k1", v="fresh")


async def _receive(stage: Stage) -> None:
    await play(stage, "put a k1 fresh\nwait b k1 fresh")


@pytest.mark.parametrize("write", [_write, _receive], ids=["a client's", "a peer's"])
async def test_a_write_that_comes_after_an_item_was_found_to_be_purged_is_not_removed_with_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, write: Any
) -> None:
    differences = Comparison.differences
    between = iter([partial(write, stage)])

    async def slow(self: Comparison, leaf: int) -> list[Difference]:
        found = await differences(self, leaf)
        if any(it.gone and it.here for it in found) and (step := next(between, None)):
            await step()
        return found

    monkeypatch.setattr(Comparison, "differences", slow)
    await play(stage, DELETED_AND_PURGED)
    await play(stage, "converge")
    assert next(between, None) is None
    assert await play(stage, "get a k1\nget b k1") == ["fresh", "fresh"]


async def test_nothing_is_left_to_a_region_that_was_taken_out_of_the_fleet(stage: Stage) -> None:
    await play(stage, "region a b c\ntable on a b c\nconverge\ncut c->a\nadvance 100\nput c k from-c\nwait b k from-c")
    await stage.fleet.regions.pop("c").stop()
    for survivor in "ab":
        await stage.region(survivor).replication.remove_peer("c")
    await play(stage, "heal" + BEHIND_THE_TAIL + "heal\nwait a j from-b\nwait a k from-c\nwait b->a live")


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each answer to a question for rows has brought."""
    inquire = Questions.inquire
    counts: list[int] = []

    async def counting(self: Questions, inquiry: Inquiry) -> Findings | FetchRefused:
        found = await inquire(self, inquiry)
        if isinstance(inquiry, FetchRows):
            counts.append(len(getattr(found, "rows", ())))
        return found

    monkeypatch.setattr(Questions, "inquire", counting)
    return counts


async def test_a_row_that_is_left_to_a_third_region_is_fetched_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, fetched: list[int]
) -> None:
    compare, rounds = repair.Repairer.compare, []

    async def counted(self: repair.Repairer, *arguments: Any, **named: Any) -> repair.Tally:
        tally = await compare(self, *arguments, **named)
        rounds.append(tally.left)
        return tally

    monkeypatch.setattr(repair.Repairer, "compare", counted)
    await play(stage, "region a b c\ntable on a b c\nconverge\ncut c->a\nadvance 100")
    for number in range(5):
        await play(stage, f"put c k{number} from-c\nwait b k{number} from-c")
    await play(stage, BEHIND_THE_TAIL)
    stage.cuts.links.discard(("b", "a"))
    await eventually(lambda: len(rounds) >= 4, "a compares again and again")
    assert rounds[:4] == [5] * 4
    assert sum(fetched) <= 5 + 2
    await play(stage, "heal\nconverge\nwait b->a live")


async def test_a_row_that_goes_over_to_the_other_tree_of_its_leaf_is_compared(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deleted item that is written again while two replicas compare is found to differ all the same."""
    differing = Comparison._compare
    between = iter(["put b k again"])

    async def slow(self: Comparison, chunks: list[int]) -> Any:
        found = await differing(self, chunks)
        if any(found.roots) and not chunks and (line := next(between, None)):
            await play(stage, line + "\nwait a k again")
        return found

    await play(stage, "region a b\ntable on a b\nput a k one\nconverge\nput b k two\ndelete b k\nconverge")

    def strange(context: Context) -> None:
        table = context.catalogue.by_name[TABLE]
        stored = next(iter(context.transaction.scan_versions(table, b"", 1)))
        version = stored[1].version
        context.transaction.amend_version(table, stored[0], version._replace(vector={"a": 1}))
        context.written += 1

    await stage.region("a").engine.transact(strange)
    monkeypatch.setattr(Comparison, "_compare", slow)
    found = await stage.region("a").replication.compare(TABLE, repair=True)
    assert next(between, None) is None
    assert found
    await play(stage, "converge")


async def test_a_plan_that_is_being_made_counts_for_nothing_once_its_peer_is_out_of_the_fleet(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, begun, on = resynchronisation.begin, asyncio.Event(), asyncio.Event()
    await play(stage, "region a b c\ntable on a b c\nconverge" + BEHIND_THE_TAIL)
    a = stage.region("a")
    transact = a.engine.transact

    def noted(*arguments: Any, **named: Any) -> Any:
        begun.set()
        return begin(*arguments, **named)

    async def slow(work: Any) -> Any:
        result = await transact(work)
        if begun.is_set():
            await on.wait()
        return result

    monkeypatch.setattr(resynchronisation, "begin", noted)
    monkeypatch.setattr(a.engine, "transact", slow)
    await play(stage, "heal")
    await begun.wait()
    removing = asyncio.ensure_future(a.replication.remove_peer("b"))
    await asyncio.sleep(0)
    on.set()
    await removing
    assert not a.replication.fetching
    before = a.replication.safe_time()
    stage.clock.advance(1000)
    await eventually(lambda: a.replication.safe_time() > before, "the safe time of a moves on")


async def test_every_session_ends_when_the_lineage_is_renewed_though_a_region_joins_just_then(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed = Replication._renewed

    def joined(self: Replication) -> None:
        renewed(self)
        self.add_peer("z", "memory://nowhere:1")

    monkeypatch.setattr(Replication, "_renewed", joined)
    await play(stage, WRITTEN_FOR_ONE_PEER + "heal\nadvance 100\nwait c k1 one\nwait c k3 three")


async def test_nothing_is_compared_any_more_after_a_region_has_stopped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await play(stage, WRITTEN_FOR_ONE_PEER)
    a = stage.region("a")
    begun, on, transact = asyncio.Event(), asyncio.Event(), a.engine.transact

    async def slow(work: Any) -> Any:
        result = await transact(work)
        if (plan := resynchronisation.load(a.store, "b")) is not None and plan.lost:
            begun.set()
            await on.wait()
        return result

    monkeypatch.setattr(a.engine, "transact", slow)
    await play(stage, "heal")
    await begun.wait()
    stopping = asyncio.ensure_future(stage.fleet.regions.pop("a").stop())
    await asyncio.sleep(0)
    on.set()
    await stopping
    assert [task for task in a.replication._repairer._tasks.values() if not task.done()] == []


async def test_what_one_peer_alone_has_of_a_file_that_is_gone_comes_back_though_the_peer_asks_first(
    stage: Stage,
) -> None:
    """The region does not know yet that there is a table when the peer's position turns out to be of a lost future."""
    await play(stage, "region a b c\ntable on a b c\nput a k0 zero\nconverge\ncut a->b\nadvance 100\nput a k from-a")
    await play(stage, "wait c k from-a\nlose a")
    lost_hlc = stage.region("c").replication.safe_time()
    await play(stage, "heal\nadvance 100\nconverge")
    assert await play(stage, "get a k\nget b k") == ["from-a", "from-a"]
    assert stage.region("a").engine.clock.last > lost_hlc
    await eventually(lambda: not stage.region("a").replication.fetching, "the plans of a end")


async def test_a_region_that_lost_its_file_and_shares_no_table_any_more_has_nothing_to_wait_for(stage: Stage) -> None:
    await play(stage, "region a b c\ntable on a b\nput a k one\nconverge a b\nremove a\nconverge b\nlose a")
    await eventually(lambda: not stage.region("a").replication.fetching, "a has no plan")
    before = stage.region("a").replication.safe_time()
    stage.clock.advance(1000)
    await eventually(lambda: stage.region("a").replication.safe_time() > before, "the safe time of a moves on")
