"""Resource-based policy documents: what is accepted, and the form in which one is kept and returned.

What: a policy is checked for its syntax and brought to the canonical form in which AWS returns it: minified, members in
a fixed order, lists of one as the element, account numbers as the ARN of the account's root. Two documents with the
same canonical form are the same policy. ``region.access`` evaluates it, and what that would not understand is refused.

Shape of what is kept in :attr:`LocalState.extra` under :data:`OWN`: ``{"table" | "stream:<label>": {RevisionId,
Policy?}}``; without ``Policy`` it was deleted in that revision. A revision is the epoch time in ms of the change.

Source: AWS API reference, PutResourcePolicy; IAM user guide, "JSON policy element reference"; messages and canonical
form as AWS sends them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from region.access import PolicyError, compile_policy
from region.errors import ValidationError
from region.model.values import INVALID

OWN: Final = "policies"
TABLE_SLOT: Final = "table"
POLICY_BYTES_MAX: Final = 20 * 1024
VERSIONS: Final = ("2012-10-17", "2008-10-17")
ASSUMED_VERSION: Final = "2008-10-17"
"""What a document without ``Version`` means."""

_DOCUMENT: Final = ("Version", "Id", "Statement")
_STATEMENT: Final = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)
_EFFECTS: Final = {"allow": "Allow", "deny": "Deny"}

Document = dict[str, Any]


def created(policy: str, now_ms: int) -> dict[str, Any]:
    """Return what a new table keeps of the policy that it is created with."""
    return {OWN: {TABLE_SLOT: {"RevisionId": str(now_ms), "Policy": policy}}}


def canonical(text: str, account: str) -> str:
    """Check a policy document and return its canonical form, without a version where it names none.

    Raises:
        ValidationError: it is too large, no JSON, or no policy.
    """
    if len(text.encode()) > POLICY_BYTES_MAX:
        raise ValidationError(f"{INVALID}Maximum policy size of {POLICY_BYTES_MAX} bytes exceeded")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _malformed(f"Syntax error at position ({error.lineno},{error.colno})") from error
    except RecursionError as error:
        raise _malformed("Syntax error at position (1,1)") from error
    if not isinstance(document, dict):
        raise _malformed("Syntax error at position (1,1)")
    _check_members(document, _DOCUMENT)
    if document.get("Version", ASSUMED_VERSION) not in VERSIONS:
        raise _malformed("The policy must contain a valid version string")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise _malformed("Missing required field Statement")
    document["Statement"] = [_statement(statement, account) for statement in statements]
    _check_sids(document["Statement"])
    try:
        compile_policy(document, TABLE_SLOT, of_resource=True)
    except PolicyError as error:
        raise _malformed(str(error)) from error
    return _encoded(document, _DOCUMENT)


def versioned(policy: str) -> str:
    """Return a canonical document as it is shown, which is always with a version."""
    return _encoded({"Version": ASSUMED_VERSION, **json.loads(policy)}, _DOCUMENT)


def _statement(statement: Any, account: str) -> Document:
    """Check one statement and return its canonical form."""
    if not isinstance(statement, dict):
        raise _malformed("Statement is not an object")
    _check_members(statement, _STATEMENT)
    effect = statement.get("Effect")
    if not isinstance(effect, str) or effect.lower() not in _EFFECTS:
        raise _malformed("Missing required field Effect" if effect is None else f"Invalid effect: {effect}")
    for names in (("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")):
        present = [name for name in names if name in statement]
        if not present:
            raise _malformed(f"Missing required field {names[0]}")
        if len(present) > 1:
            raise _malformed(f"Statement has both {present[0]} and {present[1]}")
    result = {**statement, "Effect": _EFFECTS[effect.lower()]}
    for name in ("Principal", "NotPrincipal"):
        if name in result:
            result[name] = _principal(result[name], account)
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if name in result:
            result[name] = _texts(result[name], name)
    if not isinstance(result.get("Condition", {}), dict):
        raise _malformed("Condition is not an object")
    unbounded = result.get("Principal") in ("*", {"AWS": "*"}) and not result.get("Condition")
    if result["Effect"] == "Allow" and unbounded:
        raise ValidationError(
            "Resource-based policy grants unbounded access in one or more elements. Please revise the policy to ensure "
            "least-privilege form of access"
        )
    return {name: result[name] for name in _STATEMENT if name in result}


def _principal(value: Any, account: str) -> Any:
    """Return a principal with account numbers as the ARN of the account's root, each once."""
    if value == "*":
        return value
    if not isinstance(value, dict) or not value:
        raise ValidationError(f"{INVALID}Invalid principal in policy document.")
    result: Document = {}
    for kind, given in value.items():
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise ValidationError(f"{INVALID}Invalid principal in policy document.")
        roots = (f"arn:aws:iam::{account}:root" if kind == "AWS" and name == account else name for name in names)
        result[kind] = _single(list(dict.fromkeys(roots)))
    return result


def _texts(value: Any, name: str) -> Any:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise _malformed(f"{name} is neither text nor a list of texts")
    return _single(texts)


def _single(texts: Sequence[str]) -> Any:
    return texts[0] if len(texts) == 1 else list(texts)


def _check_members(value: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in value:
        if name not in known:
            raise _malformed(f"Unknown field {name}")


def _check_sids(statements: Sequence[Document]) -> None:
    sids = [statement["Sid"] for statement in statements if "Sid" in statement]
    if not all(isinstance(sid, str) for sid in sids):
        raise _malformed("Sid is not text")
    if len(set(sids)) < len(sids):
        raise _malformed("The Statement Ids in the policy are not unique")


def _encoded(document: Document, order: Sequence[str]) -> str:
    ordered = {name: document[name] for name in order if name in document}
    return json.dumps(ordered, separators=(",", ":"), ensure_ascii=False)


def _malformed(reason: str) -> ValidationError:
    return ValidationError(f"{INVALID}Invalid policy document: {reason}")
