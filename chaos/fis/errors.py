"""What the FIS endpoint refuses, with the names and HTTP statuses of botocore's ``fis`` model."""

from __future__ import annotations


class FisError(Exception):
    """A request is refused, and nothing was changed."""

    name = "ValidationException"
    status = 400


class ValidationError(FisError):
    """The request is malformed, or asks for what makes no sense."""


class ResourceNotFoundError(FisError):
    """There is no such template, experiment or action."""

    name = "ResourceNotFoundException"
    status = 404


class ConflictError(FisError):
    """The request contradicts one made before with the same token, or what goes on now."""

    name = "ConflictException"
    status = 409


class QuotaError(FisError):
    """There are too many already."""

    name = "ServiceQuotaExceededException"
    status = 402
