"""What caused a write: through which functions of triggers it came, as its request says.

What: a client that works for a function hands on where the event came from, in ``X-Amzn-Trace-Id``, as AWS's SDKs do by
themselves. Its ``Lineage`` names the hops, ``function:region`` each, the latest last. The endpoint puts them behind the
request's id, which the change log keeps and replication ships, so whoever reads the change knows them, in any region.

Invariants: only hops of the form above are taken over, and a bounded number, so that nothing a client sends ends up in
an answer's headers or in the log as it is. A request without them has the id that it always had.

Source: AWS SDKs' recursion detection (botocore's ``add_recursion_detection_header``); AWS X-Ray developer guide,
"Tracing header".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

HEADER: Final = b"x-amzn-trace-id"
HOPS_MAX: Final = 16
"""So many hops are told, the latest: what has come further goes in circles."""
_HOP: Final = r"[A-Za-z0-9_-]{1,64}:[a-z][a-z0-9-]{0,63}"
_LINEAGE: Final = re.compile(rf"(?:^|;)Lineage=({_HOP}(?:\+{_HOP}){{0,{HOPS_MAX - 1}}})(?:;|$)")
_BEHIND: Final = ";"
_BETWEEN: Final = "+"

Chain = tuple[str, ...]
"""Hops, each ``function:region``, the latest last."""


def hop(function: str, region: str) -> str:
    """Return the hop of a function that a region's trigger calls."""
    return f"{function}:{region}"


def trace(chain: Sequence[str], root: str) -> str:
    """Return the header's value for a call that comes through these hops; ``root`` is 32 hexadecimal digits."""
    return f"Root=1-{root[:8]}-{root[8:]};Sampled=0;Lineage={_BETWEEN.join(chain[-HOPS_MAX:])}"


def caused(request_id: str, header: bytes) -> str:
    """Return a request's id with the hops behind it that its header tells, or as it is where that tells none."""
    found = _LINEAGE.search(header.decode("latin-1"))
    return request_id + _BEHIND + found[1] if found else request_id


def chain_of(request_id: str | None) -> Chain:
    """Return the hops through which a write came, by the id of its request."""
    told = (request_id or "").partition(_BEHIND)[2]
    return tuple(told.split(_BETWEEN)) if told else ()


def echoes(function: str, chain: Sequence[str]) -> int:
    """Return how often a write has come through a function."""
    return sum(passed.rpartition(":")[0] == function for passed in chain)
