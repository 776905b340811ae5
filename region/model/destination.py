"""Kinesis destinations of a table as its local state keeps them, and which of them are delivered to.

Shape in :attr:`LocalState.extra` under :data:`OWN`: ``[{StreamArn, Status, Doing, UntilMs, Precision?, Reason?,
After?}]``: ``Doing`` is shown until ``UntilMs``, ``Status`` from then on. Where the region delivers, ``After`` is the
sequence of the log after which the destination's changes begin, which is also what tells one enabling of a stream from
the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

OWN: Final = "kinesis"
ENABLING: Final = "ENABLING"
ACTIVE: Final = "ACTIVE"
UPDATING: Final = "UPDATING"
DISABLING: Final = "DISABLING"
DISABLED: Final = "DISABLED"
ENABLE_FAILED: Final = "ENABLE_FAILED"
MILLISECOND: Final = "MILLISECOND"
MICROSECOND: Final = "MICROSECOND"

Destination = Mapping[str, Any]


def delivered(extra: Mapping[str, Any]) -> list[Destination]:
    """Return the destinations that changes are delivered to, those that are being verified too."""
    return [it for it in extra.get(OWN, ()) if "After" in it and it["Status"] in (ENABLING, ACTIVE)]
