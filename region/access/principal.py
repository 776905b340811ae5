"""Who asks: a user, a session of a role, or an account's root, with the policies that belong to it.

Invariants: a principal never changes. What conditions and variables may ask of it (``aws:username``,
``aws:PrincipalTag/…``) is worked out once; names of keys are in lower case.

Source: AWS IAM user guide, "IAM identifiers", "IAM policy elements: Variables and tags" (principal key values), "AWS
global condition context keys".
"""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from region.access.policy import Policy

SESSION: Final = "atoll"
"""What a role's session is called where only the role is named."""
_ARN: Final = re.compile(
    r"arn:(?P<partition>[a-z-]+):(?P<service>iam|sts)::(?P<account>\d{12}):"
    r"(?P<kind>root|user|role|assumed-role|federated-user)(?:/(?P<name>.+))?"
)
_ID_LENGTH: Final = 17


@dataclass(frozen=True, slots=True)
class Principal:
    """A principal, as requests are made by it."""

    arn: str
    account: str
    role_arn: str | None = None
    policies: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: Policy | None = None
    """What a role's session was restricted to when it began."""
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Its condition keys."""

    @property
    def is_root(self) -> bool:
        """Whether it is its account's root, to whom identity policies do not apply."""
        return self.arn.endswith(":root")


def principal(
    arn: str,
    *,
    policies: tuple[Policy, ...] = (),
    boundary: Policy | None = None,
    session: Policy | None = None,
    tags: Mapping[str, str] | None = None,
    user_id: str | None = None,
    context: Mapping[str, str] | None = None,
) -> Principal:
    """Return the principal of an ARN. A role's ARN gives the principal of a session of it.

    ``context`` holds further condition keys of its own, such as an identity provider's name for it.

    Raises:
        ValueError: it is no ARN of a principal.
    """
    match = _ARN.fullmatch(arn)
    if match is None or (match["kind"] == "root") != (match["name"] is None):
        raise ValueError(f"{arn} is no ARN of a user, a role, a role's session or an account's root")
    account, kind, name = match["account"], match["kind"], match["name"] or ""
    expected = "sts" if kind in ("assumed-role", "federated-user") else "iam"
    if match["service"] != expected:
        raise ValueError(f"the ARN {arn} should be one of {expected}, not of {match['service']}")
    partition = match["partition"]
    role_arn: str | None = None
    if kind == "role":
        role_arn = arn
        arn = f"arn:{partition}:sts::{account}:assumed-role/{name.rpartition('/')[2]}/{SESSION}"
    elif kind == "assumed-role":
        role, slash, _ = name.partition("/")
        if not slash:
            raise ValueError(f"the ARN {arn} names a role's session, and lacks /SESSION")
        role_arn = f"arn:{partition}:iam::{account}:role/{role}"
    facts = {
        **{key.lower(): (value,) for key, value in (context or {}).items()},
        "aws:principalarn": (role_arn or arn,),
        "aws:principalaccount": (account,),
        "aws:principaltype": (_TYPES[kind],),
        "aws:userid": (user_id or _user_id(kind, account, role_arn or arn, arn),),
        "aws:principalisawsservice": ("false",),
        **{f"aws:principaltag/{key.lower()}": (value,) for key, value in (tags or {}).items()},
    }
    if kind == "user":
        facts["aws:username"] = (name.rpartition("/")[2],)
    return Principal(arn, account, role_arn, policies, boundary, session, facts)


_TYPES: Final = {
    "root": "Account",
    "user": "User",
    "role": "AssumedRole",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
}


def _user_id(kind: str, account: str, owner: str, arn: str) -> str:
    """Return an id as IAM would give one: the same for the same ARN."""
    if kind == "root":
        return account
    code = b32encode(sha256(owner.encode()).digest()).decode()[:_ID_LENGTH]
    if kind == "user":
        return f"AIDA{code}"
    last = arn.rpartition("/")[2]
    return f"{account}:{last}" if kind == "federated-user" else f"AROA{code}:{last}"
