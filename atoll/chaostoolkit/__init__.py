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
    from chaoslib import discovery  # noqa: PLC0415  The functions themselves work without Chaos Toolkit.

    from atoll import __version__  # noqa: PLC0415  As above.

    found = discovery.initialize_discovery_result("atoll.chaostoolkit", __version__, "atoll")
    found["activities"] = [*discovery.discover_actions(MODULES[0]), *discovery.discover_probes(MODULES[1])]
    return found
