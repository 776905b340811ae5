"""The gateway: one address for the DynamoDB endpoints of all regions, for programs that know one URL and many regions.

What: a request goes to the region that it was signed for, which its credential's scope says; the answer comes back as
it is. So a program written for LocalStack or moto, one ``endpoint_url`` and a ``region_name`` for each client, works
unchanged. A request without credentials (a health check, a CORS preflight) goes to the first region, whose answer to it
is any region's.

Invariants: nothing is changed on the way, neither the ``Host`` that was signed nor a byte of a body; a request is sent
once, never again. A region that does not answer is a 503, which SDKs retry: whether it had an effect is not known.

Hazard: a gateway costs every request a second hop through Python. Measure speed at a region's own endpoint.

Source: AWS IAM user guide, "Create a signed request": the credential's scope is ``date/region/service/aws4_request``.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from typing import Final, NamedTuple

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from atoll.failure import StartError
from region.model.limits import MIB

REQUEST_BYTES_MAX: Final = 64 * MIB
"""More than any region takes; the region itself says what is too much."""
CONNECTIONS_MAX: Final = 512
_SCOPE: Final = re.compile(r"Credential=[^/,\s]*/\d{8}/([^/,\s]+)/([^/,\s]+)/")
_QUERY_SCOPE: Final = re.compile(r"^[^/]*/\d{8}/([^/]+)/([^/]+)/")
_BESIDE: Final = {"fis": "/fis", "lambda": "/lambda"}
"""Services that a region serves on its admin address, and where there."""
_HOP_BY_HOP: Final = (
    *("Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "TE", "Trailer"),
    "Content-Length",
)
"""Headers that speak of one connection (RFC 9110, section 7.6.1), and the length, which is counted anew."""


class Scope(NamedTuple):
    """What a request was signed for."""

    region: str
    service: str


class Gateway:
    """Forwards requests to ``endpoints``, URLs by region; the first is for requests of no region.

    ``admins`` are the regions' admin URLs, for the services that they serve beside DynamoDB. Over TLS, regions are
    believed by ``trusted``; clients are served with ``shown``, or without TLS.
    """

    def __init__(
        self,
        endpoints: Mapping[str, str],
        admins: Mapping[str, str],
        trusted: ssl.SSLContext | None = None,
        *,
        shown: ssl.SSLContext | None = None,
    ) -> None:
        self._trusted = trusted
        self._shown = shown
        self._endpoints = dict(endpoints)
        self._admins = dict(admins)
        self._runner: web.ServerRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that it forwards to."""
        return tuple(self._endpoints)

    async def start(self, host: str, port: int) -> str:
        """Listen; return the URL. Port 0 takes any free one.

        Raises:
            StartError: the port is taken, or the address is not this machine's.
        """
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, ssl=self._trusted or True),
            timeout=aiohttp.ClientTimeout(total=None, connect=5),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._runner = web.ServerRunner(web.Server(self._forward))
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=self._shown).start()
        except OSError as error:
            await self.stop()
            raise StartError(
                f"Port {port} of {host} for the gateway cannot be used: {error.strerror}.",
                "End the process that holds it, or choose another with --port.",
            ) from error
        at, number = self._runner.addresses[0][:2]
        scheme = "http" if self._shown is None else "https"
        return f"{scheme}://[{at}]:{number}" if ":" in at else f"{scheme}://{at}:{number}"

    async def stop(self) -> None:
        """Stop listening, and end what is under way."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _forward(self, request: web.BaseRequest) -> web.StreamResponse:
        scope = signed_for(request)
        region = scope.region if scope is not None else self.regions[0]
        endpoint = self._endpoints.get(region)
        if endpoint is None:
            message = (
                f"Credential should be scoped to a valid region, not '{region}'. "
                f"This gateway serves {', '.join(self._endpoints)}."
            )
            return _error(400, "com.amazon.coral.service#InvalidSignatureException", message)
        if scope is not None and scope.service in _BESIDE:
            endpoint = self._admins.get(region, endpoint) + _BESIDE[scope.service]
        assert self._session is not None
        try:
            body = await request.clone(client_max_size=REQUEST_BYTES_MAX).read()
            async with self._session.request(
                request.method,
                URL(endpoint + request.raw_path, encoded=True),
                data=body or None,
                headers=_passed_on(request.headers),
                allow_redirects=False,
            ) as answer:
                content = await answer.read()
                return web.Response(status=answer.status, headers=_passed_on(answer.headers), body=content)
        except web.HTTPRequestEntityTooLarge:
            return _error(413, "com.amazon.coral.service#RequestEntityTooLargeException", "Request is too large.")
        except (aiohttp.ClientError, TimeoutError) as error:
            message = f"{region} does not answer at {endpoint} ({error})."
            return _error(503, "com.amazon.coral.service#ServiceUnavailableException", message)


def signed_for(request: web.BaseRequest) -> Scope | None:
    """Return region and service in the scope of a request's credential, ``None`` for a request without one."""
    found = _SCOPE.search(request.headers.get("Authorization", ""))
    if found is None:
        found = _QUERY_SCOPE.search(request.query.get("X-Amz-Credential", ""))
    return Scope(found[1], found[2]) if found else None


def _passed_on(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Return the headers without those that speak of one connection."""
    kept = CIMultiDict(headers)
    for name in _HOP_BY_HOP:
        kept.popall(name, None)
    return kept


def _error(status: int, kind: str, message: str) -> web.Response:
    body = json.dumps({"__type": kind, "message": message}).encode()
    return web.Response(status=status, body=body, content_type="application/x-amz-json-1.0")
