"""Functions that are reached over HTTP: any endpoint that takes an event, and Lambda's own Invoke.

What: the event is POSTed. A 2xx is an answer, unless ``X-Amz-Function-Error`` says that the function failed, as
Lambda's Invoke does. At a Lambda-compatible path (``/2015-03-31/functions/NAME/invocations``) a bare error document is
an error, too, because the runtime interface emulator answers so. 429, 502, 503 and 504, and no answer at all, mean that
nobody has dealt with the event; any other status is the function's error.

Source: AWS API reference of Lambda, Invoke; aws-lambda-runtime-interface-emulator; AWS SAM local.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

import aiohttp
import orjson

from atoll.triggers.batch import Failed, NotInvoked
from atoll.triggers.function import Answer, Call, Invoked
from atoll.triggers.process import error_text

TRACE_HEADER: Final = "X-Amzn-Trace-Id"
ERROR_HEADER: Final = "X-Amz-Function-Error"
BUSY: Final = frozenset({429, 502, 503, 504})
_INVOKE: Final = re.compile(r"/2015-03-31/functions/[^/]+/invocations/?$")
_ERROR_MEMBERS: Final = frozenset({"errorType", "errorMessage"})


class HttpFunction:
    """An endpoint that takes events."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lambda = bool(_INVOKE.search(url.partition("?")[0]))
        self._session: aiohttp.ClientSession | None = None

    async def invoke(self, call: Call) -> Invoked:
        """Send the event; wait for the answer."""
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        headers = {
            "Content-Type": "application/json",
            "X-Amz-Invocation-Type": "RequestResponse",
            "X-Amzn-RequestId": call.request_id,
        }
        if call.trace is not None:
            headers[TRACE_HEADER] = call.trace
        try:
            async with self._session.post(
                self._url, data=call.event, headers=headers, timeout=aiohttp.ClientTimeout(total=call.timeout_s)
            ) as response:
                payload = await response.read()
        except TimeoutError:
            return Failed(error=f"Task timed out after {call.timeout_s:.2f} seconds")
        except (aiohttp.ClientError, asyncio.IncompleteReadError, OSError) as error:
            return NotInvoked(f"{self._url} does not answer: {error or type(error).__name__}")
        if response.status in BUSY:
            return NotInvoked(f"{self._url} answers {response.status}")
        if ERROR_HEADER in response.headers or (self._lambda and is_error(payload)):
            return Failed(status=response.status, error=error_text(payload))
        if not 200 <= response.status < 300:
            return Failed(status=response.status, error=f"{self._url} answers {response.status}")
        return Answer(payload)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def is_error(payload: bytes) -> bool:
    """Whether a payload is nothing but an error of a Lambda runtime."""
    if b"errorType" not in payload:
        return False
    try:
        told = orjson.loads(payload)
    except ValueError:
        return False
    return isinstance(told, dict) and told.keys() >= _ERROR_MEMBERS
