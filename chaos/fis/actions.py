"""The actions that an experiment can take, their parameters and their targets, as AWS's actions reference lists them.

Durations are ISO 8601. AWS takes from one minute to twelve hours; here a second is enough, because an experiment on
one's own machine has no reason to last longer.

Source: AWS FIS user guide, "AWS FIS Actions reference" and "Targets for AWS FIS".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from chaos.fis.errors import ValidationError

PAUSE: Final = "aws:dynamodb:global-table-pause-replication"
WAIT: Final = "aws:fis:wait"
GLOBAL_TABLE: Final = "aws:dynamodb:global-table"
DURATION_S_MAX: Final = 12 * 60 * 60
_DURATION: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_SELECTION: Final = re.compile(r"ALL|COUNT\(([1-9]\d*)\)|PERCENT\((\d+)\)")


class Action(NamedTuple):
    """One kind of action: what it does, and the target it takes by the name of its kind; every one has a duration."""

    id: str
    description: str
    target: str | None

    def describe(self, arn_prefix: str) -> dict[str, Any]:
        """Return the answer of GetAction."""
        targets = {} if self.target is None else {self.target: {"resourceType": GLOBAL_TABLE}}
        return {
            "id": self.id,
            "arn": f"{arn_prefix}:action/{self.id}",
            "description": self.description,
            "parameters": {"duration": {"description": "The duration of the action (ISO 8601).", "required": True}},
            "targets": targets,
            "tags": {},
        }


ACTIONS: Final[Mapping[str, Action]] = {
    PAUSE: Action(
        PAUSE, "Pause replication of a global table's replica in this region to and from all others.", "Tables"
    ),
    WAIT: Action(WAIT, "Wait.", None),
}


def duration_s(text: str) -> float:
    """Return an ISO 8601 duration such as ``PT5M`` in seconds.

    Raises:
        ValidationError: it is none, or not within the bounds.
    """
    match = _DURATION.fullmatch(text)
    seconds = 0.0
    if match is not None and text[-1] not in "PT":
        days, hours, minutes, rest = (float(part or 0) for part in match.groups())
        seconds = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    if not 1 <= seconds <= DURATION_S_MAX:
        raise ValidationError(f"Invalid duration: {text}. A duration is ISO 8601, from PT1S to PT12H.")
    return seconds


def select(mode: str, found: list[str]) -> list[str]:
    """Return the targets that a selection mode takes out of those found: the first ones, so that a run can be repeated.

    Raises:
        ValidationError: the mode is none of ``ALL``, ``COUNT(n)`` and ``PERCENT(n)``.
    """
    match = _SELECTION.fullmatch(mode)
    if match is None or int(match[2] or 1) not in range(1, 101):
        raise ValidationError(f"Invalid selection mode: {mode}. It is ALL, COUNT(n) or PERCENT(n).")
    if match[1]:
        return found[: int(match[1])]
    if match[2]:
        return found[: len(found) * int(match[2]) // 100]
    return found


def check(template: Mapping[str, Any]) -> None:
    """Refuse a template whose parts do not fit each other.

    Raises:
        ValidationError: an action, a parameter, a target or an order that does not exist.
    """
    actions, targets = template["actions"], template.get("targets", {})
    if not actions:
        raise ValidationError("The template must have at least one action.")
    for name, action in actions.items():
        kind = ACTIONS.get(action["actionId"])
        if kind is None:
            raise ValidationError(f"Invalid action id {action['actionId']} of action {name}.")
        parameters = action.get("parameters", {})
        if set(parameters) != {"duration"}:
            raise ValidationError(f"Action {name} takes the parameter duration, and needs it.")
        duration_s(parameters["duration"])
        if set(action.get("targets", {})) != ({kind.target} if kind.target else set()):
            raise ValidationError(f"Action {name} takes {'the target ' + kind.target if kind.target else 'no target'}.")
        for target in action.get("targets", {}).values():
            if target not in targets:
                raise ValidationError(f"Action {name} names the target {target}, which the template does not define.")
        for before in action.get("startAfter", ()):
            if before not in actions:
                raise ValidationError(f"Action {name} starts after {before}, which the template does not define.")
    for name, target in targets.items():
        _check_target(name, target)
    order(actions)


def _check_target(name: str, target: Mapping[str, Any]) -> None:
    if target["resourceType"] != GLOBAL_TABLE:
        raise ValidationError(
            f"Target {name} has the resource type {target['resourceType']}; only {GLOBAL_TABLE} is known."
        )
    if bool(target.get("resourceArns")) == bool(target.get("resourceTags")):
        raise ValidationError(f"Target {name} must have either resourceArns or resourceTags.")
    if target.get("filters"):
        raise ValidationError(f"Target {name} has filters, which {GLOBAL_TABLE} does not take.")
    select(target["selectionMode"], [])


def order(actions: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the actions' names so that each comes after those that it starts after.

    Raises:
        ValidationError: they wait for each other in a circle.
    """
    done: list[str] = []
    while len(done) < len(actions):
        ready = [n for n, a in actions.items() if n not in done and set(a.get("startAfter", ())) <= set(done)]
        if not ready:
            raise ValidationError("The actions wait for each other in a circle (startAfter).")
        done += ready
    return done
