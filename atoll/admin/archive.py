"""The room of the archive: which backups, restores, exports and imports are under way, and how far each has come."""

from __future__ import annotations

from aiohttp import web

from atoll.admin.answers import answer
from atoll.admin.parts import Parts
from atoll.report import ArchiveJob
from region.archive.desk import Progress
from region.model.job import Job


class Archive:
    """``/archive``."""

    def __init__(self, parts: Parts) -> None:
        self._engine = parts.engine
        self._archivist = parts.archivist

    def routes(self) -> list[web.RouteDef]:
        """Return the room's paths."""
        return [web.get("/archive", self.jobs)]

    async def jobs(self, request: web.Request) -> web.Response:
        """``GET /archive``: the jobs under way, and those that ended and are remembered."""
        return answer([self._report(job) for job in self._engine.store.archive.jobs()])

    def _report(self, job: Job) -> ArchiveJob:
        progress = self._archivist.desk.progress.get(job.arn) or Progress(job.done, None)
        return ArchiveJob(
            arn=job.arn,
            kind=job.kind,
            table=job.table_name,
            status=job.status,
            started_ms=job.started_ms,
            ended_ms=job.ended_ms,
            done=progress.done,
            total=progress.total,
            reason=job.reason,
        )
