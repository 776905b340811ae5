"""The names of regions in certificates.

What: a region's certificate names it by the URI ``atoll://region/NAME`` among its alternative names (RFC 5280, section
4.2.1.6). It stands here because both those who make certificates and those who read them want it.

Invariant: a certificate with no such name, or with several, names no region.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

URI: Final = "atoll://region/"


def region_named(certificate: Mapping[str, Any]) -> str | None:
    """Return the region that a certificate names, as Python's ``ssl`` decodes it; ``None`` where it names none."""
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI" and value.startswith(URI)]
    return str(names[0].removeprefix(URI)) if len(names) == 1 else None
