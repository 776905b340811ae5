"""Every scenario script prints what is recorded in it; its file name is the claim."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from script_commands import Stage
from scripts import compare, parse, replay

SCRIPTS = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.fixture(params=SCRIPTS, ids=lambda path: path.stem)
def script(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def recorded(script: Path) -> str:
    return script.read_text()


async def test_script(script: Path, recorded: str, stage: Stage) -> None:
    found = await replay(recorded, stage.run)
    compare(script, found, record="ATOLL_RECORD" in os.environ)


def test_a_script_whose_output_differs_fails(tmp_path: Path) -> None:
    path = tmp_path / "claim.txt"
    path.write_text("say one\n---\nsay two\n")
    with pytest.raises(AssertionError, match=r"-say two"):
        compare(path, "say one\n---\nsay one\n", record=False)
    compare(path, "say one\n---\nsay one\n", record=True)
    compare(path, "say one\n---\nsay one\n", record=False)


async def test_what_is_printed_takes_the_place_of_what_was_recorded() -> None:
    async def echo(command: list[str]) -> list[str]:
        return [" ".join(command)]

    assert await replay("say one # two\n---\nsay two\n", echo) == "say one # two\n---\nsay one\n"


async def test_a_block_that_prints_nothing_says_ok() -> None:
    async def silent(command: list[str]) -> list[str]:
        return []

    assert await replay("# why\na\nb\n---\n\nc\n---\nok\n", silent) == "# why\na\nb\n---\nok\n\nc\n---\nok\n"


def test_commands_without_a_result_are_refused() -> None:
    with pytest.raises(AssertionError, match="without a ---"):
        parse("a\n---\nok\n\nb\n")
