"""What all tests share: property tests are judged by what they find, never by how long it took.

At a desk they search anew in every run; in continuous integration they search the same place every time, so that a
change is judged by what it changed.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeat", settings.get_profile("search"), derandomize=True)
settings.load_profile("repeat" if os.environ.get("CI") else "search")
