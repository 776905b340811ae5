"""One test's view of a cluster: clients whose writes are noted, faults that end with a block, and claims to assert.

What: a :class:`Trial` wraps a :class:`~atoll.cluster.Cluster` for the length of one test. Its boto3 clients note every
write that was acknowledged. :meth:`Trial.assert_converges` says that the replicas hold the same,
:meth:`Trial.assert_no_lost_writes` that every noted write is part of what they hold, or was written over by somebody
who knew of it.

Invariants: a fault ends with its ``with`` block, and at the latest with the test; what a test did to the cluster does
not outlive it. A write that failed, or whose outcome is not known, is never missed.

Hazards: a write that changed nothing (the same item again, the deletion of nothing) leaves no trace and is not looked
for. What a write to the low-level API of another client library did is not noted.

Source: the project's design, section 6, invariants 1 and 3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from atoll.cluster import Cluster
from atoll.failure import RemedyError
from atoll.findings import ConflictEntry
from atoll.report import Digest

HISTORY_MAX: Final = 1000
"""How many changes of one item are looked through for the writes to it."""
_WRITES: Final = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")
_ACTIONS: Final = ("Put", "Update", "Delete")
_serialize: Final = TypeSerializer().serialize
_deserialize: Final = TypeDeserializer().deserialize

Item = Mapping[str, Any]


class ClientWrite(NamedTuple):
    """A write that a client of a trial was told is done: where, to which item, and by which request."""

    region: str
    table: str
    item: Item
    """The item, or the key of the item, in DynamoDB's JSON."""
    whole: bool
    """Whether ``item`` is all that was written, as with PutItem."""
    request_id: str

    def __str__(self) -> str:
        shown = {name: _deserialize(value) for name, value in self.item.items()}
        return f"{self.table} {shown} in {self.region} (request {self.request_id})"


