from __future__ import annotations

from collections.abc import Mapping

import pytest

from atoll import pausing
from atoll.failure import UnknownRegionError, UnreachableError, UsageError
from atoll.pausing import Target
from atoll.remote import AdminClient
from atoll.report import PauseRequest


class Asked:
    """Stands in for the call to a region: keeps what was asked, and fails for regions that are down."""

    def __init__(self, down: frozenset[str] = frozenset()) -> None:
        self.requests: list[tuple[str, PauseRequest]] = []
        self._down = down

    def __call__(self, client: AdminClient, request: PauseRequest) -> list[str]:
        if client.url in self._down:
            raise UnreachableError(f"No region answers at {client.url}.", "")
        self.requests.append((client.url, request))
        return ["a->b"]


CLIENTS: Mapping[str, AdminClient] = {"a": AdminClient("a"), "b": AdminClient("b")}


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("us-east-1", Target(region="us-east-1")),
        ("us-east-1->eu-west-1", Target(source="us-east-1", sink="eu-west-1")),
        (" us-east-1 -> eu-west-1 ", Target(source="us-east-1", sink="eu-west-1")),
        ("us-east-1:eu-west-1", Target(source="us-east-1", sink="eu-west-1")),
        ("us-east-1→eu-west-1", Target(source="us-east-1", sink="eu-west-1")),
    ],
)
def test_regions_and_links_are_understood(text: str, target: Target) -> None:
    assert pausing.parse(text) == target


@pytest.mark.parametrize("text", ["", "->", "a->", "->b", "a->a", "a->b->c"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is neither a region nor a link"):
        pausing.parse(text)


def test_a_region_is_asked_alone() -> None:
    asked = Asked()
    pausing.apply(CLIENTS, Target(region="a"), asked, direction="in", for_ms=5)
    assert asked.requests == [("a", PauseRequest(direction="in", for_ms=5))]


def test_a_link_is_paused_at_both_of_its_ends() -> None:
    asked = Asked()
    assert pausing.apply(CLIENTS, Target(source="a", sink="b"), asked, direction="both") == ["a->b"]
    assert asked.requests == [
        ("b", PauseRequest(peer="a", direction="in")),
        ("a", PauseRequest(peer="b", direction="out")),
    ]


@pytest.mark.parametrize("down", ["a", "b"])
def test_a_link_with_one_end_down_is_paused_at_the_other(down: str) -> None:
    assert pausing.apply(CLIENTS, Target(source="a", sink="b"), Asked(frozenset(down)), direction="both") == ["a->b"]


def test_a_link_with_both_ends_down_cannot_be_paused() -> None:
    with pytest.raises(UnreachableError):
        pausing.apply(CLIENTS, Target(source="a", sink="b"), Asked(frozenset("ab")), direction="both")


@pytest.mark.parametrize("target", [Target(region="c"), Target(source="a", sink="c"), Target(source="c", sink="a")])
def test_an_unknown_region_is_refused(target: Target) -> None:
    with pytest.raises(UnknownRegionError):
        pausing.apply(CLIENTS, target, Asked(), direction="both")
