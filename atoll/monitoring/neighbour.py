"""The door to CloudWatch on a region's endpoint, which loads what is behind it when somebody first comes.

What: :class:`CloudWatch` is a neighbour of the DynamoDB API (``region.wire.dispatch``): it gets the requests that are
signed for :data:`SERVICE`.
"""

from __future__ import annotations

from typing import Final

from atoll.monitoring.collector import Collector
from region.errors import DynamoError
from region.wire.answers import Page
from region.wire.exchange import Exchange

SERVICE: Final = "monitoring"
"""CloudWatch's name in the scope of a credential."""
POLICY_PREFIX: Final = "cloudwatch"
"""Its name in policies."""


class CloudWatch:
    """CloudWatch of one region."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def action(self, exchange: Exchange) -> str:
        """Return what a policy calls what a request asks for."""
        from atoll.monitoring import protocols  # noqa: PLC0415  As below.
        from atoll.monitoring.errors import CloudWatchError  # noqa: PLC0415  As below.

        request = protocols.Request(exchange.path, exchange.headers, exchange.body)
        try:
            operation, _ = protocols.of(request).read(request)
        except CloudWatchError:
            operation = ""
        return f"{POLICY_PREFIX}:{operation}"

    def serve(self, exchange: Exchange) -> Page:
        """Answer a request."""
        # It takes 50 ms to load what computes with the model, and most regions are never asked.
        from atoll.monitoring import cloudwatch, protocols  # noqa: PLC0415  See above.

        request = protocols.Request(exchange.path, exchange.headers, exchange.body)
        return cloudwatch.serve(self._collector, request, exchange.request_id)

    def refuse(self, exchange: Exchange, error: DynamoError) -> Page:
        """Tell an error of the endpoint in CloudWatch's way."""
        from atoll.monitoring import cloudwatch, protocols  # noqa: PLC0415  As above.

        request = protocols.Request(exchange.path, exchange.headers, exchange.body)
        return cloudwatch.refuse(request, error, exchange.request_id)
