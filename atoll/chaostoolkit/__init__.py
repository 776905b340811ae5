"""A Chaos Toolkit extension: its experiments break, watch and heal a running Atoll cluster.

What: functions for the ``python`` provider, :mod:`atoll.chaostoolkit.actions` and :mod:`atoll.chaostoolkit.probes`.
Each takes ``cluster`` as ``atoll --cluster`` does (a ``cluster.json``, its folder, or admin URLs), or finds the cluster
that was started last.

Source: https://chaostoolkit.org/extending/
"""

from __future__ import annotations

from typing import Any

MODULES = ("atoll.chaostoolkit.actions", "atoll.chaostoolkit.probes")


def discover(discover_system: bool = True) -> Any:
    """Return what this extension offers, in the toolkit's form; nothing of the system is looked at."""
    # Loaded where it is needed: the functions themselves work without Chaos Toolkit.
    from chaoslib.discovery import discover_actions, discover_probes, initialize_discovery_result  # noqa: PLC0415

    from atoll import __version__  # noqa: PLC0415  As above.

    found = initialize_discovery_result("atoll.chaostoolkit", __version__, "atoll")
    found["activities"] = [*discover_actions(MODULES[0]), *discover_probes(MODULES[1])]
    return found
