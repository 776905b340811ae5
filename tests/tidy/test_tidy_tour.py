"""The tour's code runs, and its assertions hold; pages that start regions are run by ``tests/conformance/clients``."""

from __future__ import annotations

from pathlib import Path

import pytest
import tidy_documents
import tidy_tree

PAGES = sorted((tidy_tree.ROOT / "docs" / "tour").glob("[1-689]-*.md"))
WALKS = ["1-clock", "2-model", "3-store", "4-engine", "5-wire", "6-replication", "8-simulation", "9-watching"]


def test_the_tour_has_its_walks() -> None:
    assert [page.stem for page in PAGES] == WALKS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_of_the_tour_does_what_the_page_says(page: Path) -> None:
    blocks = tidy_documents.code_blocks(page.read_text(), "python")
    assert blocks
    exec(compile("\n".join(blocks), page.name, "exec"), {"__name__": page.stem})
