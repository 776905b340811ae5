"""Readable scenario scripts with recorded output, in the manner of toydb's goldenscripts.

What: a script ``tests/scenario/<claim>.txt`` is a list of blocks. A block is commands, a line ``---``, and what they
print; blocks are parted by empty lines, and ``#`` begins a comment. ``test_scripts.py`` runs every script on real
regions over the network in memory and compares what is printed with what is recorded.

``ATOLL_RECORD=1 pytest tests/scenario/test_scripts.py`` records anew: read the difference before it is committed.

A script's world: all regions share one wall clock, which stands still until ``advance``; time below is in ms since the
script began. Every region has a file, so that it can be killed, copied and restored. The commands are in
:mod:`script_commands`; add one there with ``@command``.
"""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

RESULT = "---"


class Block(NamedTuple):
    """Some commands and what they are expected to print."""

    commands: list[str]
    expected: list[str]


Run = Callable[[list[str]], Awaitable[list[str]]]
"""Runs one command, split into words, and returns the lines that it prints."""


def parse(text: str) -> list[Block]:
    """Return the blocks of a script."""
    blocks: list[Block] = []
    commands: list[str] = []
    expected: list[str] | None = None
    for line in [*text.splitlines(), ""]:
        if expected is None and line.strip() == RESULT:
            expected = []
        elif expected is not None and line.strip():
            expected.append(line.rstrip())
        elif expected is not None:
            blocks.append(Block(commands, expected))
            commands, expected = [], None
        else:
            commands.append(line.rstrip())
    assert not any(words(line) for line in commands), f"commands without a {RESULT} behind them: {commands}"
    return blocks


def words(line: str) -> list[str]:
    """Return a command as words; a comment has none."""
    return line.partition("#")[0].split()


async def replay(text: str, run: Run) -> str:
    """Run a script and return it with what was printed in the place of what was recorded."""
    written: list[str] = []
    for block in parse(text):
        printed: list[str] = []
        for line in block.commands:
            command = words(line)
            if command:
                printed += await run(command)
        written += [*block.commands, RESULT, *(printed or ["ok"]), ""]
    return "\n".join(written)


def compare(path: Path, found: str, *, record: bool) -> None:
    """Compare what a script printed with what is recorded in its file, or record it."""
    text = path.read_text()
    if record:
        path.write_text(found)
        return
    lines = difflib.unified_diff(text.splitlines(), found.splitlines(), "recorded", "found", lineterm="")
    assert found.rstrip() == text.rstrip(), "\n".join((path.name, *lines))
