"""The conflict rule: its table, its three laws, and random histories checked against true causality."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clock import HybridLogicalClock, ManualClock, SkewedClock
from clock.timestamp import hlc_of
from region.model.version import Version, succeed
from replication.conflict import Verdict, margin_ms, reportable, resolve

NOON = 1_795_415_400_000
REGIONS = ("ap-northeast-1", "eu-west-1", "sa-east-1", "us-east-1", "us-west-2")


@st.composite
def versions(draw: st.DrawFn) -> Version:
    """Any version that keeps the invariant: no entry of itself, and every entry below its timestamp."""
    hlc, origin = draw(st.integers(1, 6)), draw(st.sampled_from(REGIONS))
    vector = draw(st.dictionaries(st.sampled_from(REGIONS), st.integers(1, 6)))
    return Version(hlc, origin, {r: h for r, h in vector.items() if r != origin and (h, r) < (hlc, origin)})


def join(incumbent: Version | None, incoming: Version) -> Version:
    return resolve(incumbent, incoming).version


EU_1, EU_2, US_1, US_3 = Version(1, "eu"), Version(2, "eu"), Version(1, "us"), Version(3, "us")


@pytest.mark.parametrize(
    ("incumbent", "incoming", "verdict", "stored"),
    [
        (None, EU_1, Verdict.NEWER, EU_1),
        (EU_1, EU_1, Verdict.STALE, EU_1),
        (EU_1, EU_2, Verdict.NEWER, EU_2),
        (EU_2, EU_1, Verdict.STALE, EU_2),
        (EU_2, US_3, Verdict.CONCURRENT_WON, Version(3, "us", {"eu": 2})),
        (US_3, EU_2, Verdict.CONCURRENT_LOST, Version(3, "us", {"eu": 2})),
        (EU_1, US_1, Verdict.CONCURRENT_WON, Version(1, "us", {"eu": 1})),
        (US_1, EU_1, Verdict.CONCURRENT_LOST, Version(1, "us", {"eu": 1})),
        (EU_2, Version(3, "us", {"eu": 2}), Verdict.NEWER, Version(3, "us", {"eu": 2})),
        (EU_2, Version(3, "us", {"eu": 1}), Verdict.CONCURRENT_WON, Version(3, "us", {"eu": 2})),
        (Version(3, "us", {"eu": 2}), EU_2, Verdict.STALE, Version(3, "us", {"eu": 2})),
        (Version(3, "us", {"eu": 1}), EU_2, Verdict.CONCURRENT_LOST, Version(3, "us", {"eu": 2})),
        (
            Version(3, "us", {"eu": 2}),
            Version(5, "us", {"ap": 1}),
            Verdict.NEWER,
            Version(5, "us", {"ap": 1, "eu": 2}),
        ),
        (
            Version(3, "us", {"sa": 1}),
            Version(5, "eu", {"us": 3, "ap": 4}),
            Verdict.NEWER,
            Version(5, "eu", {"us": 3, "ap": 4, "sa": 1}),
        ),
    ],
)
def test_the_table_of_the_rule(incumbent: Version | None, incoming: Version, verdict: Verdict, stored: Version) -> None:
    assert resolve(incumbent, incoming) == (verdict, stored)


@pytest.mark.parametrize(
    "incumbent", [Version(3, "us", {"eu": 2}), Version(5, "ap", {"us": 3}), Version(5, "us", {"ap": 4})]
)
def test_a_stale_item_shipped_with_its_losers_still_teaches_the_incumbents_vector(incumbent: Version) -> None:
    incoming = Version(3, "us", {"sa": 1})
    verdict, stored = resolve(incumbent, incoming)
    assert verdict is Verdict.STALE
    assert stored == incumbent._replace(vector={**incumbent.vector, "sa": 1})


@given(versions(), versions())
def test_a_stale_item_that_teaches_nothing_leaves_the_incumbents_own_object(one: Version, other: Version) -> None:
    settled = join(one, other)
    for known in (one, other, settled):
        assert join(settled, known) is settled
        assert resolve(settled, known).verdict in (Verdict.STALE, Verdict.CONCURRENT_LOST)
    assert resolve(settled, settled).verdict is Verdict.STALE


@given(versions(), versions())
def test_the_rule_is_commutative(one: Version, other: Version) -> None:
    assert join(one, other) == join(other, one)


@given(versions(), versions(), versions())
def test_the_rule_is_associative(one: Version, two: Version, three: Version) -> None:
    assert join(join(one, two), three) == join(one, join(two, three))


@given(versions(), versions())
def test_the_rule_is_idempotent(one: Version, other: Version) -> None:
    assert join(one, one) is one
    assert join(join(one, other), other) == join(one, other)


@given(versions(), versions())
def test_what_is_stored_is_the_greatest_timestamp_and_the_pointwise_maximum_of_the_vectors(
    one: Version, other: Version
) -> None:
    stored = join(one, other)
    assert stored.timestamp == max(one.timestamp, other.timestamp)
    known = [one.full_vector(), other.full_vector()]
    assert stored.full_vector() == {r: max(v.get(r, 0) for v in known) for r in known[0].keys() | known[1].keys()}
    assert stored.origin not in stored.vector
    assert all((hlc, region) < stored.timestamp for region, hlc in stored.vector.items())


@given(versions(), versions())
def test_the_two_sides_of_a_pair_see_opposite_verdicts(one: Version, other: Version) -> None:
    opposite = {
        Verdict.STALE: {Verdict.NEWER, Verdict.STALE},
        Verdict.NEWER: {Verdict.STALE},
        Verdict.CONCURRENT_WON: {Verdict.CONCURRENT_LOST},
        Verdict.CONCURRENT_LOST: {Verdict.CONCURRENT_WON},
    }
    assert resolve(other, one).verdict in opposite[resolve(one, other).verdict]


@given(versions(), versions())
def test_the_rule_changes_neither_version_it_is_given(one: Version, other: Version) -> None:
    before = dict(one.vector), dict(other.vector)
    resolve(one, other)
    assert (one.vector, other.vector) == before


def test_the_margin_is_the_distance_of_the_wall_clocks_whichever_comes_first() -> None:
    early, late = Version(hlc_of(NOON, 9), "eu"), Version(hlc_of(NOON + 250, 1), "us")
    assert margin_ms(early, late) == margin_ms(late, early) == 250
    assert margin_ms(early, Version(hlc_of(NOON, 12), "us")) == 0


@pytest.mark.parametrize(
    ("winner", "loser", "reported"),
    [(None, None, False), (b"{}", b"{}", False), (b"{}", None, True), (None, b"{}", True), (b"1", b"2", True)],
)
def test_two_deletes_and_two_identical_images_are_not_reported(
    winner: bytes | None, loser: bytes | None, reported: bool
) -> None:
    assert reportable(winner, loser) is reported


class Write(NamedTuple):
    """A write as its origin ships it, with what only an omniscient observer knows.

    ``past`` are all writes that its origin had met when it was made; ``parent`` is the one whose image it replaced.
    """

    image: int
    version: Version
    past: frozenset[int]
    parent: int | None


class Report(NamedTuple):
    winner: int
    loser: int


class Replica:
    """One item in one region: the real clock, the real versions and the real rule."""

    def __init__(self, region: str, world: World, offset_ms: int) -> None:
        self.region = region
        self.world = world
        self.clock = HybridLogicalClock(region, SkewedClock(world.time, offset_ms))
        self.version: Version | None = None
        self.image: int | None = None
        self.known: frozenset[int] = frozenset()
        self.reports: list[Report] = []

    def write(self) -> Write:
        hlc = self.clock.after(self.version.hlc) if self.version else self.clock.now()
        image = len(self.world.writes)
        write = Write(image, succeed(self.version, hlc, self.region), self.known, self.image)
        self.world.writes.append(write)
        self.image, self.version, self.known = image, write.version, self.known | {image}
        return write

    def receive(self, image: int, version: Version, known: frozenset[int]) -> None:
        """Apply what arrives, and hold its verdict against what is truly known here and there."""
        self.clock.observe(version.hlc, force=True)
        verdict, stored = resolve(self.version, version)
        incumbent = self.image
        if image in self.known:
            expected = {Verdict.STALE}
        elif incumbent is None or incumbent in self.world.writes[image].past:
            expected = {Verdict.NEWER}
        elif incumbent in known:
            # A replica's state knows more than its write: here the state had settled the incumbent as a loser already.
            expected = {Verdict.NEWER}
        else:
            expected = {Verdict.CONCURRENT_WON, Verdict.CONCURRENT_LOST}
        assert verdict in expected, f"{verdict} is false: {self.version} met {version}"
        self.version = stored
        self.known |= known
        if verdict in (Verdict.NEWER, Verdict.CONCURRENT_WON):
            self.image = image
        if verdict is Verdict.CONCURRENT_WON and incumbent is not None:
            self.reports.append(Report(image, incumbent))
        if verdict is Verdict.CONCURRENT_LOST and incumbent is not None:
            self.reports.append(Report(incumbent, image))


class World:
    """Two to five regions, a network that reorders and duplicates, and replicas that are copied as they are."""

    def __init__(self, rng: random.Random, *, copies: bool) -> None:
        self.rng = rng
        self.copies = copies
        self.time = ManualClock(NOON)
        self.writes: list[Write] = []
        regions = rng.sample(REGIONS, rng.randint(2, 5))
        self.replicas = [Replica(region, self, rng.choice((0, 0, -600_000, -3, 2, 900))) for region in regions]
        self.in_flight: list[tuple[Replica, Write]] = []

    def step(self) -> None:
        self.time.advance(self.rng.choice((0, 0, 1, 5)))
        replica = self.rng.choice(self.replicas)
        chance = self.rng.random()
        if chance < 0.35:
            write = replica.write()
            self.in_flight += [(peer, write) for peer in self.replicas if peer is not replica]
        elif chance < 0.45 and self.copies:
            donor = self.rng.choice(self.replicas)
            if donor.version is not None and donor.image is not None:
                replica.receive(donor.image, donor.version, donor.known)
        elif self.in_flight:
            self.deliver(self.rng.randrange(len(self.in_flight)), again=self.rng.random() < 0.2)
        self.check_versions(replica)

    def deliver(self, position: int, *, again: bool = False) -> None:
        replica, write = self.in_flight[position]
        if not again:
            self.in_flight[position] = self.in_flight[-1]
            self.in_flight.pop()
        replica.receive(write.image, write.version, write.past | {write.image})
        self.check_versions(replica)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()
        while self.in_flight:
            self.deliver(self.rng.randrange(len(self.in_flight)))

    def check_versions(self, replica: Replica) -> None:
        """A version names exactly the last write of each region that is known, and the greatest of them all."""
        if replica.version is None:
            assert not replica.known
            return
        known = sorted(self.writes[image].version.timestamp for image in replica.known)
        assert replica.version.full_vector() == {region: hlc for hlc, region in known}
        assert replica.version.timestamp == known[-1]
        assert replica.image is not None
        assert self.writes[replica.image].version.timestamp == known[-1]

    def check_convergence(self) -> None:
        """All regions hold the same image and version: the greatest timestamp of the writes nobody built on."""
        assert len({replica.image for replica in self.replicas}) == 1
        assert all(replica.version == self.replicas[0].version for replica in self.replicas)
        built_on = frozenset[int]().union(*(write.past for write in self.writes))
        maximal = [write for write in self.writes if write.image not in built_on]
        winner = max(maximal, key=lambda write: write.version.timestamp, default=None)
        assert self.replicas[0].image == (winner.image if winner else None)

    def check_reports(self) -> None:
        """Every entry is of two concurrent writes; what the winner did not replace is in one, or its successor is."""
        reports = [report for replica in self.replicas for report in replica.reports]
        for report in reports:
            winner, loser = self.writes[report.winner], self.writes[report.loser]
            assert winner.image not in loser.past
            assert loser.image not in winner.past
            assert winner.version.timestamp > loser.version.timestamp
        lost = {report.loser for report in reports}
        replaced = {write.parent for write in self.writes}
        survivors = set(self.line(self.replicas[0].image))
        for write in self.writes:
            if write.image in survivors:
                continue
            if write.image in replaced:
                assert any(write.image in self.writes[loser].past for loser in lost)
            else:
                assert write.image in lost, f"write {write.image} is lost and in no region's feed"

    def line(self, image: int | None) -> Iterator[int]:
        """The images that an image has replaced, one by one, itself included."""
        while image is not None:
            yield image
            image = self.writes[image].parent


def histories(first_seed: int, count: int, *, copies: bool) -> Iterator[tuple[int, World]]:
    for seed in range(first_seed, first_seed + count):
        rng = random.Random(seed)
        world = World(rng, copies=copies)
        try:
            world.run(rng.randint(1, 30))
            yield seed, world
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def check(seed: int, claim: str, world: World) -> None:
    try:
        getattr(world, claim)()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.parametrize("copies", [False, True], ids=["log-shipping", "with-copies-of-replicas"])
def test_in_random_histories_all_regions_converge_on_image_and_vector_and_the_greatest_maximal_write_wins(
    copies: bool,
) -> None:
    for seed, world in histories(1000, 500, copies=copies):
        check(seed, "check_convergence", world)


@pytest.mark.parametrize("copies", [False, True], ids=["log-shipping", "with-copies-of-replicas"])
def test_in_random_histories_every_lost_write_is_reported_and_every_report_is_of_two_concurrent_writes(
    copies: bool,
) -> None:
    concurrent = 0
    for seed, world in histories(50_000, 500, copies=copies):
        check(seed, "check_reports", world)
        concurrent += sum(len(replica.reports) for replica in world.replicas)
    assert concurrent > 500


def test_one_item_written_in_two_regions_at_once_has_the_greater_timestamp_everywhere_ten_thousand_times() -> None:
    seed = 20_261_123
    rng = random.Random(seed)
    held: list[Version | None] = [None, None, None]
    source = ManualClock(NOON)
    clocks = [
        HybridLogicalClock(region, SkewedClock(source, offset))
        for region, offset in (("eu-west-1", -2), ("us-east-1", 1))
    ]
    for round_number in range(10_000):
        source.advance(rng.randint(0, 3))
        writes = [
            succeed(incumbent, clock.after(incumbent.hlc if incumbent else 0), clock.region)
            for clock, incumbent in zip(clocks, held, strict=False)
        ]
        held[0], held[1] = writes
        deliveries = [(0, 1), (1, 0), (2, 0), (2, 1)] * rng.randint(1, 2)
        rng.shuffle(deliveries)
        for replica, write in deliveries:
            held[replica] = join(held[replica], writes[write])
        winner = max(writes, key=lambda version: version.timestamp)
        failure = f"seed {seed}, round {round_number}: {writes} became {held}"
        assert all(version is not None and version.timestamp == winner.timestamp for version in held), failure
        assert held[0] == held[1] == held[2], failure
