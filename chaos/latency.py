"""Distances between AWS regions: round trips that were measured between them, for links as slow as real ones.

What: :func:`round_trip_ms` tells the round trip of two regions, scaled. A link gets half of it in each direction.

Hazard: these are averages of one time. Today's are a little shorter on most paths; what stays is their proportion.

Source: "Latency Between AWS Global Regions", averages of pings between EC2 instances, as republished by
https://acomputerscientistlearnsaws.blogspot.com/2017/04/aws-regions.html (April 2017), the two directions averaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

PROFILES: Final = ("aws",)
REGIONS: Final = (
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "eu-central-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "sa-east-1",
)
_ROUND_TRIPS_MS: Final[tuple[tuple[float, ...], ...]] = (
    (),
    (72.2,),
    (87.8, 19.3),
    (80.5, 153.2, 137.0),
    (88.6, 166.6, 159.5, 19.6),
    (145.3, 102.5, 89.1, 212.4, 236.6),
    (177.5, 132.1, 118.3, 242.4, 265.8, 31.4),
    (216.7, 174.0, 161.4, 238.6, 325.9, 73.8, 71.6),
    (229.9, 157.7, 162.1, 309.6, 323.4, 103.9, 134.0, 175.4),
    (119.5, 192.7, 182.7, 191.3, 194.9, 256.8, 286.3, 328.1, 322.5),
)
"""Below the diagonal, in the order of :data:`REGIONS`."""

ROUND_TRIPS_MS: Final[Mapping[frozenset[str], float]] = {
    frozenset((REGIONS[row], REGIONS[column])): round_trip
    for row, trips in enumerate(_ROUND_TRIPS_MS)
    for column, round_trip in enumerate(trips)
}


def round_trip_ms(one: str, other: str, scale: float = 1.0) -> float:
    """Return the round trip between two regions, in ms, times ``scale``.

    Raises:
        ValueError: it was not measured for one of them.
    """
    found = ROUND_TRIPS_MS.get(frozenset((one, other)))
    if found is None:
        unknown = one if one not in REGIONS else other
        raise ValueError(f"the distance of {unknown} is not known; it is for {', '.join(REGIONS)}")
    return found * scale


def delays_ms(regions: Sequence[str], scale: float = 1.0) -> dict[tuple[str, str], int]:
    """Return the delay of each directed link, in one direction, in whole milliseconds.

    Raises:
        ValueError: a region's distance is not known.
    """
    return {
        (one, other): round(round_trip_ms(one, other, scale) / 2)
        for one in regions
        for other in regions
        if one != other
    }
