"""What the rooms of the admin address share: answers in JSON, parameters, bodies, and errors in words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BadRequestError(Exception):
    """What was asked makes no sense; the text says why."""


class NotFoundError(Exception):
    """What was asked for is not there; the text says what."""


def answer(value: Any, *, status: int = 200) -> web.Response:
    """Return a value as JSON."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def number(request: web.Request, name: str, default: int) -> int:
    """Return a parameter that is a whole number.

    Raises:
        BadRequestError: it is something else.
    """
    text = request.query.get(name, str(default))
    if not text.isdecimal():
        raise BadRequestError(f"{name} must be a whole number, 0 or more, not {text!r}.")
    return int(text)


async def body(request: web.Request, kind: type[T], malformed: str) -> T:
    """Return the JSON body of a POST as a type; no body at all is an empty object.

    Raises:
        BadRequestError: it is none, or says nothing that fits; ``malformed`` says what would.
    """
    if request.content_type != "application/json":
        raise BadRequestError("The content type must be application/json.")
    try:
        return msgspec.json.decode(await request.read() or b"{}", type=kind)
    except msgspec.DecodeError as error:
        raise BadRequestError(f"{malformed} {error}") from error


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into an answer."""
    try:
        return await handler(request)
    except BadRequestError as error:
        return answer({"error": str(error)}, status=400)
    except NotFoundError as error:
        return answer({"error": str(error)}, status=404)
    except web.HTTPException as error:
        return answer({"error": error.reason}, status=error.status)
