"""The guard before the engine: every request of a principal is judged before anything is looked up for it.

What: :meth:`Guard.admit` takes an operation and returns what may run in its place, or raises AWS's
AccessDeniedException. A request is allowed when all that it needs is; of a BatchExecuteStatement each statement is
judged for itself.

Invariants: who may not do something is told the same whether its table exists or not. What is admitted is judged anew
if a table has changed between the decision and the moment when the operation runs, by the tables as that operation
sees them. Decisions that no condition bears on are kept, as are policies once compiled; both in bounded numbers.

Source: AWS IAM user guide, "Policy evaluation logic"; AWS API reference, "BatchStatementError".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from region.access import Case, Decision, Policy, PolicyError, Principal, compile_policy, denial
from region.authorization.demand import EVERYTHING, Demand
from region.authorization.demands import DEMANDS
from region.authorization.facts import Circumstances, Facts
from region.authorization.statements import demands_of
from region.errors import AccessDeniedError
from region.events import AccessDenied, Events
from region.model.change import Response
from region.operation.context import Context
from region.operation.registry import Operation, Run
from region.operation.table.policy_document import OWN

CASES_MAX: Final = 8192
POLICIES_MAX: Final = 512
BATCH: Final = "BatchExecuteStatement"
DENIED_STATEMENT: Final = "AccessDenied"
_SEALED: Final = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"},
}
"""What stands for a policy that cannot be evaluated."""

Tell = Callable[[], Circumstances]
_CaseKey = tuple[str, str, str, str | None]


class Guard:
    """The guard of one region; ``reading`` gives the tables as they are now, ``events`` hear of what is refused."""

    def __init__(self, reading: Callable[[], Context], events: Events | None = None) -> None:
        self._reading = reading
        self._events = events or Events()
        self._cases: dict[_CaseKey, Case] = {}

    def admit(self, operation: Operation, request: dict[str, Any], principal: Principal, tell: Tell) -> Operation:
        """Return what may run in place of an operation; ``tell`` says how the request came, when a policy asks.

        Raises:
            AccessDeniedError: it may not run.
            ValidationError, ResourceNotFoundError: the request names its table in a way that names none here.
        """
        context = self._reading()
        tables = context.catalogue.by_name
        admitted = self._admitted(context, operation, request, principal, tell)

        def run(context: Context, request: dict[str, Any]) -> Response:
            if context.catalogue.by_name is tables:
                return admitted(context, request)
            return self._admitted(context, operation, request, principal, tell)(context, request)

        return operation._replace(run=run)

    def require(self, action: str, principal: Principal, tell: Tell) -> None:
        """Judge an action of another service, which is about no resource of this region.

        Raises:
            AccessDeniedError: the principal may not do it.
        """
        demand = Demand(action, EVERYTHING)
        decision = self.judge(self._reading(), principal, demand, tell)
        if not decision.allowed:
            raise AccessDeniedError(self._refuse(principal, demand, decision))

    def forget(self) -> None:
        """Forget what was decided: principals have other policies now."""
        self._cases.clear()

    def judge(self, context: Context, principal: Principal, demand: Demand, tell: Tell) -> Decision:
        """Return the decision about one demand."""
        table = demand.table
        policy = None if table is None else table.local.extra.get(OWN, {}).get(demand.slot, {}).get("Policy")
        key = (principal.arn, demand.action, demand.resource, policy)
        case = self._cases.get(key)
        if case is None:
            if len(self._cases) >= CASES_MAX:
                self._cases.clear()
            case = self._cases[key] = Case(
                principal,
                demand.action,
                demand.resource,
                owner=context.settings.account,
                resource_policy=None if policy is None else _compiled(policy),
            )
        return case.settled or case.decide(Facts(principal, tell(), demand))

    def _admitted(
        self, context: Context, operation: Operation, request: dict[str, Any], principal: Principal, tell: Tell
    ) -> Run:
        if operation.name == BATCH:
            refused = self._refused(context, request, principal, tell)
            return _without(operation.run, refused) if refused else operation.run
        for demand in DEMANDS[operation.name](context, request):
            decision = self.judge(context, principal, demand, tell)
            if not decision.allowed:
                raise AccessDeniedError(self._refuse(principal, demand, decision))
        return operation.run

    def _refused(self, context: Context, request: dict[str, Any], principal: Principal, tell: Tell) -> dict[int, str]:
        """Return the statements of a batch that may not run, by their position, and why."""
        refused: dict[int, str] = {}
        for number, statement in enumerate(request["Statements"]):
            for demand in demands_of(context, statement, request, None):
                decision = self.judge(context, principal, demand, tell)
                if not decision.allowed:
                    refused[number] = self._refuse(principal, demand, decision)
        return refused

    def _refuse(self, principal: Principal, demand: Demand, decision: Decision) -> str:
        """Tell whoever listens what was refused; return the message for the client."""
        reason = decision.statement or f"no {decision.by}"
        self._events.emit(AccessDenied(principal.arn, demand.action, demand.resource, reason))
        return denial(principal.arn, demand.action, demand.resource, decision)


def _without(run: Run, refused: Mapping[int, str]) -> Run:
    """Return a batch that runs without some of its statements, and answers them with the reason."""

    def rest(context: Context, request: dict[str, Any]) -> Response:
        admitted = [each for number, each in enumerate(request["Statements"]) if number not in refused]
        answer = run(context, {**request, "Statements": admitted}) if admitted else {"Responses": []}
        for number in sorted(refused):
            error = {"Code": DENIED_STATEMENT, "Message": refused[number]}
            answer["Responses"].insert(number, {"Error": error})
        return answer

    return rest


@lru_cache(POLICIES_MAX)
def _compiled(text: str) -> Policy:
    """Return the policy of a table; one that cannot be evaluated allows nothing."""
    try:
        return compile_policy(msgspec.json.decode(text), "resource policy", of_resource=True)
    except (PolicyError, msgspec.DecodeError):
        return compile_policy(_SEALED, "resource policy", of_resource=True)
