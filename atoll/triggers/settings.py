"""The settings of a trigger: which table's stream calls which function, and how; with Lambda's bounds and defaults.

What: one struct for a ``[[triggers]]`` table of a configuration, for the admin address, for ``Cluster.trigger`` and for
the command line. :func:`check` finds what no single field shows. Functions are told apart by their text
(:func:`kind_of`).

Hazard: the configuration is loaded by everything, so nothing heavy may be imported here.

Source: AWS Lambda developer guide, "Lambda parameters for Amazon DynamoDB event source mappings".
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from atoll.failure import UsageError
from atoll.triggers.patterns import PATTERNS_MAX, PatternError, compile_filters

NAME: Final = r"^[a-zA-Z0-9_-]{1,64}$"
_CALLABLE: Final = re.compile(r"(?:.*/)?(?:[A-Za-z_][\w.]*|[^/]+\.py):[A-Za-z_]\w*")
_LAMBDA: Final = re.compile(r"lambda://([^/]+)/([a-zA-Z0-9-_.:$]+)")

FunctionKind = Literal["callable", "http", "name"]
StartingPosition = Literal["TRIM_HORIZON", "LATEST"]


class TriggerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One trigger. What Lambda calls the setting stands behind each."""

    name: Annotated[str, Meta(pattern=NAME)]
    """Names the trigger in the region; together with the region it is what its checkpoint belongs to."""
    table: Annotated[str, Meta(min_length=3, max_length=255)]
    function: Annotated[str, Meta(min_length=1, max_length=2048)]
    """A name of ``[functions]``, ``module:callable``, an HTTP URL or ``lambda://host:port/NAME``. FunctionName."""
    enabled: bool = True
    """Enabled."""
    starting_position: StartingPosition = "TRIM_HORIZON"
    """StartingPosition."""
    batch_size: Annotated[int, Meta(ge=1, le=10_000)] = 100
    """BatchSize."""
    batching_window_s: Annotated[int, Meta(ge=0, le=300)] = 0
    """MaximumBatchingWindowInSeconds."""
    parallelization_factor: Annotated[int, Meta(ge=1, le=10)] = 1
    """ParallelizationFactor."""
    retry_attempts: Annotated[int, Meta(ge=-1, le=10_000)] = -1
    """MaximumRetryAttempts; -1: until the records are too old."""
    record_age_s: Annotated[int, Meta(ge=-1, le=604_800)] = -1
    """MaximumRecordAgeInSeconds; -1: as old as the stream keeps them, 24 hours."""
    bisect_on_error: bool = False
    """BisectBatchOnFunctionError."""
    report_batch_item_failures: bool = False
    """FunctionResponseTypes: ReportBatchItemFailures."""
    filters: Annotated[list[str], Meta(max_length=PATTERNS_MAX)] = []
    """FilterCriteria: patterns, each as JSON text."""
    on_failure: str = ""
    """DestinationConfig.OnFailure: a folder, or an HTTP URL; empty: what is given up is only counted."""
    origin: Literal["any", "local"] = "any"
    """``local``: only what was written in this very region. Lambda has no such setting."""
    tumbling_window_s: Annotated[int, Meta(ge=0, le=900)] = 0
    """TumblingWindowInSeconds; 0: no windows."""
    timeout_s: Annotated[int, Meta(ge=1, le=900)] = 60
    """How long one call may take. It is the function's own setting on Lambda."""
    backoff_min_ms: Annotated[int, Meta(ge=1)] = 500
    backoff_max_ms: Annotated[int, Meta(ge=1)] = 60_000
    """How long to wait after the first failure, and at most after many. Lambda does not publish its own."""
    stream_label: str = ""
    """The one stream that is read, where it was named by its ARN; empty: the table's streams, one after another."""


def kind_of(function: str) -> FunctionKind:
    """Return what the text of a function stands for.

    Raises:
        UsageError: nothing that there is.
    """
    if function.startswith(("http://", "https://")) or _LAMBDA.fullmatch(function):
        return "http"
    if re.fullmatch(NAME, function):
        return "name"
    if _CALLABLE.fullmatch(function):
        return "callable"
    raise UsageError(
        f"{function!r} is no function.",
        "Write module:callable, FILE.py:callable, an http:// URL, lambda://host:port/NAME, or a name of [functions].",
    )


def url_of(function: str) -> str:
    """Return the URL that an HTTP function is called at."""
    match = _LAMBDA.fullmatch(function)
    return f"http://{match[1]}/2015-03-31/functions/{match[2]}/invocations" if match else function


def check(trigger: TriggerSettings) -> TriggerSettings:
    """Return the settings as they are.

    Raises:
        UsageError: they cannot be meant so; the message names the trigger and the setting.
    """
    kind_of(trigger.function)
    where = f"The trigger {trigger.name}"
    if 0 <= trigger.record_age_s < 60:
        raise UsageError(
            f"{where}: record_age_s is {trigger.record_age_s}.",
            "Expected -1, or a number of seconds from 60 to 604800.",
        )
    if trigger.backoff_min_ms > trigger.backoff_max_ms:
        raise UsageError(f"{where}: backoff_min_ms is above backoff_max_ms.", "Make it the smaller of the two.")
    try:
        compile_filters(trigger.filters)
    except PatternError as error:
        raise UsageError(f"{where}: a filter is wrong: {error}.", "See docs/reference/triggers.md.") from None
    return trigger
