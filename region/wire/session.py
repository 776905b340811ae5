"""Session tokens and staleness on the wire: what a request presents, and what an answer tells.

What: the header ``x-atoll-session`` carries a token both ways (``region.model.session``). A request that presents one
is held until this region has caught up with it, or refused when it does not in time. Every answer to such a request
carries a token that covers what it presented and what it may have seen here; every answer to a write carries one of
the write alone, asked or not. ``x-atoll-staleness-ms``, behind a switch, says how old this region's view of the
others may be.

Invariants: a request that is refused had no effect; a request that presents nothing pays one look into its headers,
and a write the text of one header.

Hazard: who presents an empty token asks for one, and reads whatever is here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from region.errors import ServiceUnavailableError, ValidationError
from region.horizon import Horizon, Missing
from region.model import session

if TYPE_CHECKING:
    from clock import PhysicalClock
    from region.wire.exchange import Exchange
    from region.wire.settings import EndpointSettings

HEADER: Final = "x-atoll-session"
STALENESS_HEADER: Final = "x-atoll-staleness-ms"
UNKNOWN: Final = "unknown"

WROTE: Final = 1
ASKED: Final = 2
STALENESS: Final = 4
"""What an answer tells: the token of a write; the merged token of a session; staleness."""

MALFORMED: Final = f"The session token in the header {HEADER} is not valid"


class Sessions:
    """The session tokens of one endpoint."""

    def __init__(self, horizon: Horizon, settings: EndpointSettings, source: PhysicalClock) -> None:
        self._horizon = horizon
        self._now_ms = source.now_ms
        self._wait_s = settings.session_wait_ms / 1000
        self._own = f"{HEADER}: {session.VERSION};{settings.region}="
        self.always = STALENESS if settings.staleness else 0
        self.writes = self.always | (WROTE if settings.tokens else 0)
        self.waiting = 0

    def admit(self, exchange: Exchange, text: bytes, request: Mapping[str, Any], submit: Callable[[], None]) -> None:
        """Submit a request that presents a token, now or when this region has caught up, or refuse it.

        Raises:
            ValidationError: the token is none.
        """
        try:
            exchange.session = token = session.decode(text.decode("latin-1"))
        except ValueError as error:
            raise ValidationError(MALFORMED) from error
        exchange.marks |= ASKED
        table = request.get("TableName")
        name = table.rpartition("/")[2] if isinstance(table, str) else None
        if not self._horizon.missing(token, name):
            submit()
            return

        def waited(missing: Missing) -> None:
            self.waiting -= 1
            if missing:
                exchange.fail(ServiceUnavailableError(_behind(missing)))
                return
            try:
                submit()
            except Exception as defect:
                exchange.dispatcher.broken(exchange, defect)

        self.waiting += 1
        self._horizon.wait(token, name, self._wait_s, waited)

    def header(self, exchange: Exchange) -> str:
        """Return the header lines that an answer tells, each with its line end."""
        marks = exchange.marks
        text = ""
        if marks & ASKED:
            token = session.merge(exchange.session, self._horizon.seen())
            text = f"{HEADER}: {session.encode(session.without(token, self._horizon.everywhere()))}\r\n"
        elif marks & WROTE:
            text = f"{self._own}{self._horizon.written():x}\r\n"
        if marks & STALENESS:
            safe_hlc = self._horizon.safe_time()
            age = str(max(0, self._now_ms() - (safe_hlc >> 16))) if safe_hlc else UNKNOWN
            text += f"{STALENESS_HEADER}: {age}\r\n"
        return text


def _behind(missing: Missing) -> str:
    shown = ", ".join(f"{ms} ms of {region}" for region, ms in sorted(missing.items()))
    return (
        f"This region has not caught up with the session: it lacks the last {shown}. Nothing was changed. "
        "Try again, or in the region where the session has been."
    )
