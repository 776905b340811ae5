"""The condition keys of one demand: what policies may ask of who asks, how, when, for what and of what.

Source: AWS IAM user guide, "AWS global condition context keys".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from region.access import Principal
from region.authorization.demand import Demand, Details

_RESOURCE_TAG: Final = "aws:resourcetag/"


class Circumstances(NamedTuple):
    """How a request came."""

    now_ms: int
    region: str
    account: str
    """The account whose tables these are."""
    source_ip: str | None = None
    secure: bool = False
    """Whether it came over TLS."""
    user_agent: str | None = None
    referer: str | None = None

    def get(self, key: str, /) -> tuple[str, ...] | None:
        """Return the value of a condition key about it."""
        read = _CIRCUMSTANCES.get(key)
        value = None if read is None else read(self)
        return None if value is None else (value,)


def _moment(now_ms: int) -> str:
    return datetime.fromtimestamp(now_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_CIRCUMSTANCES: Final[dict[str, Callable[[Circumstances], str | None]]] = {
    "aws:currenttime": lambda it: _moment(it.now_ms),
    "aws:epochtime": lambda it: str(it.now_ms // 1000),
    "aws:requestedregion": lambda it: it.region,
    "aws:resourceaccount": lambda it: it.account,
    "aws:sourceip": lambda it: it.source_ip,
    "aws:securetransport": lambda it: "true" if it.secure else "false",
    "aws:useragent": lambda it: it.user_agent,
    "aws:referer": lambda it: it.referer,
    "aws:viaawsservice": lambda it: "false",
}


class Facts:
    """The lookup of one demand; what is asked of the request itself is worked out at the first question."""

    __slots__ = ("_circumstances", "_demand", "_details", "_principal")

    def __init__(self, principal: Principal, circumstances: Circumstances, demand: Demand) -> None:
        self._principal = principal
        self._circumstances = circumstances
        self._demand = demand
        self._details: Details | None = None

    def __call__(self, key: str) -> tuple[str, ...] | None:
        """Return the values of a condition key, whose name is in lower case."""
        found = self._principal.facts.get(key) or self._circumstances.get(key)
        if found is not None:
            return found
        if key.startswith(_RESOURCE_TAG):
            return self._resource_tag(key.removeprefix(_RESOURCE_TAG))
        if self._demand.details is None:
            return None
        if self._details is None:
            self._details = self._demand.details()
        return self._details.get(key)

    def _resource_tag(self, name: str) -> tuple[str, ...] | None:
        table = self._demand.table
        if table is None:
            return None
        values = [value for key, value in table.local.tags.items() if key.lower() == name]
        return (values[0],) if values else None
