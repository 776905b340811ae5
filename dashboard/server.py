"""The dashboard's server: the page, its one stream, and the way from its controls to the cluster.

What: an aiohttp application. ``/`` is the page, ``/stream`` what happens (``dashboard.channel``), ``/samples`` the past
minutes for the charts, ``/inspect`` one item in every region, ``/control`` the faults, ``/targets`` tells Prometheus
where the regions are. It keeps nothing on disk.

Invariants: nothing is worked out for pages that nobody looks at, beyond listening to the regions; what changes
something is a POST with a JSON body from the page itself: requests of other origins, and those that came under another
name than this machine's (DNS rebinding), are refused. Everything that the page loads comes from here.

Hazard: whoever reaches the port can break the cluster; it listens on this machine alone unless told otherwise.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from typing import Any, Final
from urllib.parse import quote, urlsplit

import aiohttp
import orjson
from aiohttp import web

from clock import PhysicalClock
from dashboard.channel import Channel
from dashboard.controls import Controls, RefusedError
from dashboard.feed import Feed, Seen
from dashboard.fleet import Fleet
from dashboard.recording import Recording
from region.randomness import Rng

TICK_S: Final = 0.5
SHUTDOWN_S: Final = 0.2
LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Dashboard:
    """The dashboard of one fleet. ``admins`` are the regions' admin URLs, in the order in which they are shown.

    Over TLS, regions are believed by ``trusted``; the page is served with ``shown``, or without TLS.
    """

    def __init__(
        self,
        admins: Mapping[str, str],
        clock: PhysicalClock,
        rng: Rng,
        controls: Controls | None = None,
        *,
        trusted: ssl.SSLContext | None = None,
        shown: ssl.SSLContext | None = None,
    ) -> None:
        self._trusted = trusted
        self._shown = shown
        self._admins = dict(admins)
        self._clock = clock
        self._controls = controls
        self._fleet = Fleet(tuple(admins))
        self._channel = Channel(rng.token(4))
        self._recording = Recording(tuple(admins))
        self._session: aiohttp.ClientSession | None = None
        self._feeds: dict[str, Feed] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._streams: set[asyncio.Task[Any]] = set()
        self._runner: web.AppRunner | None = None
        self._host = ""

    async def start(self, host: str, port: int) -> str:
        """Serve; return the URL. Port 0 takes any free one.

        Raises:
            OSError: the port is taken, or the address is not this machine's.
        """
        self._host = host
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._trusted or True))
        seen = Seen()
        for region, admin in self._admins.items():
            self._feeds[region] = Feed(
                region, admin, self._session, heard=self._heard, conflicted=self._conflicted, seen=seen
            )
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=self._shown).start()
        except OSError:
            await self.stop()
            raise
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(feed.run()) for feed in self._feeds.values()]
        self._tasks.append(loop.create_task(self._tick()))
        at, number = self._runner.addresses[0][:2]
        scheme = "http" if self._shown is None else "https"
        return f"{scheme}://[{at}]:{number}/" if ":" in at else f"{scheme}://{at}:{number}/"

    async def stop(self) -> None:
        """End at once, whoever is looking."""
        for task in (*self._tasks, *self._streams):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    def _application(self) -> web.Application:
        made = web.Application(middlewares=[self._guard])
        made.add_routes(
            [
                web.get("/", self._page),
                web.get("/static/{path:[\\w./-]+}", self._static),
                web.get("/stream", self._stream),
                web.get("/samples", self._samples),
                web.get("/inspect", self._inspect),
                web.get("/targets", self._targets),
                web.get("/control", self._control),
                web.post("/control/faults", self._apply),
                web.post("/control/heal", self._heal),
                web.post("/recording", self._record),
                web.get("/recording", self._recorded),
            ]
        )
        return made

    # What is heard and told.

    def _heard(self, region: str, report: dict[str, Any] | None) -> None:
        self._fleet.heard(region, report, self._clock.now_ms())

    def _conflicted(self, entry: dict[str, Any]) -> None:
        self._fleet.conflicted(entry, self._clock.now_ms())

    async def _tick(self) -> None:
        while True:
            try:
                if self._controls is not None:
                    await self._look_at_faults(self._controls)
                if self._fleet.ready:
                    self._channel.become(self._fleet.view(self._clock.now_ms()))
            except Exception as error:
                # Whatever it was, the page shows what it showed, and what comes next.
                told = {"message": "A turn of the dashboard has failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)
            await asyncio.sleep(TICK_S)

    async def _look_at_faults(self, controls: Controls) -> None:
        """Learn which faults are in force, also those that somebody applied elsewhere."""
        try:
            listed = {fault["id"]: fault for fault in await controls.faults()}
        except (RefusedError, aiohttp.ClientError, TimeoutError):
            return
        now_ms = self._clock.now_ms()
        for id_, fault in listed.items():
            if id_ not in self._fleet.faults:
                self._fleet.mark(now_ms, "fault", target(fault["fault"]), fault["text"])
                self._recording.applied(id_, fault["fault"], now_ms)
        for id_, fault in self._fleet.faults.items():
            if id_ not in listed:
                self._fleet.mark(now_ms, "heal", target(fault["fault"]), f"ended: {fault['text']}")
                self._recording.ended(id_, now_ms)
        self._fleet.faults = listed

    # What the page loads.

    async def _page(self, request: web.Request) -> web.Response:
        return _file("index.html")

    async def _static(self, request: web.Request) -> web.Response:
        return _file(request.match_info["path"])

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        try:
            async for text in self._channel.follow(request.headers.get("Last-Event-ID")):
                await response.write(text)
        except (ConnectionError, asyncio.CancelledError):
            return response
        finally:
            self._streams.discard(task)
        return response

    async def _samples(self, request: web.Request) -> web.Response:
        return _json(self._fleet.samples())

    async def _inspect(self, request: web.Request) -> web.Response:
        """``GET /inspect?table=&key=``: what every region holds of an item; ``null`` for one that does not answer."""
        table, key = request.query.get("table", ""), request.query.get("key", "")
        if not table or not key:
            return _json({"error": "Name a table and a key."}, status=400)
        path = f"/inspect/{quote(table, safe='')}?key={quote(key, safe='')}"
        answers = await asyncio.gather(*(feed.inspect(path) for feed in self._feeds.values()))
        return _json(dict(zip(self._feeds, answers, strict=True)))

    async def _targets(self, request: web.Request) -> web.Response:
        """``GET /targets``: what Prometheus scrapes, as its HTTP service discovery wants it; ``region`` is a label."""
        groups = []
        for region, admin in self._admins.items():
            place = urlsplit(admin)
            groups.append({"targets": [place.netloc], "labels": {"region": region, "__scheme__": place.scheme}})
        return _json(groups)

    # What the page does.

    async def _control(self, request: web.Request) -> web.Response:
        kinds = [] if self._controls is None else await self._controls.kinds()
        return _json({"kinds": kinds, "regions": list(self._admins)})

    async def _apply(self, request: web.Request) -> web.Response:
        if self._controls is None:
            raise RefusedError("This dashboard only watches: the cluster was not started with faults.")
        return _json(await self._controls.apply(await _body(request)))

    async def _heal(self, request: web.Request) -> web.Response:
        if self._controls is None:
            raise RefusedError("This dashboard only watches: the cluster was not started with faults.")
        await self._controls.heal((await _body(request)).get("id"))
        return _json({})

    async def _record(self, request: web.Request) -> web.Response:
        """``POST /recording {"on": true}``: begin to note what is done to the cluster, or end it."""
        if (await _body(request)).get("on"):
            self._recording.begin(self._clock.now_ms())
        else:
            self._recording.end(self._clock.now_ms())
        return _json({"on": self._recording.on})

    async def _recorded(self, request: web.Request) -> web.Response:
        """``GET /recording``: what was noted, as an experiment file."""
        headers = {**_HEADERS, "Content-Disposition": 'attachment; filename="recorded.toml"'}
        text = self._recording.toml(self._clock.now_ms())
        return web.Response(text=text, headers=headers, content_type="application/toml")

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what did not come from the page itself; turn refusals into answers."""
        host = urlsplit(f"//{request.headers.get('Host', '')}").hostname
        if self._host in LOCAL and host not in LOCAL:
            return _json({"error": "This page is served on this machine alone."}, status=403)
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
            return _json({"error": "Only the dashboard's own page may do that."}, status=403)
        if request.method == "POST" and request.content_type != "application/json":
            return _json({"error": "The content type must be application/json."}, status=415)
        try:
            return await handler(request)
        except RefusedError as refusal:
            return _json({"error": str(refusal)}, status=400)


def target(fault: Mapping[str, Any]) -> str:
    """Return whom a fault strikes, as its table says: a link or a region."""
    return str(fault.get("link") or fault.get("region") or "*")


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.read() or b"{}")
    except orjson.JSONDecodeError as error:
        raise RefusedError(f"The body is not valid JSON: {error}.") from error
    if not isinstance(body, dict):
        raise RefusedError("The body is no JSON object.")
    return body


def _file(path: str) -> web.Response:
    """Return one of the page's files; nothing outside their folder can be named."""
    parts = path.split("/")
    kind = _TYPES.get("." + parts[-1].rpartition(".")[2])
    place = resources.files("dashboard").joinpath("static", *parts)
    if kind is None or ".." in parts or not place.is_file():
        raise web.HTTPNotFound
    return web.Response(body=place.read_bytes(), headers=_HEADERS, content_type=kind, charset="utf-8")


def _json(value: Any, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, headers=_HEADERS, content_type="application/json")
