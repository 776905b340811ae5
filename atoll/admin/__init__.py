"""The admin address of a region: health, metrics, status, pausing, and looking into tables, a room for each.

What: an aiohttp application on a port of its own, bound to this machine alone unless told otherwise. Its answers are
the types of :mod:`atoll.report`. Each module here is a *room*: a class made from the region's :class:`Parts`, whose
``routes()`` name its paths. ``application`` puts the rooms together.

Invariants: reading changes nothing; errors are ``{"error": "…"}``. What changes something is a POST with a JSON body,
which no web page of another origin can send.

Hazard: there is no authentication. Whoever reaches this port can pause replication and read every item.
"""

from __future__ import annotations

from atoll.admin.application import Serving, application
from atoll.admin.parts import Parts

__all__ = ["Parts", "Serving", "application"]
