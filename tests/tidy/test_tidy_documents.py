"""The documents say what the code does: no dead link, no undocumented name, no documented name that is not there."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import tidy_checks
import tidy_documents
import tidy_reference
import tidy_tree

REFERENCE = tidy_tree.ROOT / "docs" / "reference"


def page(name: str) -> str:
    """Return the text of a page of the reference."""
    return (REFERENCE / name).read_text()


def test_every_internal_link_leads_somewhere() -> None:
    broken = [
        f"{tidy_tree.name(path)}: {link}"
        for path in tidy_tree.documents()
        for link in tidy_documents.broken_links(path, path.read_text())
    ]
    assert broken == []


def test_no_committed_text_names_one_machine_or_workplace() -> None:
    found = [
        f"{tidy_tree.name(path)}: {finding}"
        for path in tidy_tree.texts()
        for finding in tidy_checks.machine_words(path.read_text())
    ]
    assert found == []


def test_every_package_has_a_design_page() -> None:
    assert [name for name in tidy_tree.packages() if not (tidy_tree.ROOT / name / "DESIGN.md").is_file()] == []


def test_the_table_of_operations_is_what_the_code_says() -> None:
    pages = runpy.run_path(str(tidy_tree.ROOT / "docs" / "generate.py"))["PAGES"]
    outdated = [name for name, generate in pages.items() if page(name) != generate()]
    assert outdated == [], "run `make docs`"


def test_the_table_of_operations_lists_every_operation_of_both_service_models() -> None:
    listed = tidy_documents.table_names(page("operations.md"))
    assert sorted(tidy_reference.operations() - listed) == []


def test_every_setting_is_documented_and_no_other() -> None:
    listed = tidy_documents.table_names(page("configuration.md"))
    assert sorted(tidy_reference.settings() - listed) == []
    assert sorted(listed - tidy_reference.settings()) == []


def test_every_event_is_documented_with_its_fields_and_no_other() -> None:
    text = page("events.md")
    events = tidy_reference.events()
    assert sorted(set(events) - tidy_documents.table_names(text)) == []
    assert sorted(tidy_documents.table_names(text) - set(events)) == []
    fields = tidy_documents.table_column(text, "fields")
    assert {name: set(listed) for name, listed in fields.items()} == {name: set(own) for name, own in events.items()}


def test_every_metric_is_documented_and_no_other() -> None:
    listed = tidy_documents.table_names(page("metrics.md"))
    assert sorted(tidy_reference.metrics() - listed) == []
    assert sorted(listed - tidy_reference.metrics()) == []


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("[a](missing.md)", ["missing.md"]),
        ("[a](page.md#nowhere)", ["page.md#nowhere"]),
        ("![a](missing.png)", ["missing.png"]),
        ("[a](#nowhere)", ["#nowhere"]),
        ("[a](page.md) [b](page.md#the-write-path) [c](https://example.org/x)", []),
        ("```\n[a](missing.md)\n```\n", []),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, text: str, broken: list[str]) -> None:
    (tmp_path / "page.md").write_text("# Page\n\n## The write path\n")
    assert tidy_documents.broken_links(tmp_path / "index.md", text) == broken


def test_names_of_a_table_are_those_in_its_first_column() -> None:
    table = "Text with `code`.\n\n| name | meaning |\n|---|---|\n| `a_b` | not `c` |\n| `d`, `e` | x |\n"
    assert tidy_documents.table_names(table) == {"a_b", "d", "e"}


def test_a_column_is_read_by_its_title() -> None:
    table = "| name | level | fields |\n|---|---|---|\n| `a` | `x` | `b`, `c` |\n| `d` | y | |\n\n"
    other = "| name |\n|---|\n| `e` |\n"
    assert tidy_documents.table_column(table + other, "fields") == {"a": ("b", "c"), "d": ()}


def test_metric_names_are_read_from_what_a_scrape_shows() -> None:
    scraped = "# HELP atoll_a_total A.\n# TYPE atoll_a_total counter\natoll_a_total 1.0\n# TYPE process_x gauge\n"
    assert tidy_reference.metric_names(scraped) == {"atoll_a_total"}


def test_one_module_alone_speaks_to_prometheus() -> None:
    speakers = [
        tidy_tree.name(path) for path in tidy_tree.product_files() if "import prometheus_client" in path.read_text()
    ]
    assert speakers == ["atoll/observability.py"]
