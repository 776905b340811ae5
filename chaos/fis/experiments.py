"""Experiments: what was asked for in a template, carried out in one region, step by step, and undone at the end.

What: :class:`Experiments` keeps templates and experiments of one region. A started experiment resolves its targets,
runs each action once those before it have ended, and ends completed, stopped or failed. Pausing a table's replication
has an expiry of its own, so that a pause ends even if nobody is left to end it.

Invariants: what an action began, its end undoes, however it ends; states only go forward, by the model's names. A
request that is refused has changed nothing. A token that comes again answers what it answered.

Hazards: templates and experiments live as long as the region's process; a stop condition is kept and shown, but there
are no alarms here that could meet it.

Source: botocore's ``fis`` model; AWS FIS user guide, "Experiment states".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from chaos.fis import actions
from chaos.fis.errors import ConflictError, FisError, QuotaError, ResourceNotFoundError, ValidationError
from clock import PhysicalClock
from region.randomness import Rng

TEMPLATES_MAX: Final = 500
EXPERIMENTS_KEPT: Final = 1000
ENDED: Final = frozenset({"completed", "stopped", "failed", "cancelled"})
_ECHOED: Final = ("experimentOptions", "logConfiguration", "experimentReportConfiguration")


class Region(Protocol):
    """What experiments need of their region."""

    @property
    def name(self) -> str:
        """The region's name."""

    @property
    def account(self) -> str:
        """The region's AWS account."""

    def global_tables(self) -> Mapping[str, Mapping[str, str]]:
        """Return the tags of every global table held here, by the table's ARN."""

    def pause(self, arn: str, seconds: float) -> None:
        """Pause replication of a table's replica to and from all others for a time."""

    def resume(self, arn: str) -> None:
        """End what :meth:`pause` began."""


