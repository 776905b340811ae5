"""The house rules, applied to every Python file of the product; the rules themselves are in ``tidy_checks``."""

from __future__ import annotations

import tomllib
from collections.abc import Callable

import pytest
import tidy_checks
import tidy_tree
from tidy_checks import BANNED_CALLS

EVERYTHING = frozenset(BANNED_CALLS)
ALLOWED_CALLS: dict[str, frozenset[str]] = {
    "clock/source.py": frozenset({"time"}),
    "region/randomness.py": frozenset({"randomness"}),
    "region/store/": frozenset({"the machine"}),
    "region/archive/desk.py": frozenset({"timers"}),
    "replication/link.py": frozenset({"timers"}),
    "chaos/live/": frozenset({"time", "timers", "the machine"}),
    "chaos/runner.py": frozenset({"timers"}),
    "chaos/workload/": frozenset({"timers"}),
    "dashboard/": frozenset({"timers"}),
    "chaos/simulation/": frozenset({"timers"}),
    "chaos/fis/": frozenset({"timers"}),
    "atoll/": EVERYTHING,
}
"""Who may reach for what: the ports of time and randomness, the store, the timers of links, archive and workloads, the
page that is never simulated, and the composition root."""


def findings(check: Callable[[str], list[str]], files: list[tidy_tree.Path]) -> list[str]:
    """Run a check over files; return its findings, each with the file it is in."""
    return [f"{tidy_tree.name(path)}: {finding}" for path in files for finding in check(path.read_text())]


def test_no_product_file_is_longer_than_400_lines() -> None:
    assert findings(tidy_checks.file_length, tidy_tree.product_files()) == []


def test_no_product_function_is_longer_than_60_lines() -> None:
    assert findings(tidy_checks.function_length, tidy_tree.product_files()) == []


def test_every_product_module_says_what_it_is() -> None:
    assert findings(tidy_checks.module_docstring, tidy_tree.product_files()) == []


def test_time_randomness_and_the_machine_are_reached_through_ports_only() -> None:
    found = []
    for path in tidy_tree.product_files():
        allowed = frozenset[str]().union(
            *(kinds for prefix, kinds in ALLOWED_CALLS.items() if tidy_tree.name(path).startswith(prefix))
        )
        calls = tidy_checks.banned_calls(path.read_text(), EVERYTHING - allowed)
        found += [f"{tidy_tree.name(path)}: {finding}" for finding in calls]
    assert found == []


@pytest.mark.parametrize("prefix", ALLOWED_CALLS)
def test_whoever_is_allowed_a_direct_call_exists(prefix: str) -> None:
    assert any(tidy_tree.name(path).startswith(prefix) for path in tidy_tree.product_files())


def test_no_name_holds_a_word_that_says_nothing() -> None:
    found = []
    for path in tidy_tree.product_files():
        names = tidy_checks.banned_names(path.read_text(), tidy_tree.module(path))
        found += [f"{tidy_tree.name(path)}: {finding}" for finding in names]
    assert found == []


def test_every_suppression_gives_its_reason_and_nothing_is_left_unfinished() -> None:
    assert findings(tidy_checks.excuses, tidy_tree.python_files()) == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    marks = [f"pytest.{mark}" for mark in ("skip", "mark.skip", "xfail", "mark.xfail", "importorskip")]
    found = [
        f"{tidy_tree.name(path)}: {mark}"
        for path in tidy_tree.python_files()
        for mark in marks
        if mark in path.read_text()
    ]
    assert found == []


def test_every_package_is_packaged_typed_linted_and_layered() -> None:
    settings = tomllib.loads((tidy_tree.ROOT / "pyproject.toml").read_text())["tool"]
    packages = set(tidy_tree.packages())
    assert packages <= {name.removesuffix("*") for name in settings["setuptools"]["packages"]["find"]["include"]}
    assert packages | {"bench"} == set(settings["mypy"]["packages"])
    assert packages <= set(settings["ruff"]["lint"]["isort"]["known-first-party"])
    assert packages == set(settings["importlinter"]["root_packages"])
    assert [name for name in sorted(packages) if not (tidy_tree.ROOT / name / "py.typed").is_file()] == []
