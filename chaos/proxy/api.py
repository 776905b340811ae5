"""The HTTP API of Toxiproxy 2.12, so that its clients drive this proxy unchanged.

What: the routes, the answers and the refusals, status by status and word by word where clients can see them: 201 for a
new proxy but 200 for a new toxic, refusals as JSON in ``text/plain``, ``Logger`` in every proxy, 403 for whoever calls
itself Mozilla. That last one keeps web pages from driving a proxy on the reader's machine.

Invariants: a refused request changes nothing, except that ``/populate`` keeps the proxies that it had made before the
one that failed, as the original does.

Source: Toxiproxy 2.12's README, "HTTP API", and the answers of a running server.
"""

from __future__ import annotations

import http
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from chaos.proxy import toxic
from chaos.proxy.proxy import DEFAULT_LISTEN, Proxies, Proxy
from chaos.proxy.toxic import DIRECTIONS, ApiError

VERSION: Final = "2.12.0"
"""The version of Toxiproxy whose API this is."""
MEMBERS: Final = {"name": str, "listen": str, "upstream": str, "enabled": bool}
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api:
    """The handlers; ``metrics`` says whether ``/metrics`` is there."""

    def __init__(self, proxies: Proxies, *, metrics: bool) -> None:
        self._proxies = proxies
        self._metrics = metrics

    def application(self) -> web.Application:
        """Return the application."""
        application = web.Application(middlewares=[_errors, _browsers])
        one, toxics, each = "/proxies/{proxy}", "/proxies/{proxy}/toxics", "/proxies/{proxy}/toxics/{toxic}"
        application.add_routes(
            [
                web.get("/version", self.version, allow_head=False),
                web.post("/reset", self.reset),
                web.post("/populate", self.populate),
                web.get("/proxies", self.proxies, allow_head=False),
                web.post("/proxies", self.create),
                web.get(one, self.show, allow_head=False),
                web.post(one, self.update),
                web.patch(one, self.update),
                web.delete(one, self.delete),
                web.get(toxics, self.toxics, allow_head=False),
                web.post(toxics, self.create_toxic),
                web.get(each, self.show_toxic, allow_head=False),
                web.post(each, self.update_toxic),
                web.patch(each, self.update_toxic),
                web.delete(each, self.delete_toxic),
            ]
        )
        if self._metrics:
            application.add_routes([web.get("/metrics", self.metrics, allow_head=False)])
        return application

    async def version(self, request: web.Request) -> web.Response:
        """``GET /version``."""
        return web.Response(
            body=f'{{"version": "{VERSION}"}}\n'.encode(), headers={"Content-Type": "application/json;charset=utf-8"}
        )

    async def reset(self, request: web.Request) -> web.Response:
        """``POST /reset``: enable every proxy, remove every toxic."""
        await self._proxies.reset()
        return web.Response(status=http.HTTPStatus.NO_CONTENT)

    async def populate(self, request: web.Request) -> web.Response:
        """``POST /populate``: add proxies; those that are there with other settings are replaced."""
        made: list[Proxy] = []
        answer: dict[str, Any] = {}
        status = http.HTTPStatus.CREATED
        try:
            await populate(self._proxies, await request.read(), made)
        except ApiError as error:
            answer, status = {"error": error.message, "status": error.status}, http.HTTPStatus(error.status)
        return _json({**answer, "proxies": [proxy.shown() for proxy in made] or None}, status)

    async def proxies(self, request: web.Request) -> web.Response:
        """``GET /proxies``: all proxies by name."""
        return _json({name: proxy.shown() for name, proxy in sorted(self._proxies.by_name.items())})

    async def create(self, request: web.Request) -> web.Response:
        """``POST /proxies``: add a proxy."""
        given = toxic.table(toxic.first_value(await request.read()), MEMBERS)
        for member in ("name", "upstream"):
            if not given.get(member):
                raise toxic.missing(member)
        proxy = await self._proxies.add(
            given["name"], given.get("listen", ""), given["upstream"], enabled=given.get("enabled", True)
        )
        return _json(proxy.shown(), http.HTTPStatus.CREATED)

    async def show(self, request: web.Request) -> web.Response:
        """``GET /proxies/{proxy}``."""
        return _json(self._proxies.get(request.match_info["proxy"]).shown())

    async def update(self, request: web.Request) -> web.Response:
        """``POST`` or ``PATCH /proxies/{proxy}``: change what the body names."""
        proxy = self._proxies.get(request.match_info["proxy"])
        given = toxic.table(toxic.first_value(await request.read()), MEMBERS)
        await proxy.change(
            given.get("listen", proxy.listen) or DEFAULT_LISTEN,
            given.get("upstream", proxy.upstream),
            enabled=given.get("enabled", proxy.enabled),
        )
        return _json(proxy.shown())

    async def delete(self, request: web.Request) -> web.Response:
        """``DELETE /proxies/{proxy}``."""
        self._proxies.remove(request.match_info["proxy"])
        return web.Response(status=http.HTTPStatus.NO_CONTENT)

    async def toxics(self, request: web.Request) -> web.Response:
        """``GET /proxies/{proxy}/toxics``: an array."""
        proxy = self._proxies.get(request.match_info["proxy"])
        return _json([each.shown() for each in proxy.all_toxics()])

    async def create_toxic(self, request: web.Request) -> web.Response:
        """``POST /proxies/{proxy}/toxics``: add a toxic; answers 200."""
        proxy = self._proxies.get(request.match_info["proxy"])
        added = toxic.parse(await request.read(), proxy.toxic_names())
        proxy.add_toxic(added)
        return _json(added.shown())

    async def show_toxic(self, request: web.Request) -> web.Response:
        """``GET /proxies/{proxy}/toxics/{toxic}``."""
        proxy = self._proxies.get(request.match_info["proxy"])
        return _json(proxy.toxic(request.match_info["toxic"]).shown())

    async def update_toxic(self, request: web.Request) -> web.Response:
        """``POST`` or ``PATCH /proxies/{proxy}/toxics/{toxic}``: change attributes and toxicity."""
        body = await request.read()
        proxy = self._proxies.get(request.match_info["proxy"])
        changed = toxic.updated(proxy.toxic(request.match_info["toxic"]), body)
        proxy.change_toxic(changed)
        return _json(changed.shown())

    async def delete_toxic(self, request: web.Request) -> web.Response:
        """``DELETE /proxies/{proxy}/toxics/{toxic}``."""
        self._proxies.get(request.match_info["proxy"]).remove_toxic(request.match_info["toxic"])
        return web.Response(status=http.HTTPStatus.NO_CONTENT)

    async def metrics(self, request: web.Request) -> web.Response:
        """``GET /metrics``: the bytes that each proxy carried, for Prometheus."""
        lines = []
        for way in ("received", "sent"):
            name = f"toxiproxy_proxy_{way}_bytes_total"
            lines += [f"# HELP {name} ", f"# TYPE {name} counter"]
            for proxy in self._proxies.by_name.values():
                carried = proxy.carried_bytes()
                lines += [
                    f'{name}{{direction="{direction}",listener="{proxy.listen}",proxy="{_label(proxy.name)}",'
                    f'upstream="{_label(proxy.upstream)}"}} {carried.get((way, direction), 0)}'
                    for direction in DIRECTIONS
                ]
        return web.Response(
            body="".join(f"{line}\n" for line in lines).encode(), headers={"Content-Type": METRICS_TYPE}
        )


