"""Making a global table in running regions, with the calls that an application would make.

Source: AWS developer guide, "Global tables: create a global table" (``UpdateTable`` with ``ReplicaUpdates``, one region
a call).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Literal

from atoll.failure import RemedyError
from atoll.remote import DynamoCaller, RequestError

Key = str | tuple[str, Literal["S", "N", "B"]]
POLL_S: Final = 0.004
POLL_MAX_S: Final = 0.1


class DeadlineError(RemedyError):
    """Something awaited did not happen in time."""


def create_global_table(
    callers: Mapping[str, DynamoCaller], name: str, hash_key: Key, range_key: Key | None, timeout_s: float
) -> None:
    """Create a table in the first of the callers' regions and a replica in each other; wait until all are ACTIVE.

    Raises:
        RequestError: a region refused.
        DeadlineError: it took longer than ``timeout_s``.
    """
    deadline = time.monotonic() + timeout_s
    members = tuple(callers)
    first = callers[members[0]]
    first.call("CreateTable", _definition(name, hash_key, range_key))
    wait(partial(is_active, first, name, set()), deadline, f"{name} did not become ACTIVE in {members[0]}.")
    for count, member in enumerate(members[1:], start=2):
        first.call("UpdateTable", {"TableName": name, "ReplicaUpdates": [{"Create": {"RegionName": member}}]})
        for region in members[:count]:
            others = set(members[:count]) - {region}
            problem = f"{name} did not become ACTIVE in {region} with its replicas."
            wait(partial(is_active, callers[region], name, others), deadline, problem)


def _definition(name: str, hash_key: Key, range_key: Key | None) -> dict[str, object]:
    named = [(hash_key, "HASH"), *([(range_key, "RANGE")] if range_key else [])]
    keys = [((key, "S") if isinstance(key, str) else key, kind) for key, kind in named]
    return {
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": key[0], "AttributeType": key[1]} for key, _ in keys],
        "KeySchema": [{"AttributeName": key[0], "KeyType": kind} for key, kind in keys],
        "BillingMode": "PAY_PER_REQUEST",
    }


def is_active(caller: DynamoCaller, table: str, others: set[str]) -> bool:
    """Whether the table is ACTIVE in the caller's region, and so is the replica in each of ``others``."""
    try:
        description = caller.call("DescribeTable", {"TableName": table})["Table"]
    except RequestError as error:
        if error.name != "ResourceNotFoundException":
            raise
        return False
    replicas = {replica["RegionName"]: replica.get("ReplicaStatus") for replica in description.get("Replicas", ())}
    return description["TableStatus"] == "ACTIVE" and all(replicas.get(region) == "ACTIVE" for region in others)


def wait(condition: Callable[[], bool], deadline: float, problem: str) -> None:
    """Ask again and again, more and more slowly, until the condition holds.

    Raises:
        DeadlineError: the deadline (on the monotonic clock, in seconds) has passed; ``problem`` says what was missing.
    """
    pause_s = POLL_S
    while not condition():
        if time.monotonic() > deadline:
            raise DeadlineError(problem, "The regions' logs (region.log) say more.")
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, POLL_MAX_S)
