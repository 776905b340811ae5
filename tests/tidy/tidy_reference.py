"""What the reference must document, read from the code itself: operations, settings, events and metrics."""

from __future__ import annotations

import importlib
import re

import botocore.session
import msgspec
import tidy_tree

from atoll import config, observability
from region.events import Event


def operations() -> set[str]:
    """Return the names of all operations of both service models."""
    session = botocore.session.get_session()
    return {
        name
        for service in ("dynamodb", "dynamodbstreams")
        for name in session.get_service_model(service).operation_names
    }


def settings() -> set[str]:
    """Return the dotted paths of all settings."""
    return set(config.settings())


def events() -> dict[str, tuple[str, ...]]:
    """Return the fields of every event class by its name, wherever in the product it is defined."""
    for path in tidy_tree.product_files():
        if "import Event" in path.read_text() or "events" in path.name:
            importlib.import_module(tidy_tree.module(path))
    found: dict[str, tuple[str, ...]] = {}
    waiting: list[type[msgspec.Struct]] = [Event]
    while waiting:
        for event in waiting.pop().__subclasses__():
            found[event.__name__] = event.__struct_fields__
            waiting.append(event)
    return found


def metrics() -> set[str]:
    """Return the names of all metrics of Atoll, as a scrape shows them; those of the process are Prometheus's own."""
    return metric_names(observability.Metrics().text().decode())


def metric_names(scraped: str) -> set[str]:
    """Return the names of Atoll's metrics in Prometheus's text format, those without samples included."""
    return set(re.findall(r"^# TYPE (atoll_\w+) ", scraped, re.MULTILINE))
