"""Decisions against a plain reading of IAM's rules, over thousands of small worlds of policies."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from region.access import Case, compile_policy
from region.access.principal import principal

HOME, AWAY = "111111111111", "222222222222"
ACTIONS = ("dynamodb:GetItem", "dynamodb:PutItem")
RESOURCES = tuple(f"arn:aws:dynamodb:r:{HOME}:table/{name}" for name in ("one", "two"))
USER, ROOT = "arn:aws:iam::{}:user/u", "arn:aws:iam::{}:root"
ROLE, SESSION = "arn:aws:iam::{}:role/r", "arn:aws:sts::{}:assumed-role/r/s"
TAGS = ("blue", "red", None)

Statement = dict[str, Any]

conditions = st.sampled_from(
    [{}, {"Condition": {"StringEquals": {"k": "blue"}}}, {"Condition": {"StringNotEquals": {"k": "blue"}}}]
)
plain = st.builds(
    lambda effect, action, resource, condition: {"Effect": effect, "Action": action, "Resource": resource, **condition},
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from(["*", "dynamodb:Get*", *ACTIONS]),
    st.sampled_from(["*", "arn:aws:dynamodb:*:*:table/o*", *RESOURCES]),
    conditions,
)
names = [form.format(account) for form in (USER, ROOT, ROLE, SESSION) for account in (HOME, AWAY)]
attached = st.builds(
    lambda statement, name: {**statement, "Principal": "*" if name == "*" else {"AWS": name}},
    plain,
    st.sampled_from(["*", HOME, AWAY, *names]),
)


def applies(statement: Statement, action: str, resource: str, tag: str | None) -> bool:
    """Say whether a statement speaks of a request, by the definition of each element."""
    if statement["Action"] not in ("*", action) and not (statement["Action"] == "dynamodb:Get*" and "Get" in action):
        return False
    named = statement["Resource"]
    if named not in ("*", resource) and not (named.endswith("table/o*") and resource.endswith("/one")):
        return False
    condition = statement.get("Condition", {})
    return not (("StringEquals" in condition and tag != "blue") or ("StringNotEquals" in condition and tag == "blue"))


def expected(
    who: str,
    account: str,
    identity: list[Statement],
    resource: list[Statement],
    boundary: list[Statement] | None,
) -> bool:
    """Decide by the rules, from statements that apply to the request and name whoever asks in some way."""
    everything = [*identity, *resource, *(boundary or [])]
    if any(statement["Effect"] == "Deny" for statement in everything):
        return False
    is_root, is_session = who.endswith(":root"), ":assumed-role/" in who
    grants = [statement["Principal"] for statement in resource]
    direct = any(grant == {"AWS": who} for grant in grants) and not is_root
    indirect = "*" in grants or (is_session and {"AWS": ROLE.format(account)} in grants)
    within = boundary is None or bool(boundary)
    if account == HOME:
        return direct or ((bool(identity) or is_root or indirect) and within)
    return (bool(identity) or is_root) and within and bool(grants)


@given(
    st.sampled_from([USER, ROOT, SESSION]),
    st.sampled_from([HOME, AWAY]),
    st.lists(plain, max_size=3),
    st.lists(attached, max_size=3),
    st.none() | st.lists(plain, min_size=1, max_size=2),
    st.sampled_from(ACTIONS),
    st.sampled_from(RESOURCES),
    st.sampled_from(TAGS),
)
def test_the_decision_is_the_one_that_the_rules_give(
    form: str,
    account: str,
    identity: list[Statement],
    resource: list[Statement],
    boundary: list[Statement] | None,
    action: str,
    target: str,
    tag: str | None,
) -> None:
    who = form.format(account)
    mine = {"*", who, account, ROOT.format(account), ROLE.format(account) if form == SESSION else who}
    fitting = [
        [each for each in statements if applies(each, action, target, tag)]
        for statements in (identity, resource, boundary or [])
    ]
    named = [each for each in fitting[1] if each["Principal"] == "*" or each["Principal"]["AWS"] in mine]
    limited = None if boundary is None else fitting[2]
    document = {"Version": "2012-10-17"}
    owner = principal(
        who,
        policies=(compile_policy({**document, "Statement": identity}, "identity"),) if identity else (),
        boundary=compile_policy({**document, "Statement": boundary}, "boundary") if boundary else None,
    )
    policy = compile_policy({**document, "Statement": resource}, "resource", of_resource=True) if resource else None
    case = Case(owner, action, target, owner=HOME, resource_policy=policy)
    given = {**owner.facts, **({} if tag is None else {"k": (tag,)})}
    for _ in range(2):
        assert case.decide(given.get).allowed == expected(who, account, fitting[0], named, limited)
