"""What the end-to-end tests share: three real regions, and commands run as processes of their own."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from settled import Run, mend

from atoll import Cluster
from atoll.child import environment

_names = (f"table-{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Three regions for every test that leaves them running."""
    with Cluster(announce=False) as running:
        yield running


@pytest.fixture(autouse=True)
def left_as_found(request: pytest.FixtureRequest) -> Iterator[None]:
    """Mend the cluster after each test that used it, whatever became of the test: others come after it."""
    yield
    if "cluster" in request.fixturenames:
        mend(request.getfixturevalue("cluster"))


@pytest.fixture
def table(cluster: Cluster) -> str:
    """The name of a fresh table that all three regions hold."""
    name = next(_names)
    cluster.create_global_table(name)
    return name


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run ``atoll`` with these arguments, in a folder and with a runtime folder of its own."""

    def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "atoll", *arguments],
            cwd=tmp_path,
            env={**environment(), "XDG_RUNTIME_DIR": str(tmp_path / "run"), **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    return command
