"""Sentences about replicas that more than one operation answers with.

Source: the project's facts on global tables, as AWS sends them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from region.errors import ValidationError

IN_FLIGHT: Final = "The resource which you are attempting to change is in use."


def no_region(region: str, regions: Sequence[str]) -> ValidationError:
    """Return the error of a region that is not configured."""
    return ValidationError(
        f"Region {region} is not supported. The latest version of global tables are only supported in the following "
        f"regions: [{', '.join(regions)}]"
    )


def no_members(regions: Sequence[str]) -> ValidationError:
    """Return the error of regions that hold no replica of the table."""
    return ValidationError(
        "Update global table operation failed because one or more replicas were not part of the global table. "
        f"Please retry the request without these replicas: [{', '.join(regions)}]."
    )
