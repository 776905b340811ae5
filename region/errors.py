"""Every error a region can answer with or stop on, in one tree.

Three families, told apart by whose fault it is:

* :class:`DynamoError` is the caller's fault or the table's state. It carries AWS's name, message, extra fields and
  HTTP status, and is rendered in one place (``region.wire``). It promises that the request had **no effect**.
* :class:`OperatingError` is the world's fault: a full disk, an unreachable peer, a gap in a log. It says whether the
  outcome is *definite* (nothing happened) or unknown, and becomes an HTTP 5xx, never a 4xx.
* :class:`DefectError` is our own fault: an invariant does not hold. It stops the region, because a wrong replica is
  worse than a stopped one.

Source: the error shapes of botocore's ``dynamodb`` service model, and the developer guide's "Error handling".
"""

from __future__ import annotations

from typing import Any, Final

DYNAMODB: Final = "com.amazonaws.dynamodb.v20120810#"
VALIDATE: Final = "com.amazon.coral.validate#"
SERVICE: Final = "com.amazon.coral.service#"


class AtollError(Exception):
    """The root of every error that this project raises on purpose."""


class DynamoError(AtollError):
    """An answer of the DynamoDB API that is not a success; the request changed nothing.

    ``fields`` are the members of the error's shape beside the message (``Item``, ``CancellationReasons``, …), as
    JSON-ready values. ``message_key`` is the member that carries the message: AWS says ``message`` for its own
    exceptions and ``Message`` for those of its web framework.
    """

    name: str = "DynamoError"
    prefix: str = DYNAMODB
    status: int = 400
    message_key: str = "message"

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields

    @property
    def type(self) -> str:
        """The ``__type`` of the answer, with its prefix."""
        return self.prefix + self.name


class ValidationError(DynamoError):
    """``ValidationException``: a parameter is wrong in itself, or does not fit the table."""

    name = "ValidationException"
    prefix = VALIDATE


class SerializationError(DynamoError):
    """``SerializationException``: the body is no JSON, or a member has the wrong JSON type."""

    name = "SerializationException"
    prefix = SERVICE
    message_key = "Message"


class UnknownOperationError(DynamoError):
    """``UnknownOperationException``: the target names no operation, or one that is not built."""

    name = "UnknownOperationException"
    prefix = SERVICE


class MissingAuthenticationTokenError(DynamoError):
    """``MissingAuthenticationTokenException``: the request carries no credentials at all."""

    name = "MissingAuthenticationTokenException"
    prefix = SERVICE


class IncompleteSignatureError(DynamoError):
    """``IncompleteSignatureException``: the Authorization header lacks a part, or is malformed."""

    name = "IncompleteSignatureException"
    prefix = SERVICE


class InvalidSignatureError(DynamoError):
    """``InvalidSignatureException``: the signature does not match, or its date is too far off."""

    name = "InvalidSignatureException"
    prefix = SERVICE


class UnrecognizedClientError(DynamoError):
    """``UnrecognizedClientException``: the access key is not one that this region knows."""

    name = "UnrecognizedClientException"
    prefix = SERVICE


class ExpiredTokenError(DynamoError):
    """``ExpiredTokenException``: the session token was good once."""

    name = "ExpiredTokenException"
    prefix = SERVICE


class AccessDeniedError(DynamoError):
    """``AccessDeniedException``: the principal may not do this."""

    name = "AccessDeniedException"
    prefix = SERVICE
    message_key = "Message"


