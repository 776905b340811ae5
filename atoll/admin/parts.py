"""The parts of a running region that its admin address speaks of, as every room gets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from atoll.admin.answers import NotFoundError
from atoll.config import Config
from atoll.observability import Metrics
from atoll.report import Addresses, KinesisReport
from atoll.triggers.registry import Triggers
from region.archive.archivist import Archivist
from region.engine import Engine
from region.model.table import Table
from region.wire.statistics import EndpointStatistics
from replication import Replication

if TYPE_CHECKING:
    from atoll.kinesis.delivery import Delivery


class Parts(NamedTuple):
    """The parts of a running region, and what rooms ask of them alike."""

    config: Config
    addresses: Addresses
    engine: Engine
    replication: Replication
    metrics: Metrics
    archivist: Archivist
    delivery: Delivery | None
    """What delivers to Kinesis, where that is configured."""
    statistics: EndpointStatistics
    triggers: Triggers
    state: Callable[[], str]

    def peers(self) -> list[str]:
        """Return the names of the other regions of the fleet."""
        return [region for region in self.engine.fleet.regions() if region != self.config.region]

    def streams(self) -> list[KinesisReport]:
        """Return how far the delivery to each Kinesis stream is."""
        return [] if self.delivery is None else self.delivery.reports()

    def table(self, name: str) -> Table:
        """Return a table of this region.

        Raises:
            NotFoundError: there is none of that name.
        """
        table = self.engine.catalogue.by_name.get(name)
        if table is None:
            raise NotFoundError(f"There is no table {name} in {self.config.region}.")
        return table
