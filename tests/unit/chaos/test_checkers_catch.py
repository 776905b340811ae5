"""Every clause of every invariant, broken by hand: the checker says so, and names what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from small_world import MS, TABLE, UID, World, key_of

from chaos.checker import CHECKERS, judge
from chaos.checker.evidence import Evidence
from chaos.history import Access
from chaos.stage import Sample
from region.model.change import CAUSE_EXPIRY, StoredItem
from region.model.settings import STREAM, Register
from region.model.table import Table
from region.model.version import Version

Tamper = Callable[[World], None]
CASES: list[tuple[str, str, Tamper]] = []


def breaks(invariant: str, sentence: str) -> Callable[[Tamper], Tamper]:
    """Register a way to break an invariant, and a part of the sentence that must name it."""

    def register(tamper: Tamper) -> Tamper:
        CASES.append((invariant, sentence, tamper))
        return tamper

    return register


def ordinary() -> World:
    """A world with a conflict (t3 lost to t4 under b), a deletion (t6 under c) and a transaction (t7, t8), settled."""
    world = World("east", "west")
    world.write("east", "a")  # t1
    world.settle()
    world.swap("west", "a")  # t2
    world.write("east", "b")  # t3
    world.places["west"].clock += 10 * MS
    world.write("west", "b")  # t4
    world.settle()
    world.write("east", "c")  # t5
    world.settle()
    world.delete("west", "c")  # t6
    world.transfer("east", "d", "e")  # t7, t8
    world.settle()
    world.read("east", "a")
    return world


def amend(world: World, region: str, sequence: int, **fields: Any) -> None:
    log = world.places[region].log
    log[sequence - 1] = log[sequence - 1]._replace(**fields)


def hold(world: World, region: str, key: str, **fields: Any) -> None:
    items = world.places[region].items
    items[key_of(key)] = items[key_of(key)]._replace(**fields)


def reads(world: World, region: str, key: str, tag: str | None, *, process: int | None = None, token: str = "") -> None:
    number = world.recorder.process() if process is None else process
    world.now_ms += 1
    call = world.recorder.invoke(
        number, region, "read", table=TABLE, accesses=(Access("r", TABLE, key),), presented=token
    )
    world.now_ms += 1
    call.ok(accesses=(Access("r", TABLE, key, tag),))


def sample(world: World, region: str, at_ms: int, **fields: Any) -> None:
    given = {"now_ms": 0, "safe_hlc": 0, "watermark_hlc": 0, **fields}
    world.samples.append(Sample(time_ns=at_ms * 1_000_000, region=region, **given))


def link(**fields: Any) -> dict[str, Any]:
    return {"source": "east", "sink": "west", "sequence": 0, "state": "live", "last_exchange_s": None, **fields}


# Convergence and liveness.


@breaks("convergence", "table songs, key a: east: (")
def one_region_holds_another_version(world: World) -> None:
    hold(world, "east", "a", version=Version(5, "east"))


@breaks("convergence", "key a: east: (")
def one_region_holds_another_vector(world: World) -> None:
    stored = world.places["east"].items[key_of("a")]
    hold(world, "east", "a", version=stored.version._replace(vector={}))


@breaks("convergence", "key c: east: nothing; west: (")
def one_region_has_no_tombstone(world: World) -> None:
    del world.places["east"].items[key_of("c")]


@breaks("convergence", "the setting stream is not the same in east and west")
def one_region_has_another_setting(world: World) -> None:
    place = world.places["west"]
    registers = {**place.table.registers, STREAM: Register(9, "west", None)}
    record = place.table.record
    place.table = Table(type(record)(id=1, uid=UID, name=TABLE, registers=registers, local=record.local))


@breaks("liveness", "west has applied east up to sequence 1 only, and e of songs was written there as sequence")
def a_cursor_stands_before_the_end(world: World) -> None:
    cursors = world.places["west"].cursors
    cursors["east"] = cursors["east"]._replace(sequence=1, watermark=0)


@breaks("liveness", "west has no cursor of it")
def a_cursor_is_missing(world: World) -> None:
    del world.places["west"].cursors["east"]


@breaks("liveness", "west has the cursor of another file")
def a_cursor_is_of_another_file(world: World) -> None:
    cursors = world.places["west"].cursors
    cursors["east"] = cursors["east"]._replace(epoch="other")


@breaks("liveness", "west is not done with fetching table songs")
def something_is_still_to_be_fetched(world: World) -> None:
    world.places["west"].meta[f"bootstrap:{UID}"] = "{}"


# Values and durability.


@breaks("values", "read t999 in songs/a at east, which nobody wrote")
def a_value_that_nobody_wrote_is_read(world: World) -> None:
    reads(world, "east", "a", "t999")


@breaks("values", "read t4 in songs/a at east, which was written to songs/b")
def a_value_of_another_item_is_read(world: World) -> None:
    reads(world, "east", "a", "t4")


@breaks("values", "whose write had failed with ValidationException")
def a_failed_write_is_read(world: World) -> None:
    reads(world, "east", "a", world.fail("east", "a"))


@breaks("values", "which was written 0.001 s later")
def a_value_is_read_before_it_was_written(world: World) -> None:
    reads(world, "west", "f", "t9")
    world.write("east", "f")
    world.settle()


@breaks("values", "which is not in the log of east")
def a_write_is_read_that_never_came_to_be(world: World) -> None:
    tag = world.recorder.tag()
    call = world.recorder.invoke(90, "east", "write", accesses=(Access("w", TABLE, "a", tag),))
    reads(world, "east", "a", tag)
    call.info("the region died")


@breaks("values", "the file of east holds t999 in songs/f, which nobody wrote")
def a_file_holds_what_nobody_wrote(world: World) -> None:
    world.apply("east", "f", "t999")
    world.settle()


@breaks("values", "songs/a: t2, acknowledged by west, is lost: east holds t1")
def a_replica_holds_what_was_overwritten(world: World) -> None:
    place = world.places["east"]
    place.items[key_of("a")] = StoredItem(place.log[0].image, place.log[0].size, place.log[0].version)


@breaks("values", "songs/a: acknowledged 't2' is lost; east holds 't1'")
def a_value_was_overwritten_by_an_earlier_one(world: World) -> None:
    place = world.places["east"]
    place.items[key_of("a")] = StoredItem(place.log[0].image, place.log[0].size, place.log[0].version)


@breaks("values", "t1 was written once, and took effect in east twice")
def a_write_takes_effect_twice(world: World) -> None:
    world.apply("east", "a", "t1")
    world.settle()


@breaks("durability", "songs/a: t9, which east acknowledged, is not in the log of east")
def an_acknowledged_write_is_in_no_log(world: World) -> None:
    call = world.recorder.invoke(world.recorder.process(), "east", "write", accesses=(Access("w", TABLE, "a", "t9"),))
    call.ok()


@breaks("durability", "songs/a: t9, which east acknowledged, is not in the log of east")
def an_acknowledged_deletion_is_in_no_log(world: World) -> None:
    access = Access("d", TABLE, "a", world.recorder.tag())
    call = world.recorder.invoke(world.recorder.process(), "east", "delete", accesses=(access,))
    call.ok(accesses=(Access("r", TABLE, "a", "t2"), access), request_id="lost")


# Timestamps and fold.


@breaks("timestamps", ", and an earlier one")
def a_timestamp_falls(world: World) -> None:
    last = max(it.sequence for it in world.places["east"].log if it.version.origin == "east")
    amend(world, "east", 4, version=world.places["east"].log[last - 1].version)


@breaks("timestamps", "the log of east goes from sequence 2 to 4")
def a_record_is_missing(world: World) -> None:
    del world.places["east"].log[2]


@breaks("timestamps", "after it had applied a change of")
def a_clock_does_not_learn_from_what_it_applies(world: World) -> None:
    world.places["east"].clock += 5000 * MS
    world.write("east", "f")
    world.settle()
    west = world.places["west"]
    west.clock = max(it.version.hlc for it in west.log if it.version.origin == "west")
    world.write("west", "g")


@breaks("timestamps", "the clock of west, which nothing struck, was 60000 ms ahead of its wall clock at 0.010 s")
def a_clock_is_carried_beyond_the_park_bound(world: World) -> None:
    sample(world, "west", 10, now_ms=1000, watermark_hlc=61_000 * MS)


@breaks("timestamps", "which is not above the")
def a_write_is_older_than_what_it_overwrote(world: World) -> None:
    world.write("west", "a")
    record = world.places["west"].log[-1]
    amend(world, "west", record.sequence, version=record.version._replace(vector={"east": record.version.hlc + 1}))


@breaks("timestamps", "in that of west")
def a_timestamp_names_two_writes(world: World) -> None:
    position = next(it.sequence for it in world.places["west"].log if it.version.origin == "east")
    amend(world, "west", position, image=b'{"tag":{"S":"t3"}}')


@breaks("timestamps", "with a ceiling of 1970-01-01")
def a_ceiling_is_below_what_was_issued(world: World) -> None:
    world.places["east"].meta["ceiling"] = "0"


@breaks("timestamps", "after it had acknowledged f at")
def a_later_write_has_the_earlier_timestamp(world: World) -> None:
    world.write("east", "f")
    world.write("east", "g")
    log = world.places["east"].log
    one, other = log[-2], log[-1]
    amend(world, "east", one.sequence, version=other.version)
    amend(world, "east", other.sequence, version=one.version)


@breaks("fold", "songs/a: west holds t1 at")
def a_replica_did_not_apply_what_it_received(world: World) -> None:
    world.write("east", "a")
    world.settle()
    place = world.places["west"]
    first = next(it for it in place.log if it.key == key_of("a"))
    place.items[key_of("a")] = StoredItem(first.image, first.size, first.version)


@breaks("fold", "a version that has not met")
def a_vector_was_not_merged_with_a_losers(world: World) -> None:
    stored = world.places["west"].items[key_of("b")]
    hold(world, "west", "b", version=stored.version._replace(vector={}))


@breaks("fold", "with another image than the write in the log of west")
def a_replica_holds_another_image(world: World) -> None:
    hold(world, "east", "a", image=b'{"tag":{"S":"t1"}}')


@breaks("fold", "which no log holds")
def a_version_claims_what_nobody_wrote(world: World) -> None:
    stored = world.places["east"].items[key_of("a")]
    vector = {**stored.version.vector, "north": 5}
    hold(world, "east", "a", version=stored.version._replace(vector=vector))


@breaks("fold", "holds an item that no log explains")
def an_item_comes_from_nowhere(world: World) -> None:
    world.places["east"].items[key_of("z")] = StoredItem(b'{"tag":{"S":"t1"}}', 5, Version(9, "east"))


@breaks("fold", "songs/c: west holds nothing, and the logs say the deletion")
def a_tombstone_is_forgotten(world: World) -> None:
    del world.places["west"].items[key_of("c")]


# Linearizability and sessions.


@breaks("linearizability", "no order of the operations explains that read of process")
def an_overwritten_value_is_read(world: World) -> None:
    world.write("east", "a")
    reads(world, "east", "a", "t1")


@breaks("linearizability", "found no item")
def an_item_that_nobody_deleted_is_absent(world: World) -> None:
    reads(world, "east", "a", None)


@breaks("linearizability", "no order of the operations explains that cas of process")
def two_conditional_writes_replace_the_same(world: World) -> None:
    found = world.tag("east", "a")
    for _ in range(2):
        accesses = (Access("r", TABLE, "a", found), Access("w", TABLE, "a", world.recorder.tag()))
        world.now_ms += 1
        call = world.recorder.invoke(world.recorder.process(), "east", "cas", table=TABLE, accesses=accesses)
        world.now_ms += 1
        call.ok()


@breaks("linearizability", "no order of the operations explains that read of process")
def a_failed_conditions_find_is_later_unseen(world: World) -> None:
    world.write("east", "f")  # t9
    world.write("west", "f")  # t10
    for tag in ("t10", "t9", "t10"):
        reads(world, "east", "f", tag)
    world.settle()


@breaks("linearizability", "was told that it replaced t2, and in the log it replaced t9")
def the_log_has_something_between_condition_and_write(world: World) -> None:
    found = world.tag("east", "a")
    tag = world.recorder.tag()  # t9
    other = world.recorder.tag()
    open_call = world.recorder.invoke(90, "east", "write", accesses=(Access("w", TABLE, "a", tag),))
    accesses = (Access("r", TABLE, "a", found), Access("w", TABLE, "a", other))
    call = world.recorder.invoke(91, "east", "cas", accesses=accesses)
    world.apply("east", "a", tag)
    world.apply("east", "a", other)
    open_call.ok()
    call.ok()


@breaks("sessions", "read t1 in east (event")
def a_client_does_not_see_its_own_write(world: World) -> None:
    world.write("east", "a", process=70)
    reads(world, "east", "a", "t1", process=70)


@breaks("sessions", "read t3 in west (event")
def a_client_sees_less_than_before(world: World) -> None:
    reads(world, "west", "b", "t4", process=70)
    reads(world, "west", "b", "t3", process=70)


@breaks("sessions", "read no item in east (event")
def a_client_sees_nothing_where_it_wrote(world: World) -> None:
    world.write("east", "a", process=70)
    reads(world, "east", "a", None, process=70)


@breaks("sessions", "read t2 in west (event")
def a_client_with_a_token_does_not_see_its_write_elsewhere(world: World) -> None:
    world.write("east", "a", process=70)
    reads(world, "west", "a", "t2", process=70, token="after")
    world.settle()


@breaks("sessions", "after it had seen t2 at")
def a_clients_write_is_older_than_what_it_saw(world: World) -> None:
    reads(world, "east", "a", "t2", process=70)
    world.write("east", "a", process=70)
    record = world.places["east"].log[-1]
    amend(world, "east", record.sequence, version=Version(record.version.hlc - 5000 * MS, "east"))


# Resurrection, streams and conflicts.


@breaks("resurrection", "songs/c: west applied the write t5")
def an_older_write_is_applied_after_a_deletion(world: World) -> None:
    place = world.places["west"]
    first = next(it for it in place.log if it.key == key_of("c"))
    place.log.append(first._replace(sequence=len(place.log) + 1))


@breaks("resurrection", "songs/c: east holds t5")
def an_item_stands_below_a_deletion(world: World) -> None:
    place = world.places["east"]
    first = next(it for it in place.log if it.key == key_of("c"))
    place.items[key_of("c")] = StoredItem(first.image, first.size, first.version)


@breaks("streams", "comes again after")
def a_record_comes_twice(world: World) -> None:
    log = world.places["west"].log
    log.append(log[-1]._replace(sequence=len(log) + 1))


@breaks("streams", "songs/a in the log of west: the write t1 at")
def records_are_out_of_order(world: World) -> None:
    log = world.places["west"].log
    first = next(it for it in log if it.key == key_of("a"))
    log.append(first._replace(sequence=len(log) + 1))


@breaks("streams", "and east wrote the write t9 at")
def a_winning_write_between_two_records_is_missing(world: World) -> None:
    world.write("east", "a")
    world.write("east", "a")
    world.settle()
    missing = world.places["east"].log[-2].version.timestamp
    log = world.places["west"].log
    log[:] = [it for it in log if it.version.timestamp != missing]


@breaks("streams", "and its log has no record of that")
def an_applied_change_has_no_record(world: World) -> None:
    log = world.places["east"].log
    log[:] = [it for it in log if it.version != world.places["east"].items[key_of("a")].version]


@breaks("streams", "sequence 1 says MODIFY, and did INSERT")
def a_record_says_another_effect(world: World) -> None:
    amend(world, "east", 1, effect=2)


@breaks("streams", "says that the old item had 7 bytes, and it had")
def a_record_says_another_size(world: World) -> None:
    position = next(it.sequence for it in world.places["east"].log if it.version.origin == "west")
    amend(world, "east", position, old_size=7)


@breaks("streams", "shows no item as the old image, not t1")
def a_record_has_no_old_image(world: World) -> None:
    position = next(it.sequence for it in world.places["east"].log if it.version.origin == "west")
    amend(world, "east", position, old_image=None)


@breaks("streams", "with another image than its log")
def an_item_is_not_what_its_last_record_says(world: World) -> None:
    hold(world, "east", "a", image=b'{"tag":{"S":"t1"}}')


def consumes(world: World, *changes: tuple[str, str, str | None]) -> None:
    call = world.recorder.invoke(80, "east", "consume", table=TABLE)
    call.ok(result=[list(change) for change in changes])


@breaks("streams", "consumer 80 of the stream in east got MODIFY t2 as change 3, and the log has nothing more")
def a_consumer_gets_a_record_twice(world: World) -> None:
    consumes(world, ("a", "INSERT", "t1"), ("a", "MODIFY", "t2"), ("a", "MODIFY", "t2"))


@breaks("streams", "got MODIFY t2 as change 1, and the log has INSERT t1")
def a_consumer_misses_a_record(world: World) -> None:
    consumes(world, ("a", "MODIFY", "t2"))


@breaks("conflicts", "songs/b: the write t3 at")
def a_lost_write_is_in_no_feed(world: World) -> None:
    for place in world.places.values():
        place.conflicts.clear()


@breaks("conflicts", "were not concurrent")
def an_entry_names_a_write_that_was_known(world: World) -> None:
    place = world.places["east"]
    one, other = [it for it in place.log if it.key == key_of("a")]
    number, entry = place.conflicts[0]
    sides = [StoredItem(it.image, it.size, it.version) for it in (other, one)]
    place.conflicts.append((number + 1, entry._replace(key=key_of("a"), winner=sides[0], loser=sides[1])))


@breaks("conflicts", "names the earlier write as the winner")
def an_entry_has_winner_and_loser_reversed(world: World) -> None:
    place = world.places["east"]
    number, entry = place.conflicts[0]
    place.conflicts[0] = number, entry._replace(winner=entry.loser, loser=entry.winner)


@breaks("conflicts", "shows another image of")
def an_entry_shows_another_image(world: World) -> None:
    place = world.places["east"]
    number, entry = place.conflicts[0]
    place.conflicts[0] = number, entry._replace(loser=entry.loser._replace(image=b'{"tag":{"S":"t1"}}'))


# Watermarks, isolation and bounds.


@breaks("watermarks", "west has east up to sequence 1 and believes in all up to")
def a_watermark_is_ahead_of_its_cursor(world: World) -> None:
    cursors = world.places["west"].cursors
    cursors["east"] = cursors["east"]._replace(sequence=1)


@breaks("watermarks", "the safe time of east fell from")
def a_safe_time_falls(world: World) -> None:
    sample(world, "east", 10, safe_hlc=5000)
    sample(world, "east", 20, safe_hlc=4000)


@breaks("watermarks", "that it had everything up to")
def a_safe_time_is_not_true(world: World) -> None:
    late = [record for record in world.places["west"].log if record.version.origin == "east"][-1]
    sample(world, "west", 10, safe_hlc=late.version.hlc, log_head=late.sequence - 1)


@breaks("watermarks", "cut for 4.0 s, that it is live")
def a_cut_link_looks_healthy(world: World) -> None:
    sample(world, "west", 5000, links=(link(),))


@breaks("watermarks", "cut for 4.0 s, that the last exchange was 0.2 s ago")
def a_cut_links_age_does_not_grow(world: World) -> None:
    sample(world, "west", 5000, links=(link(state="unreachable", last_exchange_s=0.2),))


@breaks("isolation", "of north->south, which is not struck, that it is unreachable")
def a_link_suffers_from_anothers_cut(world: World) -> None:
    for name in ("north", "south"):
        world.places[name] = World(name).places[name]
    sample(world, "south", 5000, links=(link(source="north", sink="south", state="unreachable"),))


@breaks("isolation", "that a change waits for 3.0 s")
def a_change_waits_on_a_link_that_is_not_struck(world: World) -> None:
    for name in ("north", "south"):
        world.places[name] = World(name).places[name]
    for at_ms in (5000, 6000):
        waiting = link(source="north", sink="south", oldest_unacknowledged_s=at_ms / 2000)
        sample(world, "south", at_ms, links=(waiting,))


@breaks("isolation", "took 1.500 s in north, which is not struck")
def a_client_waits_where_nothing_is_struck(world: World) -> None:
    world.places["north"] = World("north").places["north"]
    world.now_ms = 4000
    call = world.recorder.invoke(70, "north", "read", table=TABLE)
    world.now_ms += 1500
    call.ok()


@breaks("bounds", "east had 900 tasks at 0.010 s, and 500 is the limit")
def a_size_is_over_its_limit(world: World) -> None:
    sample(world, "east", 10, sizes={"tasks": 900})


@breaks("bounds", "east had 107 connections in the end, and at most 3 in the beginning")
def a_size_does_not_come_back(world: World) -> None:
    for number in range(12):
        sample(world, "east", number, sizes={"connections": 3 if number < 4 else 100 + number - 2})


# Transactions.


@breaks("transactions", "saw half a transaction of east in west (event")
def half_a_transaction_is_read(world: World) -> None:
    world.transfer("east", "d", "e")
    call = world.recorder.invoke(70, "west", "look", accesses=(Access("r", TABLE, "d"), Access("r", TABLE, "e")))
    call.ok(accesses=(Access("r", TABLE, "d", "t9"), Access("r", TABLE, "e", "t8")))
    world.settle()


@breaks("transactions", "is cut off from its transaction of east")
def a_transactions_records_stand_apart(world: World) -> None:
    world.transfer("east", "d", "e")
    place = world.places["west"]
    world.deliver("east", "west", len(world.places["east"].log) - 1)
    log = place.log
    log.insert(-1, log[0])
    log[:] = [it._replace(sequence=number) for number, it in enumerate(log, 1)]


@breaks("transactions", "is in its log without t8")
def half_a_transaction_is_in_its_log(world: World) -> None:
    log = world.places["east"].log
    log[:] = [it for it in log if it.key != key_of("e")]


@breaks("transactions", "the bank of east holds [100, 90] in west")
def a_bank_holds_less_than_was_paid_in(world: World) -> None:
    call = world.recorder.invoke(70, "west", "look", workload="bank", table="bank", value="east")
    call.ok(result=[100, 90])


FAULTS = ({"kind": "cut", "link": "east->west", "mode": "blackhole", "at_ms": 1000, "for_ms": 9000},)


def evidence_of(world: World) -> Evidence:
    """The evidence, with the cut of a link where the samples speak of links or a region stands apart."""
    cut = len(world.places) > 2 or any(it.links for it in world.samples)
    return world.evidence(faults=FAULTS if cut else (), simulated=True, limits={"tasks": 500})


@pytest.mark.parametrize(("invariant", "sentence", "tamper"), CASES, ids=[case[2].__name__ for case in CASES])
def test_a_broken_invariant_is_named(invariant: str, sentence: str, tamper: Tamper) -> None:
    world = ordinary()
    tamper(world)
    found = [str(it) for it in judge(evidence_of(world), [invariant])]
    assert any(sentence in it for it in found), found


def test_every_invariant_has_been_broken_and_the_ordinary_world_breaks_none() -> None:
    assert {case[0] for case in CASES} == set(CHECKERS)
    assert judge(ordinary().evidence(simulated=True)) == []


def test_a_run_that_did_not_come_to_rest_is_not_live() -> None:
    evidence = ordinary().evidence(unsettled="west waits for east")
    (found,) = judge(evidence)
    assert str(found) == "liveness: the run did not come to rest in time: west waits for east"
    assert evidence.remarks[0] == "convergence: not judged, as the run did not come to rest"


def test_an_invariant_that_there_is_not_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"there are no invariants \['speed'\]"):
        judge(ordinary().evidence(), ["speed"])


def test_what_a_restored_or_powerless_region_lost_is_excused() -> None:
    world = ordinary()
    an_acknowledged_write_is_in_no_log(world)
    for fault in (
        {"kind": "restore-old-copy", "region": "east", "at_ms": 0, "for_ms": 1000},
        {"kind": "crash", "region": "east", "power": True, "at_ms": 1000, "for_ms": 1000},
    ):
        assert judge(world.evidence(faults=(fault,)), ["durability"]) == []
    survives = {"kind": "crash", "region": "east", "power": True, "at_ms": 1000, "for_ms": 1000}
    assert judge(world.evidence(faults=(survives,), durability="full"), ["durability"]) != []


def test_what_a_region_answers_in_the_millisecond_in_which_it_comes_back_is_judged_by_neither_of_its_lives() -> None:
    world = ordinary()
    a_client_does_not_see_its_own_write(world)
    answered_ms = world.now_ms
    restored = {"kind": "restore-old-copy", "region": "east", "at_ms": 0}
    for for_ms, judged in ((answered_ms, False), (answered_ms + 1, True)):
        found = judge(world.evidence(faults=({**restored, "for_ms": for_ms},)), ["sessions"])
        assert bool(found) is judged, (for_ms, found)


def test_a_region_that_fell_back_may_not_write_below_what_its_peers_had_once_it_has_served_them_all() -> None:
    for served, judged in ((True, True), (False, False)):
        world = ordinary()
        east = world.places["east"]
        before, items = east.clock, dict(east.items)
        world.write("east", "x")
        world.deliver("east", "west")
        restored = {"kind": "restore-old-copy", "region": "east", "at_ms": 0, "for_ms": world.now_ms}
        east.log.pop()
        east.items, east.clock = items, before
        world.now_ms += 2
        sample(world, "east", world.now_ms, links=({"source": "east", "sink": "west", "connections": int(served)},))
        world.write("east", "y")
        found = [str(it) for it in judge(world.evidence(faults=(restored,), simulated=True), ["timestamps"])]
        assert any("y: east, which had fallen back, wrote t10" in it for it in found) is judged, found
        east.clock += MS
        world.write("east", "z")
        assert judge(world.evidence(faults=(restored,)), ["timestamps"])[1:] == []


def test_what_a_region_acknowledged_after_it_had_lost_its_power_is_not_excused() -> None:
    world = ordinary()
    an_acknowledged_write_is_in_no_log(world)
    earlier = {"kind": "crash", "region": "east", "power": True, "for_ms": 1000}
    assert judge(world.evidence(faults=(earlier,)), ["durability"]) != []


def test_a_promise_of_a_future_that_a_writer_lost_is_excused_up_to_the_first_sample_after_the_loss() -> None:
    world = ordinary()
    a_safe_time_is_not_true(world)
    lost = {"kind": "crash", "region": "east", "power": True, "at_ms": 5, "for_ms": 1}
    assert judge(world.evidence(faults=(lost,)), ["watermarks"]) == []
    # A write that had been acknowledged before the loss was no news of the writer's next life.
    acknowledged = {**lost, "at_ms": 9000}
    assert judge(world.evidence(faults=(acknowledged,)), ["watermarks"]) != []
    # And what was promised later than the first sample after the loss, was promised of that life.
    sample(world, "west", 8, safe_hlc=1, log_head=1)
    world.samples.sort(key=lambda it: it.time_ns)
    assert judge(world.evidence(faults=(lost,)), ["watermarks"]) != []


def test_an_item_deleted_by_time_to_live_before_its_time_is_named() -> None:
    world = ordinary()
    place = world.places["east"]
    local = place.table.record.local
    state = {"ttl": {"attribute": "expires", "index_id": 9}}
    record = place.table.record
    place.table = Table(
        type(record)(
            id=1,
            uid=UID,
            name=TABLE,
            registers=record.registers,
            local=type(local)(table_id="id", created_ms=1, streams=local.streams, extra=state),
        )
    )
    world.write("east", "x")
    record_of = place.log[-1]
    expires_s = (record_of.version.hlc >> 16) // 1000 + 60
    image = (record_of.image or b"")[:-1] + b',"expires":{"N":"%d"}}' % expires_s
    amend(world, "east", record_of.sequence, image=image)
    world.apply("east", "x", None, cause=CAUSE_EXPIRY)
    found = [str(it) for it in judge(world.evidence(), ["values"])]
    assert any(f"songs/x: t9 expires at {expires_s} s, and east deleted it by time to live" in it for it in found), (
        found
    )
    # What a region that fell back deleted may have come from a peer, without a record.
    restored = {"kind": "restore-old-copy", "region": "east", "at_ms": 0, "for_ms": 1}
    found = [str(it) for it in judge(world.evidence(faults=(restored,)), ["values"])]
    assert not any("time to live" in it for it in found)


def test_what_waits_for_a_copy_over_a_struck_link_is_excused_on_the_others() -> None:
    world = World("east", "west", "north")
    slow = {"kind": "delay", "link": "east->west", "ms": 400, "at_ms": 0, "for_ms": 60_000}
    for second in range(1, 40):
        fetching = link(state="bootstrapping")
        waiting = link(source="north", sink="west", oldest_unacknowledged_s=float(second))
        sample(world, "west", second * 1000, links=(fetching, waiting))
        sample(world, "north", second * 1000, links=(waiting,))
    assert judge(world.evidence(faults=(slow,), simulated=True), ["isolation"]) == []
    # Over a link that nothing strikes a copy comes soon.
    elsewhere = {**slow, "link": "west->east"}
    assert judge(world.evidence(faults=(elsewhere,), simulated=True), ["isolation"]) != []
