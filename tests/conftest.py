"""What all tests share: how property tests search, and that the programs they start can be interrupted.

Property tests are judged by what they find, never by how long it took. At a desk they search anew in every run; in
continuous integration they search the same place every time, so that a change is judged by what it changed.

A shell that runs the tests in the background has SIGINT ignored, and so would every program that they start: those that
are interrupted would never end.
"""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeat", settings.get_profile("search"), derandomize=True)
settings.load_profile("repeat" if os.environ.get("CI") else "search")

signal.signal(signal.SIGINT, signal.default_int_handler)
