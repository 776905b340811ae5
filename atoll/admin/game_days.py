"""The room of AWS FIS: ``/fis``, where boto3's ``fis`` client pauses the replication of this region's global tables.

What: the experiments of ``chaos.fis`` over this region's replication. The client's ``endpoint_url`` is this path or the
gateway, which knows such a request by the service that it is signed for.
"""

from __future__ import annotations

from aiohttp import web

from atoll.admin.parts import Parts
from chaos.fis import Experiments, application
from region.operation.context import arn

PATH = "/fis"


class _Replicas:
    """This region, as experiments need it."""

    def __init__(self, parts: Parts) -> None:
        self.name = parts.config.region
        self.account = parts.config.account
        self._parts = parts

    def global_tables(self) -> dict[str, dict[str, str]]:
        """Return the tags of every global table held here, by the table's ARN."""
        engine = self._parts.engine
        return {
            arn(engine.settings, table.name): dict(table.local.tags)
            for table in engine.catalogue.by_name.values()
            if len(table.members()) > 1
        }

    def pause(self, table_arn: str, seconds: float) -> None:
        """Pause replication of a table's replica to and from all others for a time."""
        self._parts.replication.pause("both", None, seconds, _name(table_arn))

    def resume(self, table_arn: str) -> None:
        """End what :meth:`pause` began; nothing where the table is gone meanwhile."""
        if _name(table_arn) in self._parts.engine.catalogue.by_name:
            self._parts.replication.resume("both", None, _name(table_arn))


def _name(table_arn: str) -> str:
    return table_arn.rpartition("/")[2]


def game_days(parts: Parts) -> web.Application:
    """Return the application of the room, which ends its experiments when it is stopped."""
    experiments = Experiments(_Replicas(parts), parts.engine.source, parts.engine.rng)
    made = application(experiments)

    async def close(_: web.Application) -> None:
        await experiments.close()

    made.on_shutdown.append(close)
    return made
