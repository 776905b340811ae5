"""What AWS says to somebody who may not.

Source: AWS IAM user guide, "Troubleshoot access denied error messages"; messages as DynamoDB sends them.
"""

from __future__ import annotations

from typing import Final

from region.access.evaluation import IDENTITY, Decision

_AN: Final = frozenset((IDENTITY,))


def denial(arn: str, action: str, resource: str, decision: Decision) -> str:
    """Return the message for a principal that may not do something."""
    asked = f"User: {arn} is not authorized to perform: {action} on resource: {resource}"
    if decision.explicit:
        article = "an" if decision.by in _AN else "a"
        return f"{asked} with an explicit deny in {article} {decision.by}"
    return f"{asked} because no {decision.by} allows the {action} action"
