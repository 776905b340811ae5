"""The decision: what all the policies together say of one action of one principal on one resource.

What: a :class:`Case` gathers the statements that speak of the action, the resource and the principal, once; a
:class:`Decision` then depends on their conditions alone. An explicit Deny in any policy wins. Within one account an
Allow of the identity or of the resource is enough; across accounts both are needed. A permissions boundary and a
session policy limit what identity policies allow, and what a resource's policy allows a role; they do not limit what
it allows a user or a session by its own ARN.

Invariants: what no policy allows is denied. A case without conditions is decided once and keeps its decision.

Hazard: an Allow of a resource to the account in which it lies adds nothing for those in it: it says that their own
policies may.

Source: AWS IAM user guide, "Policy evaluation logic", "Policy evaluation for requests within a single account",
"Cross-account policy evaluation logic".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from region.access.grants import Grant
from region.access.pattern import Lookup
from region.access.policy import Policy, Statement
from region.access.principal import Principal

IDENTITY: Final = "identity-based policy"
RESOURCE: Final = "resource-based policy"
BOUNDARY: Final = "permissions boundary"
SESSION: Final = "session policy"
ROOT: Final = "account root"


class Decision(NamedTuple):
    """What was decided, and by what."""

    allowed: bool
    by: str
    """The kind of policy that decided: the one that allowed, that denied, or that would have had to allow."""
    statement: str | None
    """The statement that decided; ``None`` where one is missing."""

    @property
    def explicit(self) -> bool:
        """Whether it is denied by a statement, and not for want of one."""
        return not self.allowed and self.statement is not None


class _Candidates:
    """The statements of one kind of policy that speak of a case, but for their conditions."""

    __slots__ = ("allows", "by", "denies", "present")

    def __init__(self, by: str, policies: Iterable[Policy], about: _About) -> None:
        self.by = by
        self.denies: list[Statement] = []
        self.allows: list[tuple[Statement, Grant]] = []
        self.present = False
        for policy in policies:
            self.present = True
            for statement in policy.statements:
                if not statement.names_action(about.action):
                    continue
                grant = statement.grants(about.principal)
                known = not statement.volatile
                if grant is Grant.NONE or (known and not statement.names_resource(about.resource, about.lookup)):
                    continue
                if statement.denying:
                    self.denies.append(statement)
                else:
                    self.allows.append((statement, grant))

    @property
    def settled(self) -> bool:
        """Whether none of them depends on the request."""
        return not any(
            each.conditions or each.volatile for each in (*self.denies, *[statement for statement, _ in self.allows])
        )


class _About(NamedTuple):
    principal: Principal
    action: str
    resource: str
    lookup: Lookup


class Case:
    """One action of one principal on one resource, whose account is ``owner``."""

    __slots__ = ("_boundary", "_decision", "_identity", "_principal", "_resource", "_same", "_session", "resource")

    def __init__(
        self, principal: Principal, action: str, resource: str, *, owner: str, resource_policy: Policy | None = None
    ) -> None:
        facts = principal.facts
        about = _About(principal, action.lower(), resource, facts.get)
        self.resource = resource
        self._principal = principal
        self._same = principal.account == owner
        self._identity = _Candidates(IDENTITY, principal.policies, about)
        self._resource = _Candidates(RESOURCE, () if resource_policy is None else (resource_policy,), about)
        self._boundary = _Candidates(BOUNDARY, () if principal.boundary is None else (principal.boundary,), about)
        self._session = _Candidates(SESSION, () if principal.session is None else (principal.session,), about)
        self._decision: Decision | None = None
        kinds = (self._identity, self._resource, self._boundary, self._session)
        if all(kind.settled for kind in kinds):
            self._decision = self._decide(facts.get)

    def decide(self, lookup: Lookup) -> Decision:
        """Return the decision for a request with these condition keys, those of the principal included."""
        return self._decision or self._decide(lookup)

    @property
    def settled(self) -> Decision | None:
        """The decision, where it is the same for every request."""
        return self._decision

    def _decide(self, lookup: Lookup) -> Decision:
        for kind in (self._identity, self._resource, self._boundary, self._session):
            for statement in kind.denies:
                if self._applies(statement, lookup):
                    return Decision(False, kind.by, statement.label)
        granted, grant = self._granted(self._resource, lookup)
        if self._same and grant is Grant.DIRECT and granted is not None:
            return Decision(True, RESOURCE, granted.label)
        identity, _ = self._granted(self._identity, lookup)
        allowed = self._allowed(identity, granted if grant is Grant.ROLE else None)
        if not allowed.allowed:
            return allowed
        for kind in (self._boundary, self._session):
            if kind.present and self._granted(kind, lookup)[0] is None:
                return Decision(False, kind.by, None)
        if not self._same and granted is None:
            return Decision(False, RESOURCE, None)
        return allowed

    def _allowed(self, identity: Statement | None, granted: Statement | None) -> Decision:
        """Return what the principal's own account says, and within it the resource's policy."""
        if identity is not None:
            return Decision(True, IDENTITY, identity.label)
        if self._principal.is_root:
            return Decision(True, ROOT, None)
        if self._same and granted is not None:
            return Decision(True, RESOURCE, granted.label)
        return Decision(False, IDENTITY, None)

    def _granted(self, kind: _Candidates, lookup: Lookup) -> tuple[Statement | None, Grant]:
        """Return the allowing statement that names the principal best."""
        best: tuple[Statement | None, Grant] = (None, Grant.NONE)
        for statement, grant in kind.allows:
            if grant > best[1] and self._applies(statement, lookup):
                best = (statement, grant)
        return best

    def _applies(self, statement: Statement, lookup: Lookup) -> bool:
        if statement.volatile and not statement.names_resource(self.resource, lookup):
            return False
        return statement.holds(lookup)
