"""What a workload needs of a client: one call to one region, with an answer or an error that says what it means.

Invariant: a :class:`CallError` that is ``definite`` had no effect and never will; anything less certain (a time-out, a
broken connection, a 5xx) is not definite.

Hazard: answers are plain JSON values as the wire has them (``{"Item": {"pk": {"S": "a"}}}``). A client that knows the
request id or the session token of an answer adds ``ResponseMetadata`` as boto3 does, ``{"RequestId": …,
"SessionToken": …}``; a client that is given ``SessionToken`` in a request's ``ResponseMetadata`` presents it, and with
an empty one asks for a token.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

METADATA: Final = "ResponseMetadata"
REQUEST_ID: Final = "RequestId"
SESSION_TOKEN: Final = "SessionToken"


class CallError(Exception):
    """A call that failed. ``name`` is AWS's name of the error, or a word for what happened to the connection.

    ``item`` is what a failed condition returns where the request asks so (``ReturnValuesOnConditionCheckFailure``).
    """

    def __init__(self, name: str, message: str, definite: bool, item: dict[str, Any] | None = None) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.definite = definite
        self.item = item


class Client(Protocol):
    """A client of one region. One call at a time, or many: a client knows no processes."""

    @property
    def region(self) -> str:
        """The region that it calls."""

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Run an operation of the API and return its answer.

        Raises:
            CallError: the region refused, or there was no answer.
        """
