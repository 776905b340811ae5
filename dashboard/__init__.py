"""The live page: what a fleet of regions does, as it does it, and the controls to break and to heal it."""

from dashboard.controls import Controls, RefusedError
from dashboard.server import Dashboard

__all__ = ["Controls", "Dashboard", "RefusedError"]
