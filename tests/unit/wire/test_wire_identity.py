from __future__ import annotations

import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from wire_endpoint import AUTHORIZATION, CREDENTIAL, Client, connected, message

from clock import ManualClock
from region.access.principal import principal
from region.authorization import Credential
from region.errors import DynamoError, IncompleteSignatureError, UnrecognizedClientError
from region.wire.identity import Identity, identify
from region.wire.signature import Verifier

TOKEN = "a/session+token="
KEYS = {"AKIDEXAMPLE": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
CREDENTIALS = {key: Credential(secret) for key, secret in KEYS.items()}
BODY = b'{"TableName":"tab","Key":{"a":{"S":"x"}}}'
HEAD = {b"authorization": AUTHORIZATION.encode(), b"x-amz-date": b"20251123T000000Z"}
ALICE = Identity("AKIDEXAMPLE", "20251123", "us-east-1", "dynamodb")


class Request:
    """What a verifier sees of a request."""

    def __init__(self, query: str, headers: dict[bytes, bytes], body: bytes = BODY) -> None:
        self.method = b"POST"
        self.path = "/"
        self.query = query.encode()
        self.headers = headers
        self.body = body


def signed(
    *, query: bool = False, secret: str | None = None, key: str = "AKIDEXAMPLE", target: str | None = "x"
) -> Request:
    """Return a request that botocore signed, now."""
    url = "http://localhost:8000/" + ("?b=2%20&a=%2F&c" if query else "")
    targets = {} if target is None else {"X-Amz-Target": target}
    headers = {**targets, "Content-Type": "application/x-amz-json-1.0", "X-Amz-Extra": " a   b "}
    # botocore would move the body of a presigned request into its query.
    body = b"" if query else BODY
    request = AWSRequest("POST", url, headers=headers, data=body)
    credentials = Credentials(key, secret or KEYS["AKIDEXAMPLE"], TOKEN)
    signer: Any = (SigV4QueryAuth if query else SigV4Auth)(credentials, "dynamodb", "eu-west-1")
    signer.add_auth(request)
    prepared = request.prepare()
    received = {b"host": b"localhost:8000"}
    for name, value in prepared.headers.items():
        received[name.lower().encode()] = value if isinstance(value, bytes) else value.encode()
    return Request(urlsplit(prepared.url).query, received, body)


def now_ms() -> int:
    return int(datetime.datetime.now(datetime.UTC).timestamp() * 1000)


def test_any_well_formed_credentials_are_accepted_and_tell_who_and_where() -> None:
    for _ in range(2):
        assert identify(HEAD, b"") == ALICE


def test_the_parts_of_the_header_may_come_in_any_order_and_spacing() -> None:
    for separator in (", ", ",", " , "):
        parts = separator.join(("Signature=ab", f"Credential={CREDENTIAL}", "SignedHeaders=host"))
        assert identify({**HEAD, b"authorization": f"AWS4-HMAC-SHA256 {parts}".encode()}, b"") == ALICE


def test_an_access_key_may_hold_slashes() -> None:
    authorization = AUTHORIZATION.replace("AKIDEXAMPLE", "a/b")
    assert identify({**HEAD, b"authorization": authorization.encode()}, b"").access_key == "a/b"


def test_a_date_header_will_do() -> None:
    headers = {b"authorization": HEAD[b"authorization"], b"date": b"Sun, 23 Nov 2025 00:00:00 GMT"}
    assert identify(headers, b"") == ALICE


def test_credentials_may_stand_in_the_query() -> None:
    request = signed(query=True)
    assert identify(request.headers, request.query)[::2] == ("AKIDEXAMPLE", "eu-west-1")


CREDENTIAL_MISSING = "Authorization header requires 'Credential' parameter. "
SIGNATURE_MISSING = "Authorization header requires 'Signature' parameter. "
HEADERS_MISSING = "Authorization header requires 'SignedHeaders' parameter. "
DATE_MISSING = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "


@pytest.mark.parametrize(
    ("authorization", "dated", "kind", "text"),
    [
        (None, True, "MissingAuthenticationTokenException", "Request is missing Authentication Token"),
        ("Bearer x", True, "MissingAuthenticationTokenException", "Request is missing Authentication Token"),
        ("", True, "MissingAuthenticationTokenException", "Request is missing Authentication Token"),
        (
            "AWS4-HMAC-SHA256",
            False,
            "IncompleteSignatureException",
            f"{CREDENTIAL_MISSING}{SIGNATURE_MISSING}{HEADERS_MISSING}{DATE_MISSING}Authorization=AWS4-HMAC-SHA256",
        ),
        (
            "AWS4-HMAC-SHA256 Signature=b",
            True,
            "IncompleteSignatureException",
            f"{CREDENTIAL_MISSING}{HEADERS_MISSING}Authorization=AWS4-HMAC-SHA256 Signature=b",
        ),
        (AUTHORIZATION, False, "IncompleteSignatureException", f"{DATE_MISSING}Authorization={AUTHORIZATION}"),
        (
            AUTHORIZATION.replace(CREDENTIAL, "AKID/x"),
            True,
            "IncompleteSignatureException",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            "got 'AKID/x'",
        ),
        (
            AUTHORIZATION.replace("AWS4-HMAC-SHA256", "AWS4-NONE"),
            True,
            "IncompleteSignatureException",
            "Unsupported AWS 'algorithm': 'AWS4-NONE'",
        ),
    ],
)
async def test_missing_and_malformed_credentials_are_refused_in_awss_words(
    authorization: str | None, dated: bool, kind: str, text: str
) -> None:
    headers: dict[str, str | None] = {"Authorization": authorization}
    if not dated:
        headers["X-Amz-Date"] = None
    async with connected() as (server, client):
        answer = await client.ask(headers=headers)
        assert (answer.status, answer.type, answer.message) == (400, kind, text)
        assert server.engine.submitted == []


async def test_credentials_in_two_places_are_refused() -> None:
    async with connected() as (_server, client):
        answer = await client.ask(path="/?X-Amz-Signature=ab")
        assert answer.type == "InvalidSignatureException"
        assert answer.message.startswith("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization'")


async def test_an_incomplete_query_is_refused_with_all_that_is_missing() -> None:
    async with connected() as (_server, client):
        answer = await client.ask(path="/?X-Amz-Signature=ab&X-Amz-Date=x", headers={"Authorization": None})
        assert answer.type == "IncompleteSignatureException"
        assert answer.message == (
            "AWS query-string parameters must include 'X-Amz-Algorithm'. "
            "AWS query-string parameters must include 'X-Amz-Credential'. "
            "AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the query-string parameters."
        )


@pytest.mark.parametrize("query", [False, True])
def test_what_botocore_signs_verifies(query: bool) -> None:
    verifier = Verifier(CREDENTIALS)
    for _ in range(2):
        assert verifier.verify(signed(query=query), now_ms())[::2] == ("AKIDEXAMPLE", "eu-west-1")


@pytest.mark.parametrize("query", [False, True])
def test_whatever_is_changed_after_signing_breaks_the_signature(query: bool) -> None:
    verifier = Verifier(CREDENTIALS)

    def refused(request: Request) -> None:
        with pytest.raises(DynamoError, match="signature we calculated does not match") as caught:
            verifier.verify(request, now_ms())
        assert caught.value.name == "InvalidSignatureException"
        assert KEYS["AKIDEXAMPLE"] not in caught.value.message

    refused(signed(query=query, secret="another"))
    request = signed(query=query)
    refused(Request(request.query.decode(), {**request.headers, b"host": b"elsewhere"}, request.body))
    refused(Request(request.query.decode() + "&d=4", request.headers, request.body))
    request.method = b"GET"
    refused(request)
    if not query:
        request = signed()
        refused(Request("", {**request.headers, b"x-amz-target": b"y"}))
        refused(Request("", request.headers, BODY + b" "))


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(UnrecognizedClientError, match="The security token included in the request is invalid"):
        Verifier(CREDENTIALS).verify(signed(key="OTHER"), now_ms())


MINUTE_MS = 60_000


@pytest.mark.parametrize(("drift_minutes", "fits"), [(-14, True), (14, True), (16, False), (-16, False)])
def test_a_signature_is_good_for_fifteen_minutes_either_way(drift_minutes: int, fits: bool) -> None:
    request, verifier, at = signed(), Verifier(CREDENTIALS), now_ms() + drift_minutes * MINUTE_MS
    if fits:
        verifier.verify(request, at)
        return
    stamp = request.headers[b"x-amz-date"].decode()
    words = (
        "Signature expired: {} is now earlier than"
        if drift_minutes > 0
        else "Signature not yet current: {} is still later than"
    )
    with pytest.raises(DynamoError, match=words.format(stamp)) as caught:
        verifier.verify(request, at)
    assert caught.value.message.endswith(" 15 min.)")


def test_a_presigned_request_is_good_for_as_long_as_it_says() -> None:
    verifier, request = Verifier(CREDENTIALS), signed(query=True)
    assert b"X-Amz-Expires=3600" in request.query
    verifier.verify(request, now_ms() + 59 * MINUTE_MS)
    with pytest.raises(DynamoError, match="Signature expired: "):
        verifier.verify(request, now_ms() + 61 * MINUTE_MS)


@pytest.mark.parametrize("expires", ["0", "x", "604801", "9" * 5000, "\u0663"])
def test_a_presigned_request_cannot_say_just_anything(expires: str) -> None:
    request = signed(query=True)
    request.query = request.query.replace(b"X-Amz-Expires=3600", f"X-Amz-Expires={expires}".encode())
    with pytest.raises(IncompleteSignatureError):
        Verifier(CREDENTIALS).verify(request, now_ms())


@pytest.mark.parametrize(
    ("credential", "date", "words"),
    [
        ("AKIDEXAMPLE/20251123/us-east-1/s3/aws4_request", "20251123T000000Z", "correct service: 'dynamodb'"),
        ("AKIDEXAMPLE/20251122/us-east-1/dynamodb/aws4_request", "20251123T000000Z", "'20251122' != '20251123'"),
        (CREDENTIAL, "yesterday", "Date must be in ISO-8601 'basic format'. Got 'yesterday'."),
        (CREDENTIAL, "99999999T999999Z", "Date must be in ISO-8601"),
    ],
)
def test_a_scope_that_does_not_fit_is_refused(credential: str, date: str, words: str) -> None:
    headers = {
        b"authorization": AUTHORIZATION.replace(CREDENTIAL, credential).encode(),
        b"x-amz-date": date.encode(),
    }
    with pytest.raises(DynamoError) as caught:
        Verifier(CREDENTIALS).verify(Request("", headers), 0)
    assert words in caught.value.message


async def ask_signed(client: Client, request: Request) -> Any:
    headers = {name.decode().title(): value.decode() for name, value in request.headers.items()}
    client.send(message("GetItem", BODY, headers={"Authorization": None, "X-Amz-Date": None, **headers}))
    return await client.answer()


async def test_an_endpoint_with_access_keys_serves_those_who_sign_with_them_alone() -> None:
    async with connected(access_keys=KEYS) as (server, client):
        target = "DynamoDB_20120810.GetItem"
        assert (await ask_signed(client, signed(target=target))).status == 200
        assert (await ask_signed(client, signed(target=target, secret="x"))).type == "InvalidSignatureException"
        assert (await ask_signed(client, signed(target=target, key="x"))).type == "UnrecognizedClientException"
        assert (await client.ask(headers={"Authorization": None})).type == "MissingAuthenticationTokenException"
        assert len(server.engine.submitted) == 1


def test_the_clock_that_counts_is_the_regions() -> None:
    clock = ManualClock(now_ms())
    verifier, request = Verifier(CREDENTIALS), signed()
    verifier.verify(request, clock.now_ms())
    clock.set(now_ms() + 20 * MINUTE_MS)
    with pytest.raises(DynamoError, match="Signature expired"):
        verifier.verify(request, clock.now_ms())


ALICES = {"AKIDEXAMPLE": Credential(KEYS["AKIDEXAMPLE"], principal("arn:aws:iam::000000000000:user/a"), TOKEN)}


def test_a_principal_is_known_by_its_signature_and_its_token_in_its_region() -> None:
    verifier = Verifier(ALICES, "eu-west-1")
    identity = verifier.verify(signed(), now_ms())
    owner = verifier.owner(identity)
    assert owner is not None
    assert owner.arn == "arn:aws:iam::000000000000:user/a"
    verifier.verify(signed(query=True, target=""), now_ms())


@pytest.mark.parametrize(
    ("change", "region", "name"),
    [
        ({"token": "another"}, "eu-west-1", "UnrecognizedClientException"),
        ({"token": None}, "eu-west-1", "UnrecognizedClientException"),
        ({"expires_ms": 1}, "eu-west-1", "ExpiredTokenException"),
        ({}, "us-east-1", "InvalidSignatureException"),
    ],
)
def test_a_principal_that_does_not_fit_is_refused(change: dict[str, Any], region: str, name: str) -> None:
    credentials = {key: credential._replace(**change) for key, credential in ALICES.items()}
    with pytest.raises(DynamoError) as caught:
        Verifier(credentials, region).verify(signed(), now_ms())
    assert caught.value.name == name


def test_a_presigned_request_of_a_principal_must_sign_what_it_does() -> None:
    request = signed(query=True, target=None)
    Verifier(ALICES, "eu-west-1").verify(request, now_ms())
    request.headers[b"x-amz-target"] = b"DynamoDB_20120810.DeleteTable"
    with pytest.raises(DynamoError, match="'X-Amz-Target' must be a 'SignedHeader'"):
        Verifier(ALICES, "eu-west-1").verify(request, now_ms())
