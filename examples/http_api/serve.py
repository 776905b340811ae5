"""An API Gateway in a few lines: HTTP in, events of the payload format 2.0 to the handler, its responses out.

Run it with ``python examples/http_api/serve.py`` and try it with curl; Ctrl-C ends it. ``--tour`` makes the requests
of the README itself and ends. It needs boto3, and aiohttp, which comes with Atoll.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from atoll import Cluster

REGION = "us-east-1"


def main() -> None:
    """Start a region with the table, and the API before it."""
    with Cluster(regions=(REGION,)) as cluster:
        cluster.create_global_table("notes", hash_key="id")
        # What Lambda sets for a function, and every SDK reads.
        os.environ |= {
            "AWS_ENDPOINT_URL_DYNAMODB": cluster.endpoint(REGION),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "a",
            "TABLE_NAME": "notes",
        }
        sys.path.insert(0, str(Path(__file__).parent))
        function = importlib.import_module("handler")
        if "--tour" in sys.argv:
            asyncio.run(tour(gateway(function)))
        else:
            print("POST, GET, PUT and DELETE http://127.0.0.1:8090/notes; Ctrl-C ends it.", flush=True)
            web.run_app(gateway(function), host="127.0.0.1", port=8090, print=None)


def gateway(function: Any) -> web.Application:
    """Return an application that sends each of the function's routes to its handler."""

    def serve(route_key: str) -> Any:
        async def answer(request: web.Request) -> web.Response:
            event = event_of(request, route_key, await request.text())
            # A function is synchronous; beside the event loop it does not hold up other requests.
            response = await asyncio.to_thread(function.handler, event, None)
            return web.Response(
                status=response["statusCode"], text=response.get("body"), headers=response.get("headers")
            )

        return answer

    application = web.Application()
    for route_key in function.ROUTES:
        method, path = route_key.split(" ")
        application.router.add_route(method, path, serve(route_key))
    application.router.add_route("*", "/{rest:.*}", serve("$default"))
    return application


def event_of(request: web.Request, route_key: str, body: str) -> dict[str, Any]:
    """Return a request as API Gateway tells of it, payload format 2.0."""
    now = datetime.now(UTC)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.path,
        "rawQueryString": request.query_string,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "requestContext": {
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.remote,
                "userAgent": request.headers.get("User-Agent", ""),
            },
            "routeKey": route_key,
            "stage": "$default",
            "time": f"{now:%d/%b/%Y:%H:%M:%S +0000}",
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": False,
    }
    # What is empty is left out, as API Gateway does.
    given = {
        "queryStringParameters": dict(request.query),
        "pathParameters": dict(request.match_info),
        "body": body,
    }
    return {**event, **{name: value for name, value in given.items() if value}}


async def tour(application: web.Application) -> None:
    """Make the requests of the README."""
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession(url) as session:

        async def say(method: str, path: str, body: object = None) -> Any:
            async with session.request(method, path, json=body) as response:
                shown = path.replace(note["id"], "ID") if note else path
                content = await response.json() if response.status != 204 else None
                print(f"{method} {shown} -> {response.status}")
                return content

        note: dict[str, Any] = {}
        note = await say("POST", "/notes", {"text": "buy coconuts"})
        print("  GET it:", (await say("GET", f"/notes/{note['id']}"))["text"])
        changed = await say("PUT", f"/notes/{note['id']}", {"text": "buy mangoes", "version": 1})
        print(f"  now {changed['text']!r}, version {changed['version']}")
        print(" ", (await say("PUT", f"/notes/{note['id']}", {"text": "buy nothing", "version": 1}))["error"])
        print("  notes:", len((await say("GET", "/notes"))["notes"]))
        await say("POST", "/notes", {})
        await say("DELETE", f"/notes/{note['id']}")
        await say("GET", f"/notes/{note['id']}")
        await say("PATCH", "/notes")
    await runner.cleanup()


if __name__ == "__main__":
    main()
