"""The operations of DynamoDB, one module per family: functions ``(context, request) -> response``.

:data:`OPERATIONS` is the table of what is built. The engine runs what stands here and nothing else; an operation of the
service model that is missing here answers ``UnknownOperationException``.
"""

from __future__ import annotations

from region.operation.registry import OPERATIONS, Operation

__all__ = ["OPERATIONS", "Operation"]
