"""What all tests share: property tests are judged by what they find, never by how long it took."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("atoll", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("atoll")
