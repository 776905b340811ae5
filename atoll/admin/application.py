"""The admin application: its rooms put together, and the port that they are served on."""

from __future__ import annotations

import socket
import ssl

from aiohttp import web

from atoll.admin import game_days, lambda_
from atoll.admin.answers import errors
from atoll.admin.archive import Archive
from atoll.admin.changes import Changes
from atoll.admin.chaos import Chaos
from atoll.admin.comparing import Comparing
from atoll.admin.contents import Contents
from atoll.admin.feed import Feed
from atoll.admin.following import Following
from atoll.admin.hot import Hot
from atoll.admin.inspector import Inspector
from atoll.admin.kinesis import Kinesis
from atoll.admin.overview import Overview
from atoll.admin.parts import Parts
from atoll.admin.safety import Safety
from atoll.admin.steering import Steering
from atoll.admin.triggering import Triggering


def application(parts: Parts) -> web.Application:
    """Return the application of one region: every room's paths."""
    made = web.Application(middlewares=[errors])
    following = Following(parts)
    for room in (
        Overview(parts),
        Steering(parts),
        Contents(parts),
        Feed(parts),
        Inspector(parts),
        Archive(parts),
        Hot(parts),
        Kinesis(parts),
        Safety(parts),
        Changes(parts),
        Comparing(parts),
        Triggering(parts),
        following,
    ):
        made.add_routes(room.routes())
    made.add_routes(Chaos(parts).routes())
    made.add_subapp(lambda_.PATH, lambda_.functions(parts))
    made.add_subapp(game_days.PATH, game_days.game_days(parts))
    made.on_shutdown.append(following.stop)
    return made


class Serving:
    """The admin application on its port. The port is bound, and known, from the construction on.

    Raises:
        OSError: the port is taken, or the address is not this machine's.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=128)
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self.port: int = self._socket.getsockname()[1]

    async def start(self, parts: Parts) -> None:
        """Answer requests."""
        self._runner = web.AppRunner(application(parts), access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket, ssl_context=self._tls).start()

    async def stop(self) -> None:
        """Stop listening and end what is under way."""
        if self._runner is not None:
            await self._runner.cleanup()
        self._socket.close()