class KeyUnavailableError(DynamoError):
    """``AccessDeniedException``: the master key of a table cannot be used, so neither can its items."""

    name = "AccessDeniedException"
    _KMS = "com.amazonaws.services.kms.model."

    @classmethod
    def unknown(cls, _key: str) -> KeyUnavailableError:
        """There is no such key, or it is not this region's to use: KMS does not say which."""
        return cls(
            f"KMS key access denied error: {cls._KMS}AWSKMSException: The ciphertext refers to a customer master key "
            "that does not exist, does not exist in this region, or you are not allowed to access. (Service: AWSKMS; "
            "Status Code: 400; Error Code: AccessDeniedException)"
        )

    @classmethod
    def disabled(cls, arn: str) -> KeyUnavailableError:
        """The key is disabled."""
        return cls(
            f"KMS key disabled error: {cls._KMS}DisabledException: {arn} is disabled. (Service: AWSKMS; "
            "Status Code: 400; Error Code: DisabledException)"
        )

    @classmethod
    def pending_deletion(cls, arn: str) -> KeyUnavailableError:
        """The key is to be deleted."""
        return cls(
            f"KMS key invalid state error: {cls._KMS}KMSInvalidStateException: {arn} is pending deletion. (Service: "
            "AWSKMS; Status Code: 400; Error Code: KMSInvalidStateException)"
        )


class RequestTooLargeError(DynamoError):
    """``RequestEntityTooLargeException`` with HTTP 413: the body is over the limit of the endpoint."""

    name = "RequestEntityTooLargeException"
    prefix = SERVICE
    status = 413


class ResourceNotFoundError(DynamoError):
    """``ResourceNotFoundException``: no such table, index or stream, or it is not ACTIVE yet."""

    name = "ResourceNotFoundException"


class PolicyNotFoundError(DynamoError):
    """``PolicyNotFoundException``: no resource-based policy, or not the revision that the caller expected."""

    name = "PolicyNotFoundException"


class TableNotFoundError(DynamoError):
    """``TableNotFoundException``: the backup operations' word for a table that is not there."""

    name = "TableNotFoundException"


class TableAlreadyExistsError(DynamoError):
    """``TableAlreadyExistsException``: a restore's target is there already."""

    name = "TableAlreadyExistsException"


class TableInUseError(DynamoError):
    """``TableInUseException``: the table is being created, updated or deleted."""

    name = "TableInUseException"


class BackupNotFoundError(DynamoError):
    """``BackupNotFoundException``: no such backup, or none that can be read."""

    name = "BackupNotFoundException"


class BackupInUseError(DynamoError):
    """``BackupInUseException``: the backup is being made, deleted or restored."""

    name = "BackupInUseException"


class ContinuousBackupsUnavailableError(DynamoError):
    """``ContinuousBackupsUnavailableException``: the table is not in a state in which it can be backed up."""

    name = "ContinuousBackupsUnavailableException"


class PointInTimeRecoveryUnavailableError(DynamoError):
    """``PointInTimeRecoveryUnavailableException``: the table has no point-in-time recovery."""

    name = "PointInTimeRecoveryUnavailableException"


class InvalidRestoreTimeError(DynamoError):
    """``InvalidRestoreTimeException``: the time is outside of the table's recovery window."""

    name = "InvalidRestoreTimeException"


class InvalidExportTimeError(DynamoError):
    """``InvalidExportTimeException``: the time is outside of the table's recovery window."""

    name = "InvalidExportTimeException"


class ExportNotFoundError(DynamoError):
    """``ExportNotFoundException``: no such export."""

    name = "ExportNotFoundException"


class ExportConflictError(DynamoError):
    """``ExportConflictException``: a client token comes again with another request."""

    name = "ExportConflictException"


class ImportNotFoundError(DynamoError):
    """``ImportNotFoundException``: no such import."""

    name = "ImportNotFoundException"


class ImportConflictError(DynamoError):
    """``ImportConflictException``: a client token comes again with another request."""

    name = "ImportConflictException"


class ResourceInUseError(DynamoError):
    """``ResourceInUseException``: the table exists already, or is being changed."""

    name = "ResourceInUseException"


class LimitExceededError(DynamoError):
    """``LimitExceededException``: too many control-plane operations or objects at once."""

    name = "LimitExceededException"


class ConditionalCheckFailedError(DynamoError):
    """``ConditionalCheckFailedException``; ``Item`` holds the old image when it was asked for."""

    name = "ConditionalCheckFailedException"

    def __init__(self, message: str = "The conditional request failed", **fields: Any) -> None:
        super().__init__(message, **fields)


