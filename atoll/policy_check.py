"""What the policies of an access file say of one action: a simulator, which needs no region.

What: :func:`check` finds a principal by its ARN, its name or one of its access keys, and judges one action of it on one
resource, with the condition keys that it is given, as a region would.

Invariants: nothing is guessed of a request: a condition key that is not given is absent, but for the principal's own,
the time, the region and the account.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from atoll import access
from atoll.failure import ConfigError, UsageError
from region.access import Case, Policy, PolicyError, Principal, compile_policy, denial
from region.authorization import Circumstances

SERVICE: Final = "dynamodb:"
_KNOWN: Final = frozenset(("aws:currenttime", "aws:epochtime", "aws:requestedregion", "aws:resourceaccount"))
"""What is known of a request's circumstances without a request."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided."""

    allowed: bool
    principal: str
    action: str
    resource: str
    by: str
    """The kind of policy that decided."""
    statement: str | None
    """The statement that decided; ``None``: one is missing."""
    message: str | None
    """What the client would be told."""


def check(
    file: Path,
    who: str,
    action: str,
    resource: str,
    *,
    now_ms: int,
    region: str = "us-east-1",
    account: str | None = None,
    context: Iterable[tuple[str, str]] = (),
    resource_policy: Path | None = None,
) -> Finding:
    """Judge an action. ``resource`` is an ARN, ``*``, or what follows the account in one (``table/T``).

    ``account`` is that of the region; otherwise the one in the resource's ARN, or the principal's.

    Raises:
        ConfigError: the access file or the policy file does not fit.
        UsageError: the file has no such principal.
    """
    owner = find(file, who)
    account = account or _account_of(resource) or owner.account
    if resource != "*" and not resource.startswith("arn:"):
        resource = f"arn:aws:dynamodb:{region}:{account}:{resource}"
    if ":" not in action:
        action = SERVICE + action
    attached = None if resource_policy is None else _policy(resource_policy)
    case = Case(owner, action, resource, owner=account, resource_policy=attached)
    given = _values(context)
    circumstances = Circumstances(now_ms=now_ms, region=region, account=account)

    def lookup(key: str) -> tuple[str, ...] | None:
        if key in given:
            return given[key]
        found = owner.facts.get(key)
        if found is None and key in _KNOWN:
            found = circumstances.get(key)
        return found

    decision = case.decide(lookup)
    message = None if decision.allowed else denial(owner.arn, action, resource, decision)
    return Finding(
        allowed=decision.allowed,
        principal=owner.arn,
        action=action,
        resource=resource,
        by=decision.by,
        statement=decision.statement,
        message=message,
    )


def find(file: Path, who: str) -> Principal:
    """Return a principal of an access file by its ARN, the last part of it, or an access key id.

    Raises:
        ConfigError: the file does not fit.
        UsageError: it has no such principal, or several.
    """
    principals = access.principals(file)
    exact = [
        owner for owner, keys in principals if who in (owner.arn, owner.role_arn) or who in {key.id for key in keys}
    ]
    found = exact or [owner for owner, _ in principals if owner.arn.endswith((f"/{who}", f":{who}"))]
    if len(found) == 1:
        return found[0]
    known = ", ".join(owner.arn for owner in found or [owner for owner, _ in principals])
    raise UsageError(f"{file} has {'several principals' if found else 'no principal'} {who}.", f"Name one of {known}.")


def _account_of(resource: str) -> str | None:
    parts = resource.split(":", 5)
    return parts[4] or None if len(parts) == 6 else None


def _values(context: Iterable[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for key, value in context:
        found[key.lower()] = (*found.get(key.lower(), ()), value)
    return found


def _policy(path: Path) -> Policy:
    try:
        document: Any = json.loads(path.read_text())
        return compile_policy(document, path.name, of_resource=True)
    except OSError as error:
        raise ConfigError(f"The policy file {path} cannot be read: {error.strerror}.", access.REMEDY) from error
    except (PolicyError, ValueError) as error:
        raise ConfigError(f"The policy file {path} cannot be used: {error}.", access.REMEDY) from error
