"""Policy documents, compiled: statements that know whether they speak of an action, a resource and a principal.

What: :func:`compile_policy` reads the JSON of IAM. A policy of an identity names resources, one of a resource names
principals as well. Element names are case-sensitive as IAM's are; actions are not.

Invariants: a compiled policy never changes. Variables are read only in documents of the version 2012-10-17; in a
``Resource`` they stand only behind the fifth colon, as IAM has it, and elsewhere match nothing.

Source: AWS IAM user guide, "IAM JSON policy element reference", "Grammar of the IAM JSON policy language".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from region.access import pattern
from region.access.conditions import Tests, compile_conditions
from region.access.grants import Grant, Grantee, Principals, compile_principals
from region.access.pattern import ARN_PARTS, COLON, Lookup, Pattern, Text, Variable, Wild

VERSIONS: Final = ("2012-10-17", "2008-10-17")
_MEMBERS: Final = frozenset(("Version", "Id", "Statement"))
_STATEMENT: Final = frozenset(
    ("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")
)
_EVERYTHING: Final = (Wild.MANY,)


class PolicyError(ValueError):
    """A document is no policy; the message says why."""


class Actions(NamedTuple):
    """An ``Action`` element, or the negation of one."""

    patterns: tuple[Text, ...]
    negated: bool


class Resources(NamedTuple):
    """A ``Resource`` element, or the negation of one."""

    patterns: tuple[Pattern, ...]
    negated: bool


class Statement:
    """One statement of a policy."""

    __slots__ = ("_actions", "_principals", "_resources", "conditions", "denying", "label", "volatile")

    def __init__(
        self,
        label: str,
        *,
        denying: bool,
        actions: Actions,
        resources: Resources,
        principals: Principals | None,
        tests: Tests,
    ) -> None:
        self.label = label
        """How a person finds it: the policy's name, and its Sid or number."""
        self.denying = denying
        self.conditions = tests
        self.volatile = any(isinstance(part, Variable) for each in resources.patterns for part in each)
        """Whether the resources that it speaks of depend on the request."""
        self._actions = actions
        self._resources = resources
        self._principals = principals

    def names_action(self, action: str) -> bool:
        """Whether it speaks of an action (``dynamodb:getitem``, in lower case)."""
        found = any(pattern.matches(each, action) for each in self._actions.patterns)
        return found != self._actions.negated

    def names_resource(self, resource: str, lookup: Lookup) -> bool:
        """Whether it speaks of a resource: an ARN, or ``*`` for actions that are about none."""
        unresolved = False
        for each in self._resources.patterns:
            resolved = pattern.resolve(each, lookup)
            if resolved is None:
                unresolved = True
            elif resolved == _EVERYTHING or pattern.matches_arn(resolved, resource):
                return not self._resources.negated
        if unresolved and self._resources.negated:
            return self.denying
        return self._resources.negated

    def grants(self, principal: Grantee) -> Grant:
        """Return how it names a principal; a statement of an identity's policy speaks of that identity."""
        return Grant.DIRECT if self._principals is None else self._principals.grant(principal, denying=self.denying)

    def holds(self, lookup: Lookup) -> bool:
        """Whether its conditions hold for a request."""
        return all(test.holds(lookup, denying=self.denying) for test in self.conditions)


class Policy(NamedTuple):
    """A policy: its name, for people, and its statements."""

    name: str
    statements: tuple[Statement, ...]


def compile_policy(document: Any, name: str, *, of_resource: bool = False) -> Policy:
    """Return the policy of a document; ``of_resource``: it is attached to a resource and names principals.

    Raises:
        PolicyError: the document is no such policy.
    """
    if not isinstance(document, Mapping):
        raise PolicyError("it is not an object")
    _refuse_unknown(document, _MEMBERS)
    version = document.get("Version", VERSIONS[1])
    if version not in VERSIONS:
        raise PolicyError(f"its Version is {version!r}, which is none of {' and '.join(VERSIONS)}")
    statements = document.get("Statement")
    if isinstance(statements, Mapping):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise PolicyError("it has no Statement")
    variables = version == VERSIONS[0]
    return Policy(
        name,
        tuple(
            _statement(statement, f"{name}[{number}]", name, variables=variables, of_resource=of_resource)
            for number, statement in enumerate(statements)
        ),
    )


def _statement(value: Any, place: str, policy: str, *, variables: bool, of_resource: bool) -> Statement:
    if not isinstance(value, Mapping):
        raise PolicyError(f"{place} is not an object")
    _refuse_unknown(value, _STATEMENT)
    effect = value.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise PolicyError(f"{place} has the Effect {effect!r}, which is neither Allow nor Deny")
    actions = _names(value, "Action", place)
    for text in actions[0]:
        if text != "*" and COLON not in text:
            raise PolicyError(f"{place} has the Action {text!r}, which names no service, such as dynamodb:{text}")
    resources = _names(value, "Resource", place)
    named = [element for element in ("Principal", "NotPrincipal") if element in value]
    if len(named) != int(of_resource):
        wanted = "needs one Principal" if of_resource else f"belongs to an identity and may have no {named[0]}"
        raise PolicyError(f"{place} {wanted}")
    try:
        principals = compile_principals(value[named[0]], negated=named[0] != "Principal") if named else None
        tests = compile_conditions(value.get("Condition", {}), variables=variables)
    except ValueError as error:
        raise PolicyError(f"{place}: {error}") from error
    sid = value.get("Sid")
    return Statement(
        f"{policy}[{sid}]" if sid else place,
        denying=effect == "Deny",
        actions=Actions(tuple(pattern.plain(text.lower()) for text in actions[0]), actions[1]),
        resources=Resources(tuple(_resource(text, variables=variables) for text in resources[0]), resources[1]),
        principals=principals,
        tests=tests,
    )


def _resource(text: str, *, variables: bool) -> Pattern:
    """Return the pattern of a resource; a variable before the fifth colon stands for itself, which no ARN has."""
    if not variables or "${" not in text:
        return pattern.plain(text)
    head = text.split(COLON, ARN_PARTS - 1)[:-1] if text.count(COLON) >= ARN_PARTS - 1 else [text]
    if any("${" in part for part in head):
        return pattern.plain(text)
    return pattern.parse(text)


def _names(statement: Mapping[str, Any], element: str, place: str) -> tuple[list[str], bool]:
    present = [name for name in (element, f"Not{element}") if name in statement]
    if len(present) != 1:
        raise PolicyError(f"{place} needs one of {element} and Not{element}")
    given = statement[present[0]]
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise PolicyError(f"{place}: {present[0]} is neither text nor a list of texts")
    return texts, present[0] != element


def _refuse_unknown(value: Mapping[str, Any], known: Iterable[str]) -> None:
    for name in value:
        if name not in known:
            raise PolicyError(f"Unknown field {name}")
