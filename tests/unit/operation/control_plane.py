"""Regions for tests of the control plane: real stores in memory, a clock set by hand, registers shipped on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from clock import HybridLogicalClock, ManualClock
from region.errors import DynamoError
from region.model import image, settings
from region.model.change import TABLE
from region.model.table import Table
from region.operation import account
from region.operation.archive.progress import advance
from region.operation.context import Catalogue, Context, RegionSettings
from region.operation.replica import legacy_global, replicas
from region.operation.table import table_update, tables, tags
from region.randomness import SeededRng
from region.store.sqlite import open_store

START_MS = 1_795_415_400_123
US, EU, AP = "us-east-1", "eu-west-1", "ap-northeast-1"
OPERATIONS: dict[str, Callable[[Context, dict[str, Any]], dict[str, Any]]] = {
    "CreateTable": tables.create_table,
    "DescribeTable": tables.describe_table,
    "ListTables": tables.list_tables,
    "DeleteTable": tables.delete_table,
    "UpdateTable": table_update.update_table,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "ListTagsOfResource": tags.list_tags_of_resource,
    "DescribeEndpoints": account.describe_endpoints,
    "DescribeLimits": account.describe_limits,
    "CreateGlobalTable": legacy_global.create_global_table,
    "UpdateGlobalTable": legacy_global.update_global_table,
    "DescribeGlobalTable": legacy_global.describe_global_table,
    "DescribeGlobalTableSettings": legacy_global.describe_global_table_settings,
    "UpdateGlobalTableSettings": legacy_global.update_global_table_settings,
    "ListGlobalTables": legacy_global.list_global_tables,
}


class Replica:
    """One region: store, clock and catalogue, without an engine."""

    def __init__(self, fleet: TestFleet, name: str, transition_ms: int) -> None:
        self.name = name
        self.fleet = fleet
        self.store = open_store(None, region=name, durability="memory", rng=SeededRng(7))
        self.clock = HybridLogicalClock(name, fleet.time)
        self.settings = RegionSettings(region=name, transition_ms=transition_ms)
        self.rng = SeededRng(sum(map(ord, name)))
        self.catalogue = Catalogue(self.store.tables())
        self.events: list[Any] = []
        self.shipped: dict[str, int] = {}

    def work(self, function: Callable[[Context], Any]) -> Any:
        """Run a function in a transaction of its own, as the engine does: an error leaves no trace, and had none."""
        transaction = self.store.begin()
        context = Context(
            settings=self.settings,
            clock=self.clock,
            now_ms=self.fleet.time.now_ms,
            fleet=self.fleet,
            rng=self.rng,
            catalogue=self.catalogue.draft(),
            reader=transaction,
            transaction=transaction,
        )
        try:
            result = function(context)
        except DynamoError:
            self.store.rollback()
            assert context.written == 0, "an operation must raise its errors before its first write"
            raise
        self.store.commit()
        self.events += context.catalogue.changes
        context.catalogue.changes = []
        self.catalogue = context.catalogue
        return result

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """Run an operation of the API."""
        response: dict[str, Any] = self.work(lambda context: OPERATIONS[operation](context, request))
        return response

    def describe(self, name: str = "table") -> dict[str, Any]:
        """Return a table's description."""
        description: dict[str, Any] = self.call("DescribeTable", TableName=name)["Table"]
        return description

    def table(self, name: str = "table") -> Table:
        """Return a table in any state."""
        return self.catalogue.by_name[name]

    def progress(self) -> float | None:
        """Do all background work that is due; return in how many ms there is more."""
        while (wait_ms := self.work(advance)) == 0:
            pass
        return wait_ms

    def put(self, item: dict[str, Any], table: str = "table") -> None:
        """Write an item past the data operations."""

        def write(context: Context) -> None:
            target = context.catalogue.by_name[table]
            key = target.check_item_keys(item)
            incumbent = context.reader.get(target, key)
            old = image.decode(incumbent.image) if incumbent and incumbent.image else None
            context.write(target, key, image.encode(item), 10, incumbent, item=item, old_item=old)

        self.work(write)

    def entries(self, index: str, table: str = "table") -> list[dict[str, Any]]:
        """Return the items of an index in its order."""
        target = self.catalogue.by_name[table]
        return [image.decode(it.image) for it in self.store.scan(target, target.indexes[index], b"", None)]

    def announcements(self, after: int = 0) -> list[Any]:
        """Return this region's own announcements of tables, with what it has adopted left out."""
        records = self.store.read_log(after, limit=10_000, bytes_max=1 << 30, origin=self.name)
        return [record for record in records if record.kind == TABLE]


