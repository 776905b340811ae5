"""Event source mappings as Lambda's API has them: a trigger's settings out of a request, a trigger as an answer. Pure.

Invariant: what is not given keeps its value on an update and has Lambda's default on a creation.

Source: AWS API reference of Lambda, CreateEventSourceMapping and EventSourceMappingConfiguration; botocore's
``lambda`` model.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from atoll.failure import UsageError
from atoll.triggers.report import TriggerReport
from atoll.triggers.settings import TriggerSettings, check

REPORT: Final = "ReportBatchItemFailures"
_FUNCTION_ARN: Final = re.compile(
    r"(?:arn:[^:]*:lambda:)?(?:[a-z0-9-]+:)?(?:\d{12}:)?(?:function:)?([a-zA-Z0-9_.-]+)(?::[$a-zA-Z0-9_.-]+)?"
)
_SETTINGS: Final = {
    "BatchSize": "batch_size",
    "MaximumBatchingWindowInSeconds": "batching_window_s",
    "ParallelizationFactor": "parallelization_factor",
    "TumblingWindowInSeconds": "tumbling_window_s",
    "MaximumRecordAgeInSeconds": "record_age_s",
    "MaximumRetryAttempts": "retry_attempts",
    "BisectBatchOnFunctionError": "bisect_on_error",
    "StartingPosition": "starting_position",
    "Enabled": "enabled",
}
_NOT_OF_STREAMS: Final = (
    *(
        "Topics",
        "Queues",
        "SourceAccessConfigurations",
        "SelfManagedEventSource",
        "ScalingConfig",
        "ProvisionedPollerConfig",
    ),
    *("AmazonManagedKafkaEventSourceConfig", "SelfManagedKafkaEventSourceConfig", "DocumentDBEventSourceConfig"),
)

Request = dict[str, Any]


class MappingError(Exception):
    """A mapping that cannot be meant so; the text is ``InvalidParameterValueException``'s."""


def function_of(name: str) -> str:
    """Return the function that a ``FunctionName`` means: a name, an ARN, a partial one, or one of Atoll's own forms."""
    match = _FUNCTION_ARN.fullmatch(name)
    return match[1] if match and (name.startswith("arn:") or "function:" in name or ":" not in name) else name


def settings_of(request: Request, known: TriggerSettings | None, **fixed: Any) -> TriggerSettings:
    """Return the settings that a request asks for, over those of a known trigger; ``fixed`` are given by neither.

    Raises:
        MappingError: they cannot be meant so.
    """
    for name in _NOT_OF_STREAMS:
        if request.get(name):
            raise MappingError(f"Unsupported parameter: {name} is not supported for event source type DynamoDB.")
    values = {} if known is None else msgspec.structs.asdict(known)
    values |= {ours: request[theirs] for theirs, ours in _SETTINGS.items() if request.get(theirs) is not None}
    if "FunctionName" in request:
        values["function"] = function_of(request["FunctionName"])
    if "FilterCriteria" in request:
        values["filters"] = [each.get("Pattern", "") for each in request["FilterCriteria"].get("Filters") or ()]
    if "FunctionResponseTypes" in request:
        values["report_batch_item_failures"] = REPORT in request["FunctionResponseTypes"]
    if "DestinationConfig" in request:
        values["on_failure"] = _destination(request["DestinationConfig"])
    try:
        return check(msgspec.convert({**values, **fixed}, TriggerSettings))
    except (msgspec.ValidationError, UsageError) as error:
        raise MappingError(str(error)) from error


def _destination(config: Request) -> str:
    destination: str = (config.get("OnFailure") or {}).get("Destination") or ""
    if destination.startswith("arn:"):
        raise MappingError(f"The destination {destination} cannot be reached: give a folder, or an endpoint's URL.")
    return destination


def describe(report: TriggerReport, *, account: str, stream_arn: str, function_arn: str) -> dict[str, Any]:
    """Return a trigger as Lambda's API describes a mapping."""
    settings = report.settings
    described: dict[str, Any] = {
        "UUID": report.uuid,
        "EventSourceMappingArn": f"arn:aws:lambda:{report.region}:{account}:event-source-mapping:{report.uuid}",
        "EventSourceArn": stream_arn,
        "FunctionArn": function_arn,
        "StartingPosition": settings.starting_position,
        "BatchSize": settings.batch_size,
        "MaximumBatchingWindowInSeconds": settings.batching_window_s,
        "ParallelizationFactor": settings.parallelization_factor,
        "MaximumRecordAgeInSeconds": settings.record_age_s,
        "MaximumRetryAttempts": settings.retry_attempts,
        "BisectBatchOnFunctionError": settings.bisect_on_error,
        "TumblingWindowInSeconds": settings.tumbling_window_s,
        "FunctionResponseTypes": [REPORT] if settings.report_batch_item_failures else [],
        "DestinationConfig": {"OnFailure": {"Destination": settings.on_failure} if settings.on_failure else {}},
        "State": report.state,
        "StateTransitionReason": "User action",
        "LastModified": report.modified_ms / 1000,
        "LastProcessingResult": report.last_result,
    }
    if settings.filters:
        described["FilterCriteria"] = {"Filters": [{"Pattern": pattern} for pattern in settings.filters]}
    return described
