"""Where triggers put what they give up: a folder of JSON files, or an HTTP endpoint.

What: a folder gets one file for each invocation record, named as Lambda names objects in S3, with the event that was
not dealt with as ``payload``, as S3 gets it. An endpoint gets the invocation record in a POST, as SQS or SNS get it.

Invariant: :meth:`Destination.put` returns true only when the record is kept; a trigger goes on only then, so that
nothing is lost in between.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

import aiohttp
import orjson


class Destination(Protocol):
    """Keeps invocation records."""

    async def put(self, key: str, record: dict[str, Any], event: bytes) -> bool:
        """Keep a record and its event under a name that is used once; return whether that is done."""


class Folder:
    """A folder of files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: str, record: dict[str, Any], event: bytes) -> bool:
        """Write the file beside, and move it to its name, so that nobody finds half of it."""
        content = orjson.dumps({**record, "payload": event.decode()})
        return await asyncio.to_thread(_write, self._folder / f"{key}.json", content)


class Endpoint:
    """An HTTP endpoint; a 2xx means that it has the record."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def put(self, key: str, record: dict[str, Any], event: bytes) -> bool:
        """Send the record."""
        headers = {"Content-Type": "application/json"}
        timeout = aiohttp.ClientTimeout(total=30)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self._url, data=orjson.dumps(record), headers=headers) as response,
            ):
                await response.read()
                return 200 <= response.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False


def destination(place: str) -> Destination | None:
    """Return what a setting names: nothing, an endpoint, or a folder."""
    if not place:
        return None
    if place.startswith(("http://", "https://")):
        return Endpoint(place)
    return Folder(Path(url2pathname(urlsplit(place).path)) if place.startswith("file://") else Path(place))


def _write(path: Path, content: bytes) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    except OSError:
        return False
    return True