class DuplicateItemError(DynamoError):
    """``DuplicateItemException``: a PartiQL INSERT finds an item under its key."""

    name = "DuplicateItemException"


class TransactionCanceledError(DynamoError):
    """``TransactionCanceledException``, with ``CancellationReasons`` in the order of the actions."""

    name = "TransactionCanceledException"
    message_key = "Message"


class IdempotentParameterMismatchError(DynamoError):
    """``IdempotentParameterMismatchException``: a client request token comes again with another request."""

    name = "IdempotentParameterMismatchException"
    message_key = "Message"


class TransactionConflictError(DynamoError):
    """``TransactionConflictException``: the item is part of a transaction in flight."""

    name = "TransactionConflictException"


class ReplicatedWriteConflictError(DynamoError):
    """``ReplicatedWriteConflictException``: a strongly consistent global table saw a concurrent write elsewhere."""

    name = "ReplicatedWriteConflictException"


class ItemCollectionSizeLimitExceededError(DynamoError):
    """``ItemCollectionSizeLimitExceededException``: an item collection of a table with LSIs is over 10 GB."""

    name = "ItemCollectionSizeLimitExceededException"


class ThroughputExceededError(DynamoError):
    """``ProvisionedThroughputExceededException``: the token bucket is empty."""

    name = "ProvisionedThroughputExceededException"


class ThrottlingError(DynamoError):
    """``ThrottlingException``: the control plane is called too often."""

    name = "ThrottlingException"


class ExpiredIteratorError(DynamoError):
    """``ExpiredIteratorException``: a shard iterator is used more than 15 minutes after it was handed out."""

    name = "ExpiredIteratorException"


class TrimmedDataAccessError(DynamoError):
    """``TrimmedDataAccessException``: the records asked for are past the 24 hours for which a stream keeps them."""

    name = "TrimmedDataAccessException"


class GlobalTableNotFoundError(DynamoError):
    """``GlobalTableNotFoundException``: the 2017 global tables API finds no such table."""

    name = "GlobalTableNotFoundException"


class InternalServerError(DynamoError):
    """``InternalServerError`` with HTTP 500: how an :class:`OperatingError` looks from outside.

    It is the one :class:`DynamoError` whose outcome may be unknown.
    """

    name = "InternalServerError"
    status = 500


class ServiceUnavailableError(DynamoError):
    """``ServiceUnavailable`` with HTTP 503: the region is starting, stopping or fenced. Nothing was changed."""

    name = "ServiceUnavailable"
    prefix = SERVICE
    status = 503


class OperatingError(AtollError):
    """The world is at fault; the work is retried or counted by whoever drives it.

    ``definite`` is true when nothing happened for certain, false when the outcome is unknown.
    """

    def __init__(self, message: str, *, definite: bool = True) -> None:
        super().__init__(message)
        self.definite = definite


class StoreError(OperatingError):
    """The storage under a replica failed: a full disk, a read error, a file that another process holds."""


class ArchiveError(OperatingError):
    """A file of the archive is missing, damaged, or cannot be written."""


class DamagedLogError(StoreError):
    """A record of the change log is not what was written: the disk, or somebody, has changed it."""

    def __init__(self, sequence: int, why: str) -> None:
        super().__init__(
            f"record {sequence} of the change log is damaged: {why}; peers that still need it compare their tables "
            "with this region's instead"
        )
        self.sequence = sequence


class DamagedItemError(StoreError):
    """What stands in the file for an item is not what was encrypted there: the disk, or somebody, has changed it."""


class ReplicationError(OperatingError):
    """A link broke, a peer misbehaved, or a log has a gap."""


class DefectError(AtollError):
    """An invariant of this project does not hold. The region stops."""


def require(condition: bool, message: str) -> None:
    """Raise :class:`DefectError` unless ``condition`` holds; an assertion that production keeps."""
    if not condition:
        raise DefectError(message)
