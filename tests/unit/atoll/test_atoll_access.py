"""The access file: what fits, what does not and how that is told; and the check of a policy without a region."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from atoll.access import Access, principals
from atoll.cli.access import command
from atoll.failure import ConfigError, UsageError
from atoll.policy_check import find
from atoll.remote import AccessKey, access_key
from region.events import Events

ACCOUNT = "000000000000"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/orders"
TOML = f"""
[[principals]]
arn = "{ALICE}"
policies = ["own-items", "beside.json"]
tags = {{ Team = "blue" }}
context = {{ "cognito-identity.amazonaws.com:Sub" = "id-1", "aws:PrincipalAccount" = "forged" }}

[[principals.keys]]
id = "AKID"
secret = "hush"

[[principals]]
arn = "arn:aws:sts::{ACCOUNT}:assumed-role/report/nightly"
policies = ["beside.json"]
boundary = "own-items"

[[principals.keys]]
id = "ASIA"
secret = "hush"
token = "tokenised"
expires = 2027-01-01T00:00:00Z

[policies.own-items]
Version = "2012-10-17"

[[policies.own-items.Statement]]
Sid = "Own"
Effect = "Allow"
Action = ["dynamodb:GetItem", "dynamodb:Query"]
Resource = "{TABLE}"
Condition = {{ "ForAllValues:StringEquals" = {{ "dynamodb:LeadingKeys" = ["${{aws:username}}"] }} }}
"""
BESIDE = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "dynamodb:DeleteTable", "Resource": "*"}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "beside.json").write_text(json.dumps(BESIDE))
    (tmp_path / "access.toml").write_text(TOML)
    return tmp_path / "access.toml"


def test_a_file_gives_keys_to_principals_and_policies_to_them(file: Path) -> None:
    access = Access(str(file), ACCOUNT, {"ROOT": "s"})
    assert access.on
    assert set(access.credentials) == {"AKID", "ASIA", "ROOT"}
    alice = access.credentials["AKID"].principal
    assert alice is not None
    assert (alice.arn, [policy.name for policy in alice.policies]) == (ALICE, ["own-items", "beside.json"])
    assert alice.facts["aws:principaltag/team"] == ("blue",)
    assert alice.facts["cognito-identity.amazonaws.com:sub"] == ("id-1",)
    assert alice.facts["aws:principalaccount"] == (ACCOUNT,)
    temporary = access.credentials["ASIA"]
    assert (temporary.token, temporary.expires_ms) == ("tokenised", 1_798_761_600_000)
    root = access.credentials["ROOT"].principal
    assert root is not None
    assert root.is_root


def test_without_a_file_nobody_is_a_principal() -> None:
    access = Access("", ACCOUNT, {"AKID": "s"})
    assert not access.on
    assert access.credentials == {}
    assert access.guard(lambda: pytest.fail("nobody judges"), Events()) is None


def test_the_same_as_json(file: Path) -> None:
    entry = {"arn": ALICE, "keys": [{"id": "A", "secret": "s", "expires": "2027-01-01T00:00:00Z"}]}
    other = file.with_suffix(".json")
    other.write_text(json.dumps({"principals": [entry]}))
    assert Access(str(other), ACCOUNT, {}).credentials["A"].expires_ms == 1_798_761_600_000


def test_no_text_of_a_key_shows_its_secret(file: Path) -> None:
    access = Access(str(file), ACCOUNT, {})
    shown = repr(access.credentials) + repr(principals(file)) + repr(AccessKey("AKID", "hush", "tokenised"))
    assert "hush" not in shown
    assert "tokenised" not in shown


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('id = "AKID"', "id = 7", "Expected `str`, got `int` - at `$.principals[0].keys[0].id`"),
        ('secret = "hush"', 'secrets = "hush"', "unknown field `secrets`"),
        ("arn = ", "arn ", "does not fit"),
        (ALICE, "arn:aws:iam::1:user/alice", "is no ARN of a user"),
        (ALICE, f"arn:aws:sts::{ACCOUNT}:assumed-role/x", "lacks /SESSION"),
        ("own-items", "others", "names the policy others, which is neither in it nor a file beside it"),
        ('"beside.json"', '"absent.json"', "names the policy absent.json"),
        ('Effect = "Allow"', 'Effect = "Maybe"', "has the Effect 'Maybe', which is neither Allow nor Deny"),
        ("ForAllValues:StringEquals", "StringEqual", "Invalid Condition type : StringEqual"),
        ('"dynamodb:GetItem"', '"GetItem"', "names no service, such as dynamodb:GetItem"),
        ('id = "ASIA"', 'id = "AKID"', "The access key AKID in {file} is given twice."),
        (f"sts::{ACCOUNT}:assumed-role/report/nightly", f"iam::{ACCOUNT}:user/alice", "has two principals"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place_and_without_its_secrets(
    file: Path, old: str, new: str, told: str
) -> None:
    assert old in TOML
    file.write_text(TOML.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        Access(str(file), ACCOUNT, {})
    assert told.format(file=file) in str(caught.value)
    assert "hush" not in str(caught.value)
    assert caught.value.remedy


def test_a_file_that_gives_nobody_a_key_would_lock_everybody_out_and_is_refused(file: Path) -> None:
    file.write_text("principals = []")
    with pytest.raises(ConfigError, match="gives nobody an access key"):
        Access(str(file), ACCOUNT, {})


def test_a_broken_file_at_a_reload_changes_nothing(file: Path) -> None:
    access = Access(str(file), ACCOUNT, {})
    before = access.credentials
    file.write_text("principals = 7")
    with pytest.raises(ConfigError):
        access.reload()
    assert access.credentials is before


def test_a_principal_is_found_by_name_arn_and_key(file: Path) -> None:
    assert {find(file, who).arn for who in ("alice", ALICE, "AKID")} == {ALICE}
    assert find(file, f"arn:aws:iam::{ACCOUNT}:role/report").role_arn is not None
    with pytest.raises(UsageError, match=r"no principal bob\. Name one of arn:aws:iam::"):
        find(file, "bob")


def checked(file: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, ["check", *arguments, "--file", str(file)], standalone_mode=False)
    assert result.exception is None, result.exception
    return result.return_value, result.output


def test_a_check_says_which_statement_decides_and_ends_with_0_or_1(file: Path) -> None:
    own = ("--context", "dynamodb:LeadingKeys=alice")
    assert checked(file, "alice", "GetItem", "table/orders", *own) == (
        0,
        "allowed by own-items[Own], an Allow of the identity-based policy\n",
    )
    asked = f"User: {ALICE} is not authorized to perform: dynamodb:GetItem on resource: {TABLE} because no "
    assert checked(file, "alice", "dynamodb:GetItem", TABLE, *own, "--context", "dynamodb:LeadingKeys=bob") == (
        1,
        f"denied\n{asked}identity-based policy allows the dynamodb:GetItem action\n",
    )
    code, told = checked(file, "alice", "DeleteTable", "table/orders")
    assert code == 1
    assert told.endswith("with an explicit deny in an identity-based policy\nbeside.json[0] denies it\n")


def test_a_check_takes_the_policy_of_a_table_and_answers_in_json(file: Path) -> None:
    granted = {"Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": "dynamodb:Scan", "Resource": TABLE}
    path = file.with_name("table.json")
    path.write_text(json.dumps({"Version": "2012-10-17", "Statement": [granted]}))
    code, told = checked(file, "alice", "Scan", "table/orders", "--resource-policy", str(path), "--json")
    answer: dict[str, Any] = json.loads(told)
    assert (code, answer["allowed"], answer["by"]) == (0, True, "resource-based policy")
    assert answer["statement"] == "table.json[0]"
    across = ("--resource-policy", str(path), "--account", "111111111111")
    assert checked(file, "alice", "Scan", "table/orders", *across)[0] == 1


def test_a_caller_takes_the_key_that_every_sdk_takes() -> None:
    assert access_key({}) is None
    assert access_key({"AWS_ACCESS_KEY_ID": "A"}) is None
    variables = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    assert access_key(variables) == AccessKey("A", "s", "t")