class Experiments:
    """Templates and experiments of one region. Everything belongs to the event loop's thread."""

    def __init__(self, region: Region, clock: PhysicalClock, rng: Rng) -> None:
        self.templates: dict[str, dict[str, Any]] = {}
        self.experiments: dict[str, dict[str, Any]] = {}
        self.arn_prefix = f"arn:aws:fis:{region.name}:{region.account}"
        self._region = region
        self._clock = clock
        self._rng = rng
        self._tokens: dict[str, tuple[Mapping[str, Any], str]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    # Templates.

    def create_template(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a template; return it.

        Raises:
            FisError: it does not fit itself, its token was used for another, or there are too many.
        """
        if known := self._seen(request, self.templates):
            return known
        actions.check(request)
        if len(self.templates) >= TEMPLATES_MAX:
            raise QuotaError(f"There are {TEMPLATES_MAX} experiment templates already.")
        now_s = self._now_s()
        template: dict[str, Any] = {
            **_without_token(request),
            **self._identity("experiment-template", "EXT"),
            "targets": request.get("targets", {}),
            "experimentOptions": _options(request),
            "tags": request.get("tags", {}),
            "creationTime": now_s,
            "lastUpdateTime": now_s,
            "targetAccountConfigurationsCount": 0,
        }
        self._remember(request, template, self.templates)
        return template

    def update_template(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Change parts of a template; experiments under way keep what they were started with.

        Raises:
            FisError: there is no such template, or the outcome does not fit itself.
        """
        template = self.template(request["id"])
        changed = {**template, **request, "lastUpdateTime": self._now_s()}
        changed["experimentOptions"] = {**template["experimentOptions"], **request.get("experimentOptions", {})}
        actions.check(changed)
        self.templates[request["id"]] = changed
        return changed

    def template(self, id_: str) -> dict[str, Any]:
        """Return a template.

        Raises:
            ResourceNotFoundError: there is none.
        """
        if id_ not in self.templates:
            raise ResourceNotFoundError(f"Experiment template {id_} could not be found.")
        return self.templates[id_]

    def delete_template(self, id_: str) -> dict[str, Any]:
        """Delete a template; experiments started from it go on.

        Raises:
            ResourceNotFoundError: there is none.
        """
        template = self.template(id_)
        del self.templates[id_]
        return template

    # Experiments.

    def start(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Start an experiment; return it as it is now, about to run.

        Raises:
            FisError: there is no such template, or the token was used for another.
        """
        if known := self._seen(request, self.experiments):
            return known
        template = self.template(request["experimentTemplateId"])
        options = {**template["experimentOptions"], "actionsMode": "run-all", **request.get("experimentOptions", {})}
        experiment: dict[str, Any] = {
            **self._identity("experiment", "EXP"),
            "experimentTemplateId": template["id"],
            "roleArn": template["roleArn"],
            "state": _state("pending", "Experiment is pending."),
            "targets": template["targets"],
            "actions": {
                name: {**action, "state": _state("pending", "Initial state")}
                for name, action in template["actions"].items()
            },
            "stopConditions": template["stopConditions"],
            "creationTime": self._now_s(),
            "startTime": self._now_s(),
            "tags": request.get("tags", {}),
            "targetAccountConfigurationsCount": 0,
            **{name: template[name] for name in _ECHOED if name in template},
            "experimentOptions": options,
        }
        self._remember(request, experiment, self.experiments)
        self._forget_ended()
        task = asyncio.get_running_loop().create_task(self._run(experiment))
        self._tasks[experiment["id"]] = task
        task.add_done_callback(lambda _: self._tasks.pop(experiment["id"], None))
        return experiment

    def experiment(self, id_: str) -> dict[str, Any]:
        """Return an experiment.

        Raises:
            ResourceNotFoundError: there is none.
        """
        if id_ not in self.experiments:
            raise ResourceNotFoundError(f"Experiment {id_} could not be found.")
        return self.experiments[id_]

    def stop(self, id_: str) -> dict[str, Any]:
        """Stop an experiment: what it began is undone.

        Raises:
            FisError: there is none, or it has ended.
        """
        experiment = self.experiment(id_)
        if experiment["state"]["status"] in ENDED:
            raise ValidationError(f"Experiment {id_} cannot be stopped: it is {experiment['state']['status']}.")
        begun = experiment["state"]["status"] != "pending"
        experiment["state"] = _state("stopping", "Experiment stopping.")
        self._tasks[id_].cancel()
        if not begun:  # A task that is cancelled before its first step has nothing to undo, and no chance to say so.
            self._stopped(experiment)
        return experiment

    async def close(self) -> None:
        """Stop every experiment and undo what it began."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, experiment: dict[str, Any]) -> None:
        try:
            experiment["state"] = _state("initiating", "Experiment is initiating.")
            targets = self._resolve(experiment)
            if experiment["experimentOptions"]["actionsMode"] == "skip-all":
                self._skip(experiment["actions"])
            else:
                experiment["state"] = _state("running", "Experiment is running.")
                await self._act(experiment["actions"], targets)
            self._end(experiment, "completed", "Experiment completed.")
        except asyncio.CancelledError:
            self._stopped(experiment)
        except FisError as error:
            self._cancel_waiting(experiment["actions"])
            self._end(experiment, "failed", str(error))

    def _stopped(self, experiment: dict[str, Any]) -> None:
        self._cancel_waiting(experiment["actions"])
        self._end(experiment, "stopped", "Experiment halted by user request.")

    def _resolve(self, experiment: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return the tables that each target stands for now."""
        held = self._region.global_tables()
        resolved: dict[str, list[str]] = {}
        for name, target in experiment["targets"].items():
            wanted = target.get("resourceArns")
            tags = target.get("resourceTags", {}).items()
            found = [a for a, have in held.items() if (a in wanted if wanted else tags <= have.items())]
            resolved[name] = actions.select(target["selectionMode"], sorted(found))
            empty = "skip" if experiment["experimentOptions"]["emptyTargetResolutionMode"] == "skip" else "fail"
            if not resolved[name] and empty == "fail":
                raise ValidationError(f"Target resolution returned empty set: no global table here matches {name}.")
        return resolved

    async def _act(self, steps: dict[str, dict[str, Any]], targets: Mapping[str, Sequence[str]]) -> None:
        """Run every action once those that it starts after have ended; all end when one fails."""
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for name in actions.order(steps):
                    before = [tasks[other] for other in steps[name].get("startAfter", ())]
                    tasks[name] = group.create_task(self._action(steps[name], before, targets))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _action(
        self, action: dict[str, Any], before: Sequence[asyncio.Task[None]], targets: Mapping[str, Sequence[str]]
    ) -> None:
        for task in before:
            await asyncio.shield(task)
        arns = [arn for target in action.get("targets", {}).values() for arn in targets[target]]
        if action["actionId"] != actions.WAIT and not arns:
            action["state"] = _state("skipped", "Action was skipped: its target is empty.")
            return
        seconds = actions.duration_s(action["parameters"]["duration"])
        action["startTime"] = self._now_s()
        action["state"] = _state("running", "Action is running.")
        status, reason = "stopped", "Action was stopped."
        try:
            for arn in arns:
                self._region.pause(arn, seconds)
            await asyncio.sleep(seconds)
            status, reason = "completed", "Action was completed."
        except FisError as error:
            status, reason = "failed", str(error)
            raise
        finally:
            for arn in arns:
                self._region.resume(arn)
            action["endTime"] = self._now_s()
            action["state"] = _state(status, reason)

    @staticmethod
    def _skip(steps: dict[str, dict[str, Any]]) -> None:
        for action in steps.values():
            action["state"] = _state("skipped", "Action was skipped: actionsMode is skip-all.")

    @staticmethod
    def _cancel_waiting(steps: dict[str, dict[str, Any]]) -> None:
        for action in steps.values():
            if action["state"]["status"] == "pending":
                action["state"] = _state("cancelled", "Action was cancelled.")

    def _end(self, experiment: dict[str, Any], status: str, reason: str) -> None:
        experiment["state"] = _state(status, reason)
        experiment["endTime"] = self._now_s()

    # Names and tokens.

    def _seen(self, request: Mapping[str, Any], kept: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
        """Return what the request's token made before, if it is there still."""
        token = request["clientToken"]
        if token not in self._tokens:
            return None
        asked, id_ = self._tokens[token]
        if asked != request:
            raise ConflictError("The client token was used before, with other parameters.")
        return kept.get(id_)

    def _remember(self, request: Mapping[str, Any], made: dict[str, Any], kept: dict[str, dict[str, Any]]) -> None:
        kept[made["id"]] = made
        self._tokens[request["clientToken"]] = (request, made["id"])
        while len(self._tokens) > TEMPLATES_MAX + EXPERIMENTS_KEPT:
            self._tokens.pop(next(iter(self._tokens)))

    def _forget_ended(self) -> None:
        """Keep no more than the last experiments."""
        for id_, experiment in list(self.experiments.items())[:-EXPERIMENTS_KEPT]:
            if experiment["state"]["status"] in ENDED:
                del self.experiments[id_]

    def _identity(self, kind: str, prefix: str) -> dict[str, str]:
        id_ = prefix + self._rng.token(8)[1:]
        return {"id": id_, "arn": f"{self.arn_prefix}:{kind}/{id_}"}

    def _now_s(self) -> float:
        return self._clock.now_ms() / 1000


def _state(status: str, reason: str) -> dict[str, str]:
    return {"status": status, "reason": reason}


def _without_token(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name != "clientToken"}


def _options(request: Mapping[str, Any]) -> dict[str, Any]:
    given = request.get("experimentOptions", {})
    return {"accountTargeting": "single-account", "emptyTargetResolutionMode": "fail", **given}
