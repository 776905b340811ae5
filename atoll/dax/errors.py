"""Errors as DAX sends them: a path of numbers, a message, and AWS's name of the error.

What: :func:`encode` writes the answer to a request that failed. Clients make the exceptions of the DynamoDB API from
the numbers, or from the name where they do not know the numbers. The first says whose fault it is: 4 the caller's, 3
the server's.

Source: the error maps of AWS's clients for Python and Go (Apache License 2.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from atoll.dax import frames
from region.errors import DynamoError

INTERNAL: Final = "InternalServerErrorException"
UNSUPPORTED: Final = "ValidationException"
_DYNAMODB: Final = (4, 37, 38, 39)
_SERVER: Final = (3, 37, 54)
_CODES: Final[Mapping[str, tuple[int, ...]]] = {
    "ProvisionedThroughputExceededException": (*_DYNAMODB, 40),
    "ResourceNotFoundException": (*_DYNAMODB, 41),
    "AccessDeniedException": (4, 37, 38, 42),
    "ConditionalCheckFailedException": (*_DYNAMODB, 43),
    "ResourceInUseException": (*_DYNAMODB, 45),
    "ValidationException": (*_DYNAMODB, 46),
    "InternalServerError": (*_DYNAMODB, 47),
    "ItemCollectionSizeLimitExceededException": (*_DYNAMODB, 48),
    "LimitExceededException": (*_DYNAMODB, 49),
    "ThrottlingException": (*_DYNAMODB, 50),
    "TransactionConflictException": (*_DYNAMODB, 57),
    "TransactionCanceledException": (*_DYNAMODB, 58),
    "TransactionInProgressException": (*_DYNAMODB, 59),
    "IdempotentParameterMismatchException": (*_DYNAMODB, 60),
    "RequestLimitExceeded": (*_DYNAMODB, 61),
    "MissingAuthenticationTokenException": (4, 23, 31, 32),
    "UnrecognizedClientException": (4, 23, 31, 33),
    "InvalidSignatureException": (4, 23, 31, 34),
    "IncompleteSignatureException": (4, 23, 31, 34),
    "RequestEntityTooLargeException": (*_DYNAMODB, 46),
}
_OTHER: Final = (4, 37, 38, 39)
"""A refusal of another name: clients take the name as it stands."""


class RegionError(Exception):
    """The region answered a request with an error; ``fields`` are what its shape has beside the message."""

    def __init__(self, name: str, message: str, status: int, request_id: str | None, fields: Mapping[str, Any]) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.status = status
        self.request_id = request_id
        self.fields = fields

    @property
    def definite(self) -> bool:
        """Whether it is certain that the request has changed nothing."""
        return 400 <= self.status < 500


class UnansweredError(Exception):
    """The region did not answer; whether the request had an effect is not known."""


def of(error: Exception) -> RegionError:
    """Return any error that a request can end with in the form of a region's."""
    if isinstance(error, RegionError):
        return error
    if isinstance(error, DynamoError):
        return RegionError(error.name, error.message, error.status, None, error.fields)
    if isinstance(error, UnansweredError):
        return RegionError(INTERNAL, str(error), 500, None, {})
    return RegionError(UNSUPPORTED, f"The request is malformed: {error}.", 400, None, {})


def encode(error: RegionError, reasons: list[Any] | None = None) -> bytes:
    """Write the answer; ``reasons`` are those of a cancelled transaction, three values for each of its items."""
    codes = _CODES.get(error.name, _OTHER)
    if error.name == INTERNAL or (error.status >= 500 and error.name not in _CODES):
        codes = _SERVER
    about: list[Any] = [error.request_id, error.name, error.status]
    if reasons is not None:
        about.append(reasons)
    return frames.encode(list(codes)) + frames.encode(error.message) + frames.encode(about)
