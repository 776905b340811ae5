from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from atoll import child, observability
from atoll.config import LogConfig
from atoll.kinesis import events as delivered
from atoll.observability import Logs, Metrics
from atoll.samples import endpoint_samples, link_samples
from atoll.triggers import events as triggered
from region import events as regional
from region.events import Committed, Event, StoreFailed
from region.wire.statistics import SUCCESS, EndpointStatistics
from replication import events as replicated
from replication.lag import Latency, LinkState, LinkStatus

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference"

LINK = LinkStatus(
    source="a",
    sink="b",
    at="a",
    state=LinkState.PAUSED,
    detail="",
    sequence=1,
    head=3,
    records_behind=2,
    oldest_unacknowledged_s=1.5,
    latency=Latency(3, 2, 9, 4),
    staleness_s=None,
    last_exchange_s=0.1,
    skew_ms=-20,
    changes=7,
    conflicts=1,
    connections=2,
    errors=0,
    paused_for_s=30.0,
)


def events() -> dict[str, type[Event]]:
    return {
        name: kind
        for module in (regional, replicated, delivered, triggered)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
    }


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in capsys.readouterr().err.splitlines()]


def test_every_event_has_a_level_and_stands_in_the_reference_with_it() -> None:
    assert set(observability.EVENT_LEVELS) == set(events().values())
    rows = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", (REFERENCE / "events.md").read_text(), re.MULTILINE))
    assert rows == {kind.__name__: level for kind, level in observability.EVENT_LEVELS.items()}


def test_every_metric_stands_in_the_reference_with_its_type() -> None:
    kinds = {name: family.type for name, family in observability.families().items()}
    rows = dict(re.findall(r"^\| `(atoll_\w+)` \| (\w+) \|", (REFERENCE / "metrics.md").read_text(), re.MULTILINE))
    assert rows == kinds


def test_events_become_lines_with_their_fields_and_the_region(capsys: pytest.CaptureFixture[str]) -> None:
    logs = Logs(LogConfig(), "us-east-1")
    logs.open()
    logs.listen(StoreFailed("the disk is full", 3))
    (line,) = logged(capsys)
    assert line.pop("timestamp")
    assert line == {
        "event": "store_failed",
        "level": "error",
        "region": "us-east-1",
        "reason": "the disk is full",
        "requests": 3,
    }


def test_events_below_the_level_are_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs = Logs(LogConfig(level="error"), "us-east-1")
    logs.open()
    logs.listen(Committed(1, 1))
    logs.listen(replicated.LinkFailed("a", "b", "gone"))
    logs.say("info", "ready")
    assert logged(capsys) == []


def test_what_happens_before_the_log_opens_is_kept_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    logs = Logs(LogConfig(level="debug"), "us-east-1")
    logs.listen(Committed(1, 1))
    logs.say("info", "second")
    assert logged(capsys) == []
    logs.open()
    logs.open()
    assert [line["event"] for line in logged(capsys)] == ["committed", "second"]


def test_an_error_is_logged_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    logs = Logs(LogConfig(), "us-east-1")
    logs.open()
    try:
        raise ValueError("oh")
    except ValueError as error:
        logs.say("error", "unhandled", exc_info=error)
    (line,) = logged(capsys)
    assert "ValueError: oh" in str(line["exception"])


def test_console_format_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs = Logs(LogConfig(format="console"), "us-east-1")
    logs.open()
    logs.say("info", "ready", api="http://a")
    assert "ready" in (text := capsys.readouterr().err)
    assert "api=http://a" in text


def test_events_are_counted() -> None:
    metrics = Metrics()
    for event in (Committed(1, 5), Committed(6, 2), StoreFailed("x", 1)):
        metrics.listen(event)
    text = metrics.text().decode()
    assert "atoll_commits_total 2.0" in text
    assert "atoll_committed_changes_total 7.0" in text
    assert "atoll_store_failures_total 1.0" in text


def test_a_link_shows_its_numbers_and_nothing_for_what_is_not_known() -> None:
    text = Metrics([lambda: link_samples([LINK])]).text().decode()
    assert 'atoll_link_records_behind{sink="b",source="a"} 2.0' in text
    assert 'atoll_link_state{sink="b",source="a",state="paused"} 1.0' in text
    assert 'atoll_link_state{sink="b",source="a",state="live"} 0.0' in text
    assert 'atoll_link_replication_latency_seconds{quantile="0.99",sink="b",source="a"} 0.009' in text
    assert 'atoll_link_skew_seconds{sink="b",source="a"} -0.02' in text
    assert "atoll_link_staleness_seconds{" not in text


def test_requests_are_shown_by_operation_error_and_duration() -> None:
    statistics = EndpointStatistics(("GetItem", "PutItem"))
    statistics.operations["GetItem"].unnamed.add(0.00005, SUCCESS)
    statistics.operations["GetItem"].unnamed.add(0.003, "ResourceNotFoundException")
    text = Metrics([lambda: endpoint_samples(statistics)]).text().decode()
    assert 'atoll_requests_total{operation="GetItem"} 2.0' in text
    assert 'atoll_request_errors_total{error="ResourceNotFoundException",operation="GetItem"} 1.0' in text
    assert 'atoll_request_seconds_bucket{le="6.4e-05",operation="GetItem"} 1.0' in text
    assert 'atoll_request_seconds_bucket{le="+Inf",operation="GetItem"} 2.0' in text
    assert 'operation="PutItem"' not in text


def test_asking_a_cluster_loads_neither_the_region_nor_an_http_server() -> None:
    code = (
        "import sys, atoll.cluster, atoll.cli.lag, atoll.cli.pause, atoll.cli.resume;"
        "print(sorted({'aiohttp', 'apsw', 'region', 'replication', 'structlog', 'rich', 'boto3'} & set(sys.modules)))"
    )
    command = [sys.executable, "-P", "-c", code]
    found = subprocess.run(command, env=child.environment(), capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