async def populate(proxies: Proxies, body: bytes, made: list[Proxy]) -> None:
    """Make the proxies of a body, a JSON array, and add each to ``made``, also when a later one fails.

    Raises:
        ApiError: the body is malformed, or a proxy cannot be made.
    """
    for name, listen, upstream, enabled in _wanted(body):
        made.append(await proxies.put(name, listen, upstream, enabled=enabled))


def _wanted(body: bytes) -> list[tuple[str, str, str, bool]]:
    """Return name, listener, upstream and state of each proxy of a body; all are checked before the first is made."""
    value = toxic.first_value(body)
    if not isinstance(value, list | None):
        raise toxic.bad_body(f"json: cannot unmarshal {toxic.called(value)} into an array of proxies")
    wanted = []
    for number, entry in enumerate(value or (), start=1):
        given = toxic.table(entry, MEMBERS)
        for member in ("name", "upstream"):
            if not given.get(member):
                raise toxic.missing(f"{member} at proxy {number}")
        wanted.append((given["name"], given.get("listen", ""), given["upstream"], given.get("enabled", True)))
    return wanted


def _json(value: Any, status: int = http.HTTPStatus.OK) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _plain(text: str, status: int) -> web.Response:
    """Return a refusal the way Go's ``http.Error`` sends it."""
    return web.Response(
        body=f"{text}\n".encode(),
        status=status,
        headers={"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"},
    )


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        body = msgspec.json.encode({"error": error.message, "status": error.status})
        return _plain(body.decode(), error.status)
    except web.HTTPNotFound:
        return _plain("404 page not found", http.HTTPStatus.NOT_FOUND)
    except web.HTTPMethodNotAllowed:
        return web.Response(status=http.HTTPStatus.METHOD_NOT_ALLOWED)


@web.middleware
async def _browsers(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.match_info.http_exception is None and request.headers.get("User-Agent", "").startswith("Mozilla/"):
        return _plain("User agent not allowed", http.HTTPStatus.FORBIDDEN)
    return await handler(request)
