"""The ``Principal`` element of a resource's policy: whom it names, and what that is worth.

What: ``*`` is everybody; an account's number or the ARN of its root is that account, whose own policies then say who
in it; the ARN of a user, a role or a role's session is just that one.

Invariants: names are compared as they are, wildcards within an ARN stand for themselves, as IAM has it. Services,
federated identities and canonical users are nobody here.

Source: AWS IAM user guide, "AWS JSON policy elements: Principal", "NotPrincipal", "Policy evaluation for requests
within a single account" (what a grant to a user, a role and a session overrides).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final, NamedTuple, Protocol

EVERYBODY: Final = "*"
_KINDS: Final = ("AWS", "Service", "Federated", "CanonicalUser")
_ROOT: Final = re.compile(r"arn:[^:]+:iam::(\d{12}):root")
_ACCOUNT: Final = re.compile(r"\d{12}")


class Grant(IntEnum):
    """How a statement names a principal; more is more."""

    NONE = 0
    ACCOUNT = 1
    """Its account, which is to say so as well."""
    ROLE = 2
    """Its role, or everybody: within what its permissions boundary and session policy leave."""
    DIRECT = 3
    """Itself, whatever its other policies do not say."""


class Grantee(Protocol):
    """What of a principal can be named."""

    @property
    def arn(self) -> str:
        """Its ARN: a user's, a role session's or an account root's."""

    @property
    def account(self) -> str:
        """Its account's number."""

    @property
    def role_arn(self) -> str | None:
        """The ARN of the role whose session it is."""


class Principals(NamedTuple):
    """A ``Principal`` or ``NotPrincipal`` element."""

    everybody: bool
    accounts: frozenset[str]
    arns: frozenset[str]
    negated: bool

    def grant(self, principal: Grantee, *, denying: bool) -> Grant:
        """Return how the element names a principal. A Deny meets a role's sessions as it meets the role."""
        found = self._found(principal)
        if not self.negated:
            return found
        if denying and found is Grant.ACCOUNT:
            # An account that is spared does not spare those in it: each has to be named as well.
            return Grant.NONE if principal.arn.endswith(":root") else Grant.ROLE
        return Grant.NONE if found else Grant.ROLE

    def _found(self, principal: Grantee) -> Grant:
        if principal.arn in self.arns:
            return Grant.DIRECT
        if self.everybody or principal.role_arn in self.arns:
            return Grant.ROLE
        return Grant.ACCOUNT if principal.account in self.accounts else Grant.NONE


def compile_principals(value: Any, *, negated: bool) -> Principals:
    """Return the principals of an element.

    Raises:
        ValueError: it names none; the message says why.
    """
    if value == EVERYBODY:
        return Principals(everybody=True, accounts=frozenset(), arns=frozenset(), negated=negated)
    if not isinstance(value, Mapping) or not value:
        raise ValueError("Principal is neither * nor an object")
    accounts: set[str] = set()
    arns: set[str] = set()
    everybody = False
    for kind, given in value.items():
        if kind not in _KINDS:
            raise ValueError(f"Principal has the unknown kind {kind}")
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"Principal {kind} is neither text nor a list of texts")
        for name in names if kind == "AWS" else ():
            root = _ROOT.fullmatch(name)
            if name == EVERYBODY:
                everybody = True
            elif root is not None or _ACCOUNT.fullmatch(name):
                accounts.add(name if root is None else root[1])
            else:
                arns.add(name)
    return Principals(everybody, frozenset(accounts), frozenset(arns), negated)
