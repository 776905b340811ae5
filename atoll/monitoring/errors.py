"""CloudWatch's errors: each with its code, which SDKs show, the shape that the service model gives it, and its status.

Source: AWS CloudWatch API reference, "Common errors" and the three operations; botocore's service model.
"""

from __future__ import annotations


class CloudWatchError(Exception):
    """A request that is refused; the text says why, in AWS's words where AWS has some."""

    code = "ValidationError"
    shape = "ValidationError"
    status = 400


class InvalidParameterValueError(CloudWatchError):
    """A parameter that is out of range."""

    code = "InvalidParameterValue"
    shape = "InvalidParameterValueException"


class InvalidParameterCombinationError(CloudWatchError):
    """Parameters that do not go together."""

    code = "InvalidParameterCombination"
    shape = "InvalidParameterCombinationException"


class MissingParameterError(CloudWatchError):
    """A parameter that must be there."""

    code = "MissingParameter"
    shape = "MissingRequiredParameterException"


class InvalidTokenError(CloudWatchError):
    """A token that no answer gave."""

    code = "InvalidNextToken"
    shape = "InvalidNextToken"


class UnknownOperationError(CloudWatchError):
    """An operation that is not served here."""

    code = "InvalidAction"
    shape = "UnknownOperationException"


class RuleNotFoundError(CloudWatchError):
    """A rule of Contributor Insights that is not there."""

    code = shape = "ResourceNotFoundException"
    status = 404


class RefusedError(CloudWatchError):
    """A request that the endpoint refused before it was looked at, as for its signature."""

    def __init__(self, name: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = self.shape = name
        self.status = status
