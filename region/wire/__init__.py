"""The wire: DynamoDB's JSON protocol over HTTP, from bytes to operations and back; see ``region/wire/DESIGN.md``."""

from __future__ import annotations

from region.wire.endpoint import Endpoint
from region.wire.settings import EndpointSettings
from region.wire.statistics import EndpointStatistics

__all__ = ["Endpoint", "EndpointSettings", "EndpointStatistics"]
