"""The room of triggers: what there are, how they do, what they had, and adding, pausing and removing them."""

from __future__ import annotations

from aiohttp import web

from atoll.admin.answers import BadRequestError, NotFoundError, answer, body, number
from atoll.admin.feed import moment_of
from atoll.admin.parts import Parts
from atoll.failure import UsageError
from atoll.triggers.deliveries import deliveries
from atoll.triggers.registry import UnknownTriggerError
from atoll.triggers.report import TriggerChange
from atoll.triggers.settings import TriggerSettings

MALFORMED = "The body must be JSON with the settings of a trigger; see docs/reference/triggers.md."
CHANGE_MALFORMED = "The body must be JSON with paused, true or false."


class Triggering:
    """``/triggers`` and ``/triggers/NAME``."""

    def __init__(self, parts: Parts) -> None:
        self._triggers = parts.triggers
        self._engine = parts.engine

    def routes(self) -> list[web.RouteDef]:
        """Return the room's paths."""
        return [
            web.get("/triggers", self.all),
            web.post("/triggers", self.add),
            web.get("/triggers/deliveries", self.deliveries),
            web.post("/triggers/{name}", self.change),
            web.delete("/triggers/{name}", self.remove),
        ]

    async def all(self, request: web.Request) -> web.Response:
        """``GET /triggers``: every trigger, and how it does."""
        return answer([trigger.report() for trigger in self._triggers.all()])

    async def deliveries(self, request: web.Request) -> web.Response:
        """``GET /triggers/deliveries?after=&table=&since=``: which writes triggers had, of a stretch of the log."""
        since_ms = moment_of(request, "since", self._engine.source) or 0
        return answer(
            deliveries(
                self._engine,
                self._triggers.all(),
                after=number(request, "after", 0),
                since_ms=since_ms,
                table=request.query.get("table"),
            )
        )

    async def add(self, request: web.Request) -> web.Response:
        """``POST /triggers``: add a trigger; answers it."""
        settings = await body(request, TriggerSettings, MALFORMED)
        try:
            return answer((await self._triggers.add(settings)).report())
        except UsageError as error:
            raise BadRequestError(str(error)) from error

    async def change(self, request: web.Request) -> web.Response:
        """``POST /triggers/NAME``: pause a trigger, or let it go on; answers it."""
        asked = await body(request, TriggerChange, CHANGE_MALFORMED)
        try:
            trigger = await self._triggers.pause(request.match_info["name"], paused=asked.paused)
        except UnknownTriggerError as error:
            raise NotFoundError(str(error)) from error
        return answer(trigger.report())

    async def remove(self, request: web.Request) -> web.Response:
        """``DELETE /triggers/NAME``: remove a trigger; answers what it was."""
        try:
            return answer((await self._triggers.remove(request.match_info["name"])).report())
        except UnknownTriggerError as error:
            raise NotFoundError(str(error)) from error
        except UsageError as error:
            raise BadRequestError(str(error)) from error
