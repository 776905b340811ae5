"""Triggers in configurations: read from TOML, handed to a region's process, and refused with a remedy."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from atoll import config
from atoll.failure import ConfigError, UsageError
from atoll.triggering import target_of
from atoll.triggers.settings import TriggerSettings, kind_of, url_of

TOML = """
[functions]
archive = "handlers:archive"

[[triggers]]
name = "archive"
table = "readings"
function = "archive"
batch_size = 500
batching_window_s = 5
filters = ['{"eventName": ["INSERT"]}']

[[triggers]]
name = "notify"
table = "readings"
function = "http://127.0.0.1:9000/hook"
"""


def load(tmp_path: Path, text: str) -> config.Config:
    file = tmp_path / "region.toml"
    file.write_text(text)
    return config.load(file)


def test_triggers_of_a_file_reach_the_process_as_they_are(tmp_path: Path) -> None:
    loaded = load(tmp_path, TOML)
    assert [trigger.name for trigger in loaded.triggers] == ["archive", "notify"]
    assert loaded.triggers[0].batch_size == 500
    assert loaded.functions == {"archive": "handlers:archive"}
    encoded = tmp_path / "region.json"
    encoded.write_bytes(config.encode(loaded))
    assert config.load(encoded) == loaded


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("batch_size = 500", "batch_size = 10001"), r"Expected `int` <= 10000 - at `\$\[0\].batch_size`"),
        (("batch_size", "batchsize"), "batchsize"),
        (('name = "notify"', 'name = "archive"'), "several triggers called archive"),
        (('function = "archive"', 'function = "other"'), r"calls other, which \[functions\] does not have"),
        (('"INSERT"', '{"like": 1}'), "no condition 'like'"),
        (("batch_size = 500", "record_age_s = 30"), "60 to 604800"),
        (("batch_size = 500", "backoff_min_ms = 60001"), "backoff_min_ms is above backoff_max_ms"),
        (("http://127.0.0.1:9000/hook", "what is this"), "is no function"),
    ],
)
def test_a_trigger_that_cannot_be_meant_so_is_refused_before_anything_starts(
    tmp_path: Path, change: tuple[str, str], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        load(tmp_path, TOML.replace(*change))


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        ("archive", "name"),
        ("handlers:archive", "callable"),
        ("shop.handlers:archive", "callable"),
        ("/srv/shop/handlers:archive", "callable"),
        ("/srv/shop/main.py:archive", "callable"),
        ("main.py:archive", "callable"),
        ("http://x/y", "http"),
        ("lambda://127.0.0.1:9001/shop", "http"),
    ],
)
def test_functions_are_told_apart_by_their_text(function: str, kind: str) -> None:
    assert kind_of(function) == kind


def test_a_lambda_has_the_url_of_its_invoke() -> None:
    assert url_of("lambda://h:1/shop") == "http://h:1/2015-03-31/functions/shop/invocations"
    assert url_of("http://h:1/x") == "http://h:1/x"


def test_a_function_of_a_program_is_found_by_where_it_stands() -> None:
    assert target_of(load) == f"{Path(__file__).parent}/test_trigger_settings:load"
    with pytest.raises(UsageError, match="top level"):
        target_of(lambda event, context: None)


def test_every_setting_of_a_trigger_stands_in_the_reference_with_its_default() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "triggers.md").read_text()
    section = page.partition("## Settings\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*`) \| ([^|]*) \|", section, re.MULTILINE)
    told = {
        name: default
        for names, defaults in rows
        for name, default in zip(re.findall(r"`(\w+)`", names), defaults.replace("`", "").split(", "), strict=True)
    }
    fields = {field.name: field for field in msgspec.structs.fields(TriggerSettings) if field.name != "stream_label"}
    shown = {True: "true", False: "false", "": "none"}
    assert told == {
        name: "(needed)"
        if field.required
        else "none"
        if field.default_factory is list
        else shown.get(field.default, str(field.default))
        if isinstance(field.default, bool | str)
        else str(field.default)
        for name, field in fields.items()
    }
