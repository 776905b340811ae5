"""Time to live: when an item expires, and what a replica knows of its index of expiries.

What: the TTL attribute of an item is a number: the second of the Unix epoch after which the item may be deleted. A
table with TTL has an index of expiries in its store, which holds one entry for every live item that can ever expire.

Invariant: whether an item has an entry, and under which second, depends on the item and the attribute's name alone, so
that the entry of an old image can be found again when the item changes.

Source: AWS developer guide, "Using time to live (TTL) in DynamoDB" (numbers, epoch seconds, items more than five years
past are left alone); AWS API reference, UpdateTimeToLive (one change an hour).
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

import msgspec

from region.model.table import LocalState
from region.model.values import Item

OWN: Final = "ttl"
"""Under which name a replica's own state of TTL stands in :attr:`LocalState.extra`."""
PAST_MAX_S: Final = 5 * 365 * 24 * 60 * 60
"""How long past an expiry may be and still count: five years."""
SECONDS_MAX: Final = 1 << 40
"""Expiries from here on (some 35,000 years) never come; milliseconds given by mistake are among them."""


class ExpirySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a region lets items expire."""

    sweep_ms: int = 1000
    """How often expired items are looked for: about as long as an item is still seen after its expiry."""
    change_ms: int = 60 * 60 * 1000
    """How long after a change of a table's TTL setting the next one is refused."""


class ExpiryState(msgspec.Struct, frozen=True, kw_only=True):
    """What one replica knows of its TTL: the index of expiries, and the transitional state that is shown."""

    attribute: str
    index_id: int = 0
    """The number of the index of expiries in the store; 0: there is none, because TTL has been switched off."""
    built_after: str | None = None
    """The last key (hex) up to which the index is built; ``None`` once it is complete."""
    until_ms: int = 0
    """Until when ENABLING or DISABLING is shown; 0: not at all."""


def state_of(local: LocalState) -> ExpiryState | None:
    """Return what a replica knows of its TTL; ``None`` where it has never been on, or is off without a transition."""
    value = local.extra.get(OWN)
    return None if value is None else msgspec.convert(value, ExpiryState)


def with_state(local: LocalState, state: ExpiryState | None) -> LocalState:
    """Return the local state with another state of TTL."""
    extra: dict[str, Any] = {name: value for name, value in local.extra.items() if name != OWN}
    if state is not None:
        extra[OWN] = msgspec.to_builtins(state)
    return msgspec.structs.replace(local, extra=extra)


def expires_s(item: Item, attribute: str) -> int | None:
    """Return the epoch second after which an item is expired, ``None`` if it never is.

    Other types than numbers never expire, nor do negative numbers; a fraction counts as the next full second.
    """
    text = item.get(attribute, {}).get("N")
    if text is None:
        return None
    if len(text) <= 12 and text.isdecimal():
        return int(text)
    number = Decimal(text)
    if not 0 <= number < SECONDS_MAX:
        return None
    return int(number.to_integral_value(ROUND_CEILING))


def due_s(now_ms: int) -> tuple[int, int]:
    """Return the expiries that are due: from the first second to the last, both included."""
    return now_ms // 1000 - PAST_MAX_S, (now_ms - 1) // 1000
