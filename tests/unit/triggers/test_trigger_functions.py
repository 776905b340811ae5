"""Functions: Python callables in real processes, and real HTTP endpoints, plain and Lambda-compatible."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from atoll.triggers.batch import Failed, NotInvoked
from atoll.triggers.destination import destination
from atoll.triggers.function import Answer, Call
from atoll.triggers.http import HttpFunction
from atoll.triggers.process import CallableFunction
from atoll.triggers.settings import url_of

HANDLERS = """
import os, sys, time

def echo(event, context):
    print("seen", event)
    return {"event": event, "name": context.function_name, "arn": context.invoked_function_arn,
            "id": context.aws_request_id, "left": context.get_remaining_time_in_millis() > 0,
            "trace": os.environ.get("_X_AMZN_TRACE_ID"), "pid": os.getpid()}

def fail(event, context):
    raise KeyError("no such thing")

def end(event, context):
    os._exit(3)

def sleep(event, context):
    open(event["started"], "w").write(str(os.getpid()))
    time.sleep(3600)

def unspeakable(event, context):
    return object()
"""


@pytest.fixture
def handlers(tmp_path: Path) -> str:
    (tmp_path / "handlers.py").write_text(HANDLERS)
    return f"{tmp_path}/handlers"


def call(event: Any, timeout_s: float = 30, trace: str | None = None) -> Call:
    return Call(
        "shop",
        "arn:aws:lambda:us-east-1:000000000000:function:shop",
        json.dumps(event).encode(),
        "r-1",
        timeout_s,
        trace,
    )


async def test_a_callable_gets_the_event_and_lambdas_context_and_keeps_its_process(
    handlers: str, tmp_path: Path
) -> None:
    function = CallableFunction("shop", f"{handlers}:echo", tmp_path / "logs" / "shop.log")
    first = await function.invoke(call({"a": 1}, trace="Root=1-2-3"))
    second = await function.invoke(call({"a": "é"}))
    await function.close()
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    told, again = json.loads(first.payload), json.loads(second.payload)
    assert told.pop("pid") == again["pid"]
    assert told == {
        "event": {"a": 1},
        "name": "shop",
        "arn": "arn:aws:lambda:us-east-1:000000000000:function:shop",
        "id": "r-1",
        "left": True,
        "trace": "Root=1-2-3",
    }
    assert (again["event"], again["trace"]) == ({"a": "é"}, None)
    assert (tmp_path / "logs" / "shop.log").read_text() == "seen {'a': 1}\nseen {'a': 'é'}\n"


async def test_calls_at_the_same_time_have_processes_of_their_own(handlers: str) -> None:
    function = CallableFunction("shop", f"{handlers}:echo", None)
    answers = await asyncio.gather(*[function.invoke(call(number)) for number in range(3)])
    await function.close()
    assert len({json.loads(each.payload)["pid"] for each in answers if isinstance(each, Answer)}) == 3


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("fail", "KeyError: 'no such thing'"),
        ("unspeakable", "TypeError: Object of type object is not JSON serializable"),
        ("missing", "AttributeError: module 'handlers' has no attribute 'missing'"),
        ("end", "Runtime exited: the process of shop ended"),
    ],
)
async def test_what_goes_wrong_in_a_callable_is_a_function_error(handlers: str, name: str, error: str) -> None:
    function = CallableFunction("shop", f"{handlers}:{name}", None)
    assert await function.invoke(call({})) == Failed(error=error)
    await function.close()


async def test_a_callable_that_takes_too_long_is_killed(handlers: str, tmp_path: Path) -> None:
    function = CallableFunction("shop", f"{handlers}:sleep", None)
    started = tmp_path / "started"
    assert await function.invoke(call({"started": str(started)}, timeout_s=1)) == Failed(
        error="Task timed out after 1.00 seconds"
    )
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
    await function.close()


async def test_a_callable_is_found_by_its_file(handlers: str) -> None:
    function = CallableFunction("shop", f"{handlers}.py:echo", None)
    assert isinstance(await function.invoke(call(1)), Answer)
    await function.close()


Serve = Callable[[Callable[[web.Request], Awaitable[web.Response]]], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    runners: list[web.AppRunner] = []

    async def start(handler: Callable[[web.Request], Awaitable[web.Response]]) -> str:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", handler)
        runners.append(web.AppRunner(application))
        await runners[-1].setup()
        site = web.TCPSite(runners[-1], "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runners[-1].addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


async def test_an_endpoint_gets_the_event_and_what_caused_it(serve: Serve) -> None:
    got: list[Any] = []

    async def handle(request: web.Request) -> web.Response:
        got.append((request.method, request.path, await request.json(), request.headers["X-Amzn-Trace-Id"]))
        return web.json_response({"batchItemFailures": []})

    function = HttpFunction(f"{await serve(handle)}/hook")
    answer = await function.invoke(call({"Records": []}, trace="Root=1"))
    await function.close()
    assert answer == Answer(b'{"batchItemFailures": []}')
    assert got == [("POST", "/hook", {"Records": []}, "Root=1")]


@pytest.mark.parametrize(
    ("status", "headers", "body", "outcome"),
    [
        (200, {}, '{"errorType": "E", "errorMessage": "m"}', Failed(error="E: m")),
        (200, {"X-Amz-Function-Error": "Unhandled"}, '{"errorMessage": "m", "errorType": "E"}', Failed(error="E: m")),
        (200, {"X-Amz-Function-Error": "Unhandled"}, "?", Failed(error="Unhandled")),
        (200, {}, '"fine"', Answer(b'"fine"')),
        (500, {}, "", "answers 500"),
        (404, {}, "", "answers 404"),
        (429, {}, "", NotInvoked),
        (503, {}, "", NotInvoked),
    ],
)
async def test_lambdas_invoke_is_understood(
    serve: Serve, status: int, headers: dict[str, str], body: str, outcome: Any
) -> None:
    async def handle(request: web.Request) -> web.Response:
        assert request.path == "/2015-03-31/functions/shop/invocations"
        assert request.headers["X-Amz-Invocation-Type"] == "RequestResponse"
        return web.Response(status=status, headers=headers, text=body)

    url = await serve(handle)
    function = HttpFunction(url_of(f"lambda://{url.removeprefix('http://')}/shop"))
    answer = await function.invoke(call({}))
    await function.close()
    if isinstance(outcome, str):
        assert isinstance(answer, Failed)
        assert outcome in answer.error
    elif outcome is NotInvoked:
        assert isinstance(answer, NotInvoked)
    else:
        assert answer == outcome


async def test_an_endpoint_that_nobody_serves_was_not_invoked_and_a_slow_one_failed(serve: Serve) -> None:
    async def handle(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    away = HttpFunction("http://127.0.0.1:9/")
    assert isinstance(await away.invoke(call({})), NotInvoked)
    slow = HttpFunction(await serve(handle))
    assert await slow.invoke(call({}, timeout_s=0.2)) == Failed(error="Task timed out after 0.20 seconds")
    await away.close()
    await slow.close()


async def test_a_destination_says_whether_it_has_the_record(serve: Serve, tmp_path: Path) -> None:
    got: list[Any] = []

    async def handle(request: web.Request) -> web.Response:
        got.append(await request.json())
        return web.Response(status=200 if len(got) > 1 else 500)

    assert destination("") is None
    endpoint = destination(await serve(handle))
    assert endpoint is not None
    assert [await endpoint.put("k", {"a": 1}, b"{}") for _ in range(2)] == [False, True]
    assert got == [{"a": 1}] * 2
    away = destination("http://127.0.0.1:9/")
    assert away is not None
    assert not await away.put("k", {}, b"{}")
    (tmp_path / "file").touch()
    blocked = destination(f"file://{tmp_path}/file/folder")
    assert blocked is not None
    assert not await blocked.put("k", {}, b"{}")