class Trial:
    """A cluster for the length of one test."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.writes: list[ClientWrite] = []
        self._keys: dict[str, tuple[str, ...]] = {}
        self._conflicts = {region: self._last_conflict(region) for region in cluster.regions}
        self.tables: list[str] = []
        """The tables that the test has made."""

    @property
    def regions(self) -> tuple[str, ...]:
        """The cluster's regions."""
        return self.cluster.regions

    # Tables and clients.

    def table(self, name: str, **options: Any) -> str:
        """Create a global table in all regions, for this test; ``options`` are those of ``create_global_table``."""
        self.cluster.create_global_table(name, **options)
        self.tables.append(name)
        return name

    def client(self, region: str, **options: Any) -> Any:
        """Return a boto3 DynamoDB client of a region; the writes that it is told are done are noted."""
        made = self.cluster.client(region, **options)

        def note(http_response: Any, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
            if http_response.status_code == 200 and model.name in _WRITES:
                self._note(region, model.name, context["atoll_request"], parsed)

        def keep(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
            context["atoll_request"] = params

        made.meta.events.register("provide-client-params.dynamodb", lambda params, context, **_: keep(params, context))
        made.meta.events.register("after-call.dynamodb", note)
        return made

    def resource(self, region: str, **options: Any) -> Any:
        """Return a boto3 DynamoDB resource of a region, over :meth:`client`."""
        import boto3  # noqa: PLC0415  Loaded where it is needed: collecting tests must stay quick.

        settings = {
            "region_name": region,
            "endpoint_url": self.cluster.endpoint(region),
            "verify": self.cluster.authority,
        }
        keys = {"aws_access_key_id": "atoll", "aws_secret_access_key": "atoll"}
        made = boto3.resource("dynamodb", **{**settings, **keys, **options})
        made.meta.client = self.client(region, **options)
        return made

    def _note(self, region: str, operation: str, request: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        request_id = answer["ResponseMetadata"]["RequestId"]
        left_out = {
            (table, json.dumps(entry, sort_keys=True, default=str))
            for table, entries in answer.get("UnprocessedItems", {}).items()
            for entry in entries
        }
        for table, item, whole in _written(operation, request):
            entry = {"PutRequest": {"Item": item}} if whole else {"DeleteRequest": {"Key": item}}
            if (table, json.dumps(entry, sort_keys=True, default=str)) not in left_out:
                self.writes.append(ClientWrite(region, table, item, whole, request_id))

    # Faults, each for the length of a block.

    @contextmanager
    def partition(self, *regions: str) -> Iterator[None]:
        """Cut the given regions off from all others, without a word, in both directions."""
        sides = set(regions)
        others = [region for region in self.regions if region not in sides]
        links = [f"{a}->{b}" for one in sides for other in others for a, b in ((one, other), (other, one))]
        with self._standing([{"kind": "cut", "mode": "blackhole", "link": link} for link in sorted(links)]):
            yield

    @contextmanager
    def delay(self, ms: int, link: str = "*->*", *, jitter_ms: int = 0) -> Iterator[None]:
        """Delay what links carry, by ``ms`` each way."""
        with self._standing([{"kind": "delay", "ms": ms, "jitter_ms": jitter_ms, "link": link}]):
            yield

    @contextmanager
    def skew(self, region: str, ms: int) -> Iterator[None]:
        """Set a region's clock wrong by ``ms``."""
        with self._standing([{"kind": "clock-offset", "ms": ms, "region": region}]):
            yield

    @contextmanager
    def kill(self, region: str) -> Iterator[None]:
        """End a region's process as ``kill -9`` does; it starts again when the block ends."""
        with self._standing([{"kind": "crash", "region": region}]):
            yield

    @contextmanager
    def fault(self, **table: Any) -> Iterator[None]:
        """Apply any fault: ``fault(kind="bandwidth", link="*->*", kb_s=20)``."""
        with self._standing([table]):
            yield

    @contextmanager
    def _standing(self, tables: list[dict[str, Any]]) -> Iterator[None]:
        numbers: list[int] = []
        try:
            numbers += [self.cluster.apply(table).number for table in tables]
            yield
        finally:
            for number in reversed(numbers):
                self.cluster.laboratory.standing.end(number)

    def heal(self) -> None:
        """End every fault and pause, and start every region that is down."""
        self.cluster.heal()

    # Claims.

    def assert_converges(self, *tables: str, timeout: float = 30.0) -> dict[str, Digest]:
        """Assert that the replicas of these tables, by default of the test's own, come to hold the same.

        Raises:
            AssertionError: they do not within ``timeout`` seconds.
        """
        try:
            return {table: self.cluster.wait_converged(table, timeout) for table in tables or self._noted_tables()}
        except RemedyError as error:
            raise AssertionError(str(error)) from error

    def lost_writes(self, *tables: str) -> list[tuple[ClientWrite, str]]:
        """Return the acknowledged writes that are part of no region's data, each with what became of it.

        Wait for convergence before: what is on its way is not lost.
        """
        wanted = set(tables or self._noted_tables())
        losers = self._losers(wanted)
        superseded = [(write, losers[write.request_id]) for write in self.writes if write.request_id in losers]
        others = [write for write in self.writes if write.table in wanted and write.request_id not in losers]
        return superseded + [(write, "it is in no region's log") for write in others if not self._found(write)]

    def assert_no_lost_writes(self, *tables: str, timeout: float = 30.0) -> None:
        """Assert that the replicas converge, and that every acknowledged write is part of what they hold.

        A write that a later one knew of and replaced is part of it; one that lost to a concurrent write is not.

        Raises:
            AssertionError: some were lost; the message names each.
        """
        self.assert_converges(*tables, timeout=timeout)
        lost = self.lost_writes(*tables)
        if lost:
            told = "\n".join(f"  {write}: {why}" for write, why in lost)
            raise AssertionError(f"{len(lost)} of {len(self.writes)} acknowledged writes are lost:\n{told}")

    def _noted_tables(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.tables, *(write.table for write in self.writes)]))

    def _losers(self, tables: set[str]) -> dict[str, str]:
        """Return what became of the writes that lost to concurrent ones since the trial began, by their requests."""
        losers: dict[str, str] = {}
        for region in self.regions:
            for entry in self._entries(region, self._conflicts[region]):
                if entry.table in tables and entry.loser.request_id is not None:
                    why = f"lost to a concurrent write in {entry.winner.origin} by {entry.margin_ms} ms"
                    losers[entry.loser.request_id] = why
        return losers

    def _found(self, write: ClientWrite) -> bool:
        """Whether a region's log has a write, or could not have it because it changed nothing."""
        key = {name: write.item[name] for name in self._key_names(write)}
        image = json.loads(json.dumps(write.item, default=_jsonable))
        for region in self.regions:
            seen = self.cluster.admin(region).inspect(
                write.table, json.dumps(key, default=_jsonable), limit=str(HISTORY_MAX)
            )
            if any(change.request_id == write.request_id for change in seen.history):
                return True
            if region == write.region and (not write.whole or any(it.image == image for it in seen.history)):
                return True
        return False

    def _key_names(self, write: ClientWrite) -> tuple[str, ...]:
        if write.table not in self._keys:
            described = self.cluster.call(write.region, "DescribeTable", {"TableName": write.table})
            self._keys[write.table] = tuple(part["AttributeName"] for part in described["Table"]["KeySchema"])
        return self._keys[write.table]

    def _entries(self, region: str, after: int) -> Iterator[ConflictEntry]:
        while entries := (page := self.cluster.admin(region).conflict_page(after)).conflicts:
            yield from entries
            after = page.next

    def _last_conflict(self, region: str) -> int:
        return self.cluster.admin(region).conflict_page(limit=1).recorded


def _written(operation: str, request: Mapping[str, Any]) -> Iterator[tuple[str, Item, bool]]:
    """Return what a request writes: table, item or key, and whether that is the whole item."""
    if operation == "BatchWriteItem":
        for table, entries in request["RequestItems"].items():
            for entry in entries:
                if "PutRequest" in entry:
                    yield _name(table), _plain(entry["PutRequest"]["Item"]), True
                else:
                    yield _name(table), _plain(entry["DeleteRequest"]["Key"]), False
    elif operation == "TransactWriteItems":
        for entry in request["TransactItems"]:
            for kind in _ACTIONS:
                if kind in entry:
                    action = entry[kind]
                    yield _name(action["TableName"]), _plain(action.get("Item") or action["Key"]), kind == "Put"
    else:
        yield _name(request["TableName"]), _plain(request.get("Item") or request["Key"]), operation == "PutItem"


def _name(table: str) -> str:
    """Return a table's name, of its ARN where that stands in its place."""
    return re.sub(r".*:table/", "", table)


def _plain(item: Item) -> Item:
    """Return an item in DynamoDB's JSON, also where boto3's resource layer has given Python values."""
    marked = all(isinstance(value, Mapping) and len(value) == 1 for value in item.values())
    return item if marked else {name: _serialize(value) for name, value in item.items()}


def _jsonable(value: Any) -> Any:
    """Return what JSON has no form for as DynamoDB's JSON has it: bytes as base64."""
    if isinstance(value, bytes | bytearray):
        import base64  # noqa: PLC0415  Rarely needed.

        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no form in DynamoDB's JSON")
