"""Refusals of HTTP itself: what came did not become a request, so no operation answers it."""

from __future__ import annotations

from region.errors import DynamoError


class BadRequestError(DynamoError):
    """A request that is no HTTP, or one that breaks its limits."""

    name = "BadRequestException"
    prefix = "com.amazon.coral.service#"


class HeadersTooLargeError(BadRequestError):
    """A request line and headers that are larger than the endpoint accepts."""

    name = "RequestHeaderFieldsTooLargeException"
    status = 431
