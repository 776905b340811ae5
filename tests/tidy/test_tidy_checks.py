"""The tidy checks are checked: each finds what it is there to find, and leaves alone what is in order."""

from __future__ import annotations

import pytest
import tidy_checks
from tidy_checks import BANNED_CALLS

EVERYTHING = frozenset(BANNED_CALLS)


def test_a_file_of_401_lines_is_found_and_one_of_400_is_not() -> None:
    assert tidy_checks.file_length("x\n" * 401) == ["401 lines, more than 400"]
    assert tidy_checks.file_length("x\n" * 400) == []


def test_a_function_of_61_lines_is_found_and_one_of_60_is_not() -> None:
    assert tidy_checks.function_length("def long():\n" + "    x()\n" * 60) == [
        "line 1: long has 61 lines, more than 60"
    ]
    assert tidy_checks.function_length("def short():\n" + "    x()\n" * 59) == []
    assert tidy_checks.function_length("class A:\n    async def long(self):\n" + "        x()\n" * 60)


def test_a_docstring_does_not_count_as_length() -> None:
    assert tidy_checks.function_length('def f():\n    """A.\n' + "\n" * 20 + '    """\n' + "    x()\n" * 59) == []


@pytest.mark.parametrize("text", ["import os\n", '"""Keys."""\n', "# A comment is no docstring, however long it is.\n"])
def test_a_module_that_does_not_say_what_it_is_is_found(text: str) -> None:
    assert tidy_checks.module_docstring(text)


def test_a_module_that_says_what_it_is_passes() -> None:
    assert tidy_checks.module_docstring('"""Keys as byte strings whose order is the scan order."""\n') == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import time\nx = time.time()", "time.time"),
        ("import time as t\nx = t.monotonic_ns", "time.monotonic_ns"),
        ("from time import monotonic as m\nx = m()", "time.monotonic"),
        ("import datetime as dt\nx = dt.datetime.now(dt.UTC)", "datetime.datetime.now"),
        ("from datetime import datetime\nx = datetime.now().year", "datetime.datetime.now"),
        ("import random\nx = random.random()", "random.random"),
        ("from random import Random\nx = Random(1)", "random.Random"),
        ("import secrets\nx = secrets.token_hex(4)", "secrets.token_hex"),
        ("import os\nx = f(os.urandom(4)).hex()", "os.urandom"),
        ("from uuid import uuid4\nx = str(uuid4())", "uuid.uuid4"),
        ("import asyncio\nasync def f():\n    await asyncio.sleep(1)", "asyncio.sleep"),
        ("x = open('a').read()", "builtins.open"),
        ("import os\nx = os.environ['A']", "os.environ"),
        ("def f():\n    import subprocess\n    subprocess.run(['a'])", "subprocess.run"),
        ("import concurrent.futures\nx = concurrent.futures.Future()", "concurrent.futures.Future"),
    ],
)
def test_a_direct_call_to_time_randomness_or_the_machine_is_found(text: str, found: str) -> None:
    (finding,) = tidy_checks.banned_calls(text, EVERYTHING)
    assert f" {found} reaches for " in finding


@pytest.mark.parametrize(
    "text",
    [
        "def f(time):\n    return time.time()",
        "import time\nx = time.strftime('%Y', stamp)",
        "class A:\n    def open(self):\n        return self.open()",
        "from uuid import UUID\nx = UUID(int=4)",
        "import datetime\nx = datetime.datetime.fromtimestamp(0, datetime.UTC)",
        "x = 'time.time()'  # time.time()",
    ],
)
def test_what_only_looks_like_a_direct_call_passes(text: str) -> None:
    assert tidy_checks.banned_calls(text, EVERYTHING) == []


def test_a_kind_of_call_that_the_module_may_make_passes() -> None:
    assert tidy_checks.banned_calls("import time\nx = time.time()", EVERYTHING - {"time"}) == []


@pytest.mark.parametrize(
    "text",
    [
        "class TableManager: ...",
        "def key_helper(): ...",
        "def f(node): ...",
        "node = 1",
        "sync_state = 1",
        "self.util = 1",
        "import a.b as utils",
        "class HTTPService: ...",
        "for node in nodes_of(x): ...",
    ],
)
def test_a_banned_word_in_a_name_is_found(text: str) -> None:
    assert tidy_checks.banned_names(text, "region.keys")


def test_a_banned_word_in_a_module_name_is_found() -> None:
    assert tidy_checks.banned_names("", "region.key_utils")


@pytest.mark.parametrize(
    "text",
    [
        "service_model = 1",
        "async def f(): ...",
        "syncs_at_commit = 1",
        "import ast\nx = ast.NodeVisitor()",
        "x = 'node'",
    ],
)
def test_a_name_without_a_banned_word_passes(text: str) -> None:
    assert tidy_checks.banned_names(text, "region.keys") == []


@pytest.mark.parametrize(
    "text",
    [
        "x = 1  # no" + "qa: E501\n",
        "x = 1  # no" + "qa\n",
        "# ruff: no" + "qa\nx = 1\n",
        "x = 1  # type" + ": ignore[attr-defined]\n",
        "x = 1  # type" + ": ignore  # the library ships no types of its own\n",
        "x = 1  # TO" + "DO: finish this\n",
        "x = 1  # FIX" + "ME\n",
    ],
)
def test_a_suppression_without_a_reason_and_a_mark_of_unfinished_work_are_found(text: str) -> None:
    assert tidy_checks.excuses(text)


@pytest.mark.parametrize(
    "text",
    [
        "x = 1  # no" + "qa: E501  # the sentence is AWS's own\n",
        "# The library ships no types for this one call.\nx = 1  # type" + ": ignore[attr-defined]\n",
        "x = 'TO" + "DO'\n",
    ],
)
def test_a_suppression_with_a_reason_passes(text: str) -> None:
    assert tidy_checks.excuses(text) == []


@pytest.mark.parametrize(
    "text",
    ["see /ro" + "ot/notes", "cd /Us" + "ers/ann/atoll", "https://registry.npm" + "js.org/x", "ask a colleag" + "ue"],
)
def test_a_word_of_one_machine_or_workplace_is_found(text: str) -> None:
    assert tidy_checks.machine_words(text)


@pytest.mark.parametrize("text", ["#!/usr/bin/env bash", "https://example.org/home/page", "tests/work/x", "/tmp/atoll"])
def test_other_paths_and_addresses_pass(text: str) -> None:
    assert tidy_checks.machine_words(text) == []
