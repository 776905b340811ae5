"""The pytest plugin: ``atoll_cluster`` and ``atoll``, found by pytest as soon as Atoll is installed.

What: ``atoll_cluster`` is one cluster for the whole session, started when a test first asks for it (about a second) and
stopped at the end. ``atoll`` is a :class:`~atoll.testing.trial.Trial` of it for one test: whatever the test broke is
healed afterwards, and its tables are deleted. ``atoll_fresh`` is a trial of a cluster of its own, for tests that
need an empty one or do what cannot be undone.

Which regions there are is set with ``atoll_regions`` in pytest's configuration, or by overriding the fixture
``atoll_settings``, whose dictionary goes to :class:`~atoll.cluster.Cluster`.

Hazard: with pytest-xdist every worker that needs one has a cluster of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from atoll.cluster import Cluster
    from atoll.testing.trial import Trial

REGIONS = "atoll_regions"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting that names the regions."""
    parser.addini(REGIONS, "The regions of the cluster that tests are given.", type="args", default=[])


@pytest.fixture(scope="session")
def atoll_settings(pytestconfig: pytest.Config) -> dict[str, Any]:
    """What the clusters of the tests are made with; override it to have others."""
    regions = pytestconfig.getini(REGIONS)
    return {"regions": tuple(regions)} if regions else {}


@pytest.fixture(scope="session")
def atoll_cluster(atoll_settings: dict[str, Any]) -> Iterator[Cluster]:
    """One cluster for the session, whose links can be broken."""
    with _start(atoll_settings) as running:
        yield running


@pytest.fixture
def atoll(atoll_cluster: Cluster) -> Iterator[Trial]:
    """The session's cluster for one test: healed, and without the test's tables, when it ends."""
    yield from _trial(atoll_cluster)


@pytest.fixture
def atoll_fresh(atoll_settings: dict[str, Any]) -> Iterator[Trial]:
    """A cluster of its own for one test."""
    with _start(atoll_settings) as running:
        yield from _trial(running)


def _start(settings: dict[str, Any]) -> Cluster:
    # Loaded when a test asks for it: a plugin is part of every run of pytest, also of those without Atoll.
    from atoll.cluster import Cluster  # noqa: PLC0415

    return Cluster(**{"proxied": True, "announce": False, **settings})


def _trial(cluster: Cluster) -> Iterator[Trial]:
    from atoll.failure import RemedyError  # noqa: PLC0415  As above.
    from atoll.testing.trial import Trial  # noqa: PLC0415  As above.

    trial = Trial(cluster)
    yield trial
    trial.heal()
    for table in trial.tables:
        for region in cluster.regions:
            with suppress(RemedyError):  # Deleted by the test itself, or there never.
                cluster.call(region, "DeleteTable", {"TableName": table})
