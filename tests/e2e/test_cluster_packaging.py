"""The wheel, installed, works in a folder whose own modules have the names of ours."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from atoll import __version__

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("clock", "region", "replication", "chaos", "dashboard", "atoll")
BUILDER_MIN = 77
"""The version of setuptools that pyproject.toml asks for; where it is installed, the build needs no network."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel, built from a copy of the sources, is installed."""
    folder = tmp_path_factory.mktemp("packaging")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in PACKAGES:
        if (ROOT / name / "__init__.py").is_file():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    here = int(metadata.version("setuptools").partition(".")[0]) >= BUILDER_MIN
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(source)]
    subprocess.run([*build, "--no-build-isolation"] if here else build, check=True, capture_output=True)
    (wheel,) = folder.glob("atolldb-*.whl")
    site = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True, capture_output=True)
    return site


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A user's folder with modules and packages of our names, none of which must ever be imported."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    (folder / "clock.py").write_text("raise SystemExit('the wrong clock')\n")
    for name in ("region", "replication", "chaos", "dashboard"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"raise SystemExit('the wrong {name}')\n")
    return folder


def variables(site: Path, tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(site), "XDG_RUNTIME_DIR": str(tmp_path)}


def test_the_installed_command_runs_there(site: Path, hostile: Path, tmp_path: Path) -> None:
    for command in ([sys.executable, "-P", "-m", "atoll"], [sys.executable, str(site / "bin" / "atoll")]):
        answer = subprocess.run(
            [*command, "--version"],
            cwd=hostile,
            env=variables(site, tmp_path),
            capture_output=True,
            text=True,
            check=True,
        )
        assert answer.stdout == f"atoll {__version__}\n"


def test_it_is_the_installed_atoll_that_runs_there(site: Path, hostile: Path, tmp_path: Path) -> None:
    code = "import atoll, clock, region; print(atoll.__file__, clock.__file__, region.__file__)"
    command = [sys.executable, "-P", "-c", code]
    answer = subprocess.run(
        command, cwd=hostile, env=variables(site, tmp_path), capture_output=True, text=True, check=True
    )
    assert all(path.startswith(str(site)) for path in answer.stdout.split())


def test_a_region_starts_and_stops_there(site: Path, hostile: Path, tmp_path: Path) -> None:
    ports = ["--api-port", "0", "--admin-port", "0", "--replication-port", "0"]
    command = [sys.executable, "-P", "-m", "atoll", "start", "--data", str(tmp_path / "data"), *ports]
    with subprocess.Popen(
        command,
        cwd=hostile,
        env=variables(site, tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "us-east-1 is ready\n"
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 0


def test_a_users_program_has_a_cluster_there(site: Path, hostile: Path, tmp_path: Path) -> None:
    program = hostile / "program.py"
    program.write_text(
        "from atoll import Cluster\n"
        "with Cluster(('us-east-1', 'eu-west-1')) as cluster:\n"
        "    cluster.create_global_table('orders')\n"
        "    print(cluster.wait_converged('orders').items)\n"
    )
    answer = subprocess.run(
        [sys.executable, str(program)],
        cwd=hostile,
        env=variables(site, tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(answer.stdout) == 0


def test_every_package_says_that_it_is_typed(site: Path) -> None:
    present = [name for name in PACKAGES if (ROOT / name / "__init__.py").is_file()]
    assert [name for name in present if not (site / name / "py.typed").is_file()] == []