class TestFleet:
    """Some regions and the registers that travel between them when a test says so."""

    __test__ = False

    def __init__(self, *names: str, transition_ms: int = 0) -> None:
        self.time = ManualClock(START_MS)
        self.away: dict[str, int] = {}
        self.replicas = {name: Replica(self, name, transition_ms) for name in names or (US, EU, AP)}

    def __getitem__(self, name: str) -> Replica:
        return self.replicas[name]

    def regions(self) -> tuple[str, ...]:
        """Return all regions in order."""
        return tuple(sorted(self.replicas))

    def holds_table(self, region: str, name: str) -> bool:
        """Whether a region has a table of that name."""
        return name in self.replicas[region].catalogue.by_name

    def inaccessible_ms(self, region: str) -> int | None:
        """Return since when a region cannot be reached."""
        return self.away.get(region)

    def ship(self, *, finish: bool = True, sources: Iterable[str] | None = None) -> None:
        """Bring every announcement to every other region until all is quiet; ``finish`` ends bootstraps at once."""
        busy = True
        while busy:
            busy = False
            for name in sources or self.regions():
                for record in self.replicas[name].announcements(self.replicas[name].shipped.get("log", 0)):
                    self.replicas[name].shipped["log"] = record.sequence
                    busy = True
                    for sink in self.replicas.values():
                        if sink.name != name:
                            deliver(self.replicas[name], sink, record)
            if finish:
                busy |= self.finish_bootstraps()

    def finish_bootstraps(self) -> bool:
        """End the bootstrap of every replica that is being made; return whether there was one."""
        done = False
        for replica in self.replicas.values():
            for table in list(replica.catalogue.by_name.values()):
                if table.replicated and table.local.status == "CREATING" and not table.local.status_until_ms:
                    replica.work(lambda context, uid=table.uid: replicas.replica_ready(context, uid))
                    done = True
        return done

    def tick(self, ms: int) -> None:
        """Let time pass and do what became due."""
        self.time.advance(ms)
        for replica in self.replicas.values():
            replica.progress()


def deliver(source: Replica, sink: Replica, record: Any) -> None:
    """Apply one announcement in another region, as replication does."""
    name = source.catalogue.by_uid[record.table_uid].name
    registers = settings.decode(record.image)
    sink.clock.observe(record.version.hlc, force=True)
    sink.work(lambda context: replicas.adopt(context, record.table_uid, name, registers))


def attributes(*names: str) -> list[dict[str, str]]:
    """Return attribute definitions; ``name:N`` gives another type than S."""
    pairs = [name.partition(":") for name in names]
    return [{"AttributeName": name, "AttributeType": kind or "S"} for name, _, kind in pairs]


def keys(*names: str) -> list[dict[str, str]]:
    """Return a key schema: a hash key and at most one range key."""
    return schema(*zip(names, ("HASH", "RANGE"), strict=False))


def schema(*elements: tuple[str, str]) -> list[dict[str, str]]:
    """Return a key schema from names and kinds."""
    return [{"AttributeName": name, "KeyType": kind} for name, kind in elements]


def index(name: str, *names: str, kind: str = "ALL", **more: Any) -> dict[str, Any]:
    """Return the definition of an index."""
    return {"IndexName": name, "KeySchema": keys(*names), "Projection": {"ProjectionType": kind}, **more}


def simple_table(name: str = "table", **more: Any) -> dict[str, Any]:
    """Return an on-demand CreateTable request with one hash key; ``None`` leaves a parameter out."""
    request = {
        "TableName": name,
        "AttributeDefinitions": attributes("a"),
        "KeySchema": keys("a"),
        "BillingMode": "PAY_PER_REQUEST",
        **more,
    }
    return {key: value for key, value in request.items() if value is not None}


def units(read: int, write: int) -> dict[str, int]:
    """Return provisioned throughput."""
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


PROVISIONED = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units(5, 6)}


def included(name: str, count: int) -> dict[str, Any]:
    """Return the definition of a global index that includes some attributes."""
    return {
        "IndexName": name,
        "KeySchema": keys("a"),
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": [f"z{i}" for i in range(count)]},
    }


def wide(hashes: int, ranges: int) -> dict[str, Any]:
    """Return what a CreateTable request needs for an index with many key attributes."""
    names = [f"k{i}" for i in range(hashes + ranges)]
    elements = schema(*[(name, "HASH" if i < hashes else "RANGE") for i, name in enumerate(names)])
    return {
        "AttributeDefinitions": attributes("a", *names),
        "GlobalSecondaryIndexes": [
            {"IndexName": "wide", "KeySchema": elements, "Projection": {"ProjectionType": "ALL"}}
        ],
    }
