"""Session tokens: what a client has written and seen, as a small text that it carries from region to region.

What: a token names, by the region that wrote, the greatest timestamp (hlc) of its writes that the client has written or
may have seen. A region that has applied everything up to there shows the client nothing older than what it knows:
read-your-writes and monotonic reads, across regions. Tokens merge by the greater timestamp of each region.

The text is opaque to clients::

    1;eu-west-1=19ac01f2b340003;us-east-1=19ac01f2b3c0000

Invariants: the text holds nothing but names of regions and hexadecimal digits, so it fits a header; merging is
commutative, associative and idempotent.

Source: Terry et al., "Session guarantees for weakly consistent replicated data" (1994).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

Token = Mapping[str, int]
"""The hlc up to which each region's writes count."""

NOTHING: Final[Token] = {}
VERSION: Final = "1"
TEXT_MAX: Final = 4096
REGIONS_MAX: Final = 64

_ENTRY: Final = re.compile(r"([a-z][a-z0-9-]{0,63})=([0-9a-f]{1,16})")


def encode(token: Token) -> str:
    """Return the text of a token."""
    return VERSION + "".join([f";{region}={hlc:x}" for region, hlc in sorted(token.items())])


def decode(text: str) -> Token:
    """Return the token of a text; an empty text is the token of a client that knows nothing yet.

    Raises:
        ValueError: it is none.
    """
    if not text:
        return NOTHING
    version, *entries = text.split(";")
    if version != VERSION or len(text) > TEXT_MAX or len(entries) > REGIONS_MAX:
        raise ValueError(f"{text[:80]!r} is no session token")
    token: dict[str, int] = {}
    for entry in entries:
        match = _ENTRY.fullmatch(entry)
        if match is None or match[1] in token:
            raise ValueError(f"{text[:80]!r} is no session token")
        token[match[1]] = int(match[2], 16)
    return token


def merge(one: Token, other: Token) -> Token:
    """Return the token of a client that knows what both know."""
    if not other:
        return one
    return {**one, **{region: max(hlc, one.get(region, 0)) for region, hlc in other.items()}}


def without(token: Token, everywhere_hlc: int) -> Token:
    """Return a token without what is applied in every region already."""
    return {region: hlc for region, hlc in token.items() if hlc > everywhere_hlc}
