"""Sessions of boto3 clients: read-your-writes and monotonic reads across regions.

What::

    session = Session()
    near = session.attach(boto3.client("dynamodb", region_name="us-east-1", ...))
    far = session.attach(boto3.client("dynamodb", region_name="eu-west-1", ...))
    near.put_item(TableName="orders", Item={"id": {"S": "1"}})
    far.get_item(TableName="orders", Key={"id": {"S": "1"}})   # waits until eu-west-1 has it

A session carries the token that each answer brings (``x-atoll-session``) into every later request of all clients that
are attached to it. Any botocore client will do, of boto3 or aioboto3, and a resource as well. Against AWS itself the
header is without effect.

Invariants: the token never forgets what an answer has told, however many threads use it. Keep one session for each
logical user: what one has seen does not hold up the others.

Hazard: a region that cannot catch up in time answers ``ServiceUnavailable`` (503), which botocore tries again by
itself.
"""

from __future__ import annotations

import threading
from typing import Any, Final, TypeVar

from region.model.session import decode, encode, merge

HEADER: Final = "x-atoll-session"
_PRESENTED: Final = "atoll_session_presented"
Client = TypeVar("Client")


class Session:
    """What one user has written and seen. ``token`` is that of an earlier session to go on from."""

    def __init__(self, token: str = "") -> None:
        self._lock = threading.Lock()
        self._token = decode(token)

    @property
    def token(self) -> str:
        """The token as text: to keep, or to hand to another process."""
        return encode(self._token) if self._token else ""

    def attach(self, client: Client) -> Client:
        """Carry this session over a boto3 client, or resource; return it."""
        events = _events(client)
        events.register("before-call", self._before_call, unique_id=f"atoll-session-{id(self)}-before")
        events.register("after-call", self._after_call, unique_id=f"atoll-session-{id(self)}-after")
        return client

    def detach(self, client: Any) -> None:
        """Leave a client alone again."""
        events = _events(client)
        events.unregister("before-call", self._before_call, unique_id=f"atoll-session-{id(self)}-before")
        events.unregister("after-call", self._after_call, unique_id=f"atoll-session-{id(self)}-after")

    def merge(self, token: str) -> None:
        """Take in what another session knows.

        Raises:
            ValueError: it is no token.
        """
        other = decode(token)
        with self._lock:
            self._token = merge(self._token, other)

    def _before_call(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        with self._lock:
            context[_PRESENTED] = presented = self._token
        params["headers"][HEADER] = encode(presented) if presented else ""

    def _after_call(self, http_response: Any, context: dict[str, Any], **_: Any) -> None:
        text = http_response.headers.get(HEADER)
        if not text:
            return
        told = decode(text)
        with self._lock:
            # An answer covers what was presented, less what is everywhere by now, which need not be carried any more.
            self._token = told if self._token is context.get(_PRESENTED) else merge(self._token, told)


def _events(client: Any) -> Any:
    meta = client.meta
    return getattr(meta, "events", None) or meta.client.meta.events
