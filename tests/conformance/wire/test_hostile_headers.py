"""Credentials, targets and content types that no SDK would send: AWS's error, nothing changed, the region lives.

The fixture ``unharmed`` looks after every test that the region is the same process, serves, and holds what it held.
"""

from __future__ import annotations

import pytest
from raw_http import AUTHORIZATION, exchange, request

pytestmark = pytest.mark.usefixtures("unharmed")

TABLE = "witnessed"
INTRUDER = b'{"TableName":"witnessed","Item":{"pk":{"S":"intruder"}}}'
MISSING = ("MissingAuthenticationTokenException", "Request is missing Authentication Token")
CREDENTIAL = "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
PARTS = "Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. "
CREDENTIALS: list[tuple[str, dict[str, str | None], str, str]] = [
    ("none", {"Authorization": None}, *MISSING),
    ("empty", {"Authorization": ""}, *MISSING),
    ("of another scheme", {"Authorization": "Basic YTpi"}, *MISSING),
    ("binary", {"Authorization": "\x80\xff\xfe"}, *MISSING),
    (
        "with parts missing",
        {"Authorization": "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request"},
        "IncompleteSignatureException",
        PARTS,
    ),
    (
        "with a short credential",
        {"Authorization": AUTHORIZATION.replace("/20250101/us-east-1", "")},
        "IncompleteSignatureException",
        CREDENTIAL + "'raw/dynamodb/aws4_request'",
    ),
    (
        "of another algorithm",
        {"Authorization": AUTHORIZATION.replace("SHA256", "MD5")},
        "IncompleteSignatureException",
        "Unsupported AWS 'algorithm': 'AWS4-HMAC-MD5'",
    ),
    (
        "without a date",
        {"X-Amz-Date": None},
        "IncompleteSignatureException",
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
    ),
]


@pytest.mark.parametrize(("headers", "name", "message"), [r[1:] for r in CREDENTIALS], ids=[r[0] for r in CREDENTIALS])
def test_credentials_that_are_missing_or_malformed_are_refused(
    endpoint: str, headers: dict[str, str | None], name: str, message: str
) -> None:
    reply = exchange(endpoint, request("PutItem", INTRUDER, headers))
    assert (reply.status, reply.error[0]) == (400, name)
    assert reply.error[1].startswith(message)


@pytest.mark.parametrize(
    "target",
    [
        None,
        "",
        "PutItem",
        "DynamoDB_20120810",
        "DynamoDB_20120810.",
        "DynamoDB_20120810.putitem",
        "DynamoDB_20120810.PutItem.PutItem",
        "DynamoDB_20120810.NoSuchOperation",
        "DynamoDB_20111205.PutItem",
        "dynamodb_20120810.PutItem",
        "x" * 8000,
        "\xff",
    ],
)
def test_a_target_that_names_no_operation_is_unknown(endpoint: str, target: str | None) -> None:
    reply = exchange(endpoint, request("PutItem", INTRUDER, {"X-Amz-Target": target}))
    assert (reply.status, reply.error) == (400, ("UnknownOperationException", ""))


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "\xff"])
def test_a_body_without_target_and_of_another_content_type_gets_the_answer_of_an_unknown_page(
    endpoint: str, content_type: str | None
) -> None:
    headers = {"X-Amz-Target": None, "Content-Type": content_type}
    reply = exchange(endpoint, request("PutItem", INTRUDER, headers))
    assert (reply.status, reply.body) == (404, b"<UnknownOperationException/>\n")


@pytest.mark.parametrize("content_type", [None, "", "text/html", "multipart/form-data", "\xff", "x" * 8000])
def test_no_content_type_makes_a_bad_body_good(endpoint: str, content_type: str | None) -> None:
    reply = exchange(endpoint, request("PutItem", b"TableName=witnessed", {"Content-Type": content_type}))
    assert 400 <= reply.status < 500


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-amz-json-1.0; charset=utf-8", "Application/X-AMZ-JSON-1.0"]
)
def test_a_content_type_of_json_may_be_written_in_several_ways(endpoint: str, content_type: str) -> None:
    body = {"TableName": TABLE, "Key": {"pk": {"S": "witness"}}}
    assert exchange(endpoint, request("GetItem", body, {"Content-Type": content_type})).status == 200
