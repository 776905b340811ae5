"""Atoll: DynamoDB Global Tables that you can hold in your hand.

What users import: :class:`~atoll.cluster.Cluster` starts regions as real processes, :func:`~atoll.world.simulated` runs
asynchronous tests against simulated ones, and ``__version__`` says which Atoll this is. Nothing else is public. Names
are loaded when first used, so that ``import atoll`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from atoll.cluster import Cluster
    from atoll.world import simulated

__version__: Final = "0.1.0"

__all__ = ["Cluster", "__version__", "simulated"]


def __getattr__(name: str) -> Any:
    if name == "Cluster":
        from atoll.cluster import Cluster  # noqa: PLC0415  Loaded on first use: a region's process never needs it.

        return Cluster
    if name == "simulated":
        from atoll.world import simulated  # noqa: PLC0415  Loaded on first use: it brings the simulator along.

        return simulated
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
