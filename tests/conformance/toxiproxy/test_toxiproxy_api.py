"""The HTTP API: status by status and word by word what Toxiproxy 2.12 answers."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from toxiproxy_servers import Server

UPSTREAM = "127.0.0.1:9"
NEW = {"name": "api", "upstream": UPSTREAM, "listen": "127.0.0.1:0", "enabled": False}
LATENCY = {
    "attributes": {"latency": 0, "jitter": 0},
    "name": "latency_downstream",
    "type": "latency",
    "stream": "downstream",
    "toxicity": 1,
}


@pytest.fixture(autouse=True)
def _clean(server: Server) -> Iterator[None]:
    yield
    for name in server.do("GET", "/proxies"):
        server.do("DELETE", f"/proxies/{name}")


@pytest.fixture
def proxy(server: Server) -> dict[str, Any]:
    made: dict[str, Any] = server.do("POST", "/proxies", NEW)
    return made


def refused(server: Server, method: str, path: str, body: Any, status: int, words: str) -> None:
    """The request is refused with this status, in a text whose error begins with these words."""
    answer = server.ask(method, path, body)
    assert answer.status == status
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.body.endswith(b"}\n")
    assert list(answer.json) == ["error", "status"]
    assert answer.json["status"] == status
    assert answer.json["error"].startswith(words)


def test_the_version_is_told(server: Server) -> None:
    answer = server.ask("GET", "/version")
    assert (answer.status, answer.content_type) == (200, "application/json;charset=utf-8")
    assert re.fullmatch(rb'\{"version": "[\w.]+"\}\n', answer.body)


def test_a_new_proxy_is_shown_whole(server: Server) -> None:
    answer = server.ask("POST", "/proxies", {**NEW, "listen": "127.0.0.1:26379"})
    assert (answer.status, answer.content_type) == (201, "application/json")
    assert answer.json == {
        "name": "api",
        "listen": "127.0.0.1:26379",
        "upstream": UPSTREAM,
        "enabled": False,
        "Logger": {},
        "toxics": [],
    }
    assert server.do("GET", "/proxies/api") == answer.json
    assert server.do("GET", "/proxies") == {"api": answer.json}


def test_a_proxy_is_enabled_unless_it_says_otherwise_and_tells_its_port(server: Server) -> None:
    made = server.do("POST", "/proxies", {"name": "api", "upstream": UPSTREAM, "listen": "127.0.0.1:0"})
    assert made["enabled"] is True
    assert not made["listen"].endswith(":0")


def test_members_are_found_whatever_their_case_and_what_follows_is_not_read(server: Server) -> None:
    made = server.do("POST", "/proxies", b'{"NAME":"api","Upstream":"x:1","enabled":false,"other":1} rest')
    assert (made["name"], made["upstream"]) == ("api", "x:1")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "bad request body: EOF"),
        (b"{", "bad request body: unexpected EOF"),
        (b"[]", "bad request body: json: cannot unmarshal array into "),
        (b'{"name":1}', "bad request body: json: cannot unmarshal number into "),
        (b'{"name":"a","upstream":"b","enabled":"yes"}', "bad request body: json: cannot unmarshal string into "),
        (b"{}", "missing required field: name"),
        (b'{"name":"a"}', "missing required field: upstream"),
        (b'{"name":"a","upstream":""}', "missing required field: upstream"),
    ],
)
def test_a_proxy_that_makes_no_sense_is_refused(server: Server, body: bytes, words: str) -> None:
    refused(server, "POST", "/proxies", body, 400, words)
    assert server.do("GET", "/proxies") == {}


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        ("here", "listen tcp: address here: missing port in address"),
        ("127.0.0.1:99999", "listen tcp: address 99999: invalid port"),
    ],
)
def test_a_listener_that_cannot_be_is_an_internal_error(server: Server, listen: str, words: str) -> None:
    refused(server, "POST", "/proxies", {**NEW, "listen": listen, "enabled": True}, 500, words)


def test_a_port_in_use_is_an_internal_error_and_leaves_no_proxy(server: Server) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        words = f"listen tcp {listen}: bind: address already in use"
        refused(server, "POST", "/proxies", {**NEW, "listen": listen, "enabled": True}, 500, words)
    assert server.do("GET", "/proxies") == {}


def test_names_are_taken_once(server: Server, proxy: dict[str, Any]) -> None:
    refused(server, "POST", "/proxies", NEW, 409, "proxy already exists")
    server.do("POST", "/proxies/api/toxics", {"type": "latency"})
    refused(server, "POST", "/proxies/api/toxics", {"type": "latency"}, 409, "toxic already exists")
    again = {"type": "latency", "attributes": {"latency": "no number"}}
    refused(server, "POST", "/proxies/api/toxics", again, 409, "toxic already exists")


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/proxies/none", "proxy not found"),
        ("POST", "/proxies/none", "proxy not found"),
        ("DELETE", "/proxies/none", "proxy not found"),
        ("GET", "/proxies/none/toxics", "proxy not found"),
        ("POST", "/proxies/none/toxics", "proxy not found"),
        ("GET", "/proxies/api/toxics/none", "toxic not found"),
        ("PATCH", "/proxies/api/toxics/none", "toxic not found"),
        ("DELETE", "/proxies/api/toxics/none", "toxic not found"),
    ],
)
@pytest.mark.usefixtures("proxy")
def test_what_is_not_there_is_not_found(server: Server, method: str, path: str, words: str) -> None:
    refused(server, method, path, None, 404, words)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.usefixtures("proxy")
def test_an_update_changes_what_it_names(server: Server, method: str) -> None:
    changed = server.do(method, "/proxies/api", {"upstream": "127.0.0.1:10", "name": "other"})
    assert (changed["name"], changed["upstream"], changed["enabled"]) == ("api", "127.0.0.1:10", False)
    started = server.do(method, "/proxies/api", {"enabled": True})
    assert started["enabled"] is True
    stopped = server.do(method, "/proxies/api", {"enabled": False})
    assert (stopped["enabled"], stopped["listen"]) == (False, started["listen"])
    assert server.do(method, "/proxies/api", {"enabled": True})["listen"] == started["listen"]
    refused(server, method, "/proxies/api", b"", 400, "bad request body: EOF")


def test_a_listener_by_name_is_the_listener_of_its_address(server: Server) -> None:
    made = server.do("POST", "/proxies", {**NEW, "listen": "localhost:26380", "enabled": True})
    assert made["listen"] == "127.0.0.1:26380"
    assert server.do("POST", "/proxies/api", {"listen": "localhost:26380"})["enabled"] is True


@pytest.mark.usefixtures("proxy")
def test_a_proxy_is_deleted_once(server: Server) -> None:
    answer = server.ask("DELETE", "/proxies/api")
    assert (answer.status, answer.body) == (204, b"")
    refused(server, "DELETE", "/proxies/api", None, 404, "proxy not found")


@pytest.mark.usefixtures("proxy")
def test_a_new_toxic_answers_200_and_has_defaults(server: Server) -> None:
    answer = server.ask("POST", "/proxies/api/toxics", {"type": "latency"})
    assert (answer.status, answer.content_type, answer.json) == (200, "application/json", LATENCY)
    assert server.do("GET", "/proxies/api/toxics/latency_downstream") == LATENCY


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("latency", {"latency": 7, "jitter": 2}),
        ("bandwidth", {"rate": 7}),
        ("slow_close", {"delay": 7}),
        ("timeout", {"timeout": 7}),
        ("reset_peer", {"timeout": 7}),
        ("slicer", {"average_size": 7, "size_variation": 2, "delay": 1}),
        ("limit_data", {"bytes": 7}),
    ],
)
@pytest.mark.usefixtures("proxy")
def test_every_kind_of_toxic_has_its_attributes(server: Server, kind: str, attributes: dict[str, int]) -> None:
    body = {"type": kind, "name": "mine", "stream": "upstream", "toxicity": 0.25, "attributes": attributes}
    made = server.do("POST", "/proxies/api/toxics", {**body, "attributes": {**attributes, "unknown": 1}})
    assert made == body
    assert server.do("GET", "/proxies/api/toxics") == [body]
    first, zero = next(iter(attributes)), dict.fromkeys(attributes, 0)
    changed = {"name": "other", "stream": "downstream", "toxicity": 1, "attributes": {first: 9}}
    assert server.do("POST", "/proxies/api/toxics/mine", changed) == {
        **body,
        "toxicity": 1,
        "attributes": {**zero, **attributes, first: 9},
    }
    server.do("DELETE", "/proxies/api/toxics/mine")
    assert server.do("GET", "/proxies/api/toxics") == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "bad request body: EOF"),
        ({}, "invalid toxic type"),
        ({"type": "none"}, "invalid toxic type"),
        ({"type": "latency", "stream": "sideways"}, "stream was invalid, can be either upstream or downstream"),
        (
            {"type": "latency", "attributes": {"latency": 1.5}},
            "bad request body: json: cannot unmarshal number 1.5 into ",
        ),
        (
            {"type": "latency", "attributes": {"latency": "abc"}},
            "bad request body: json: cannot unmarshal string into ",
        ),
        ({"type": "latency", "attributes": []}, "bad request body: json: cannot unmarshal array into "),
        ({"type": "latency", "toxicity": "all"}, "bad request body: json: cannot unmarshal string into "),
    ],
)
@pytest.mark.usefixtures("proxy")
def test_a_toxic_that_makes_no_sense_is_refused(server: Server, body: Any, words: str) -> None:
    refused(server, "POST", "/proxies/api/toxics", body, 400, words)
    assert server.do("GET", "/proxies/api/toxics") == []


@pytest.mark.usefixtures("proxy")
def test_toxics_are_listed_upstream_first(server: Server) -> None:
    for stream in ("downstream", "upstream"):
        server.do("POST", "/proxies/api/toxics", {"type": "latency", "stream": stream})
    listed = [toxic["name"] for toxic in server.do("GET", "/proxies/api/toxics")]
    assert listed == ["latency_upstream", "latency_downstream"]
    assert [toxic["name"] for toxic in server.do("GET", "/proxies/api")["toxics"]] == listed


def test_populate_adds_keeps_and_replaces(server: Server) -> None:
    two = [{"name": name, "upstream": UPSTREAM, "listen": f"127.0.0.1:{26390 + i}"} for i, name in enumerate("ab")]
    answer = server.ask("POST", "/populate", two)
    assert (answer.status, answer.content_type) == (201, "application/json")
    assert [proxy["name"] for proxy in answer.json["proxies"]] == ["a", "b"]
    server.do("POST", "/proxies/a/toxics", {"type": "latency"})
    server.do("POST", "/proxies/b/toxics", {"type": "latency"})
    kept, replaced = server.do("POST", "/populate", [two[0], {**two[1], "upstream": "127.0.0.1:10"}])["proxies"]
    assert kept["toxics"] == [LATENCY]
    assert (replaced["toxics"], replaced["upstream"]) == ([], "127.0.0.1:10")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "bad request body: EOF"),
        (b"{}", "bad request body: json: cannot unmarshal object into "),
        ([{"upstream": UPSTREAM}], "missing required field: name at proxy 1"),
        ([NEW, {"name": "b"}], "missing required field: upstream at proxy 2"),
    ],
)
def test_populate_with_what_makes_no_sense_makes_nothing(server: Server, body: Any, words: str) -> None:
    answer = server.ask("POST", "/populate", body)
    assert (answer.status, answer.content_type) == (400, "application/json")
    assert answer.json["error"].startswith(words)
    assert (answer.json["status"], answer.json["proxies"]) == (400, None)
    assert server.do("GET", "/proxies") == {}


def test_reset_enables_every_proxy_and_removes_every_toxic(server: Server, proxy: dict[str, Any]) -> None:
    server.do("POST", "/proxies/api/toxics", {"type": "latency"})
    answer = server.ask("POST", "/reset")
    assert (answer.status, answer.body) == (204, b"")
    shown = server.do("GET", "/proxies/api")
    assert (shown["enabled"], shown["toxics"]) == (True, [])


def test_browsers_are_kept_out(server: Server) -> None:
    answer = server.ask("GET", "/version", **{"User-Agent": "Mozilla/5.0"})
    assert (answer.status, answer.body) == (403, b"User agent not allowed\n")


def test_unknown_paths_and_methods_are_refused(server: Server) -> None:
    answer = server.ask("GET", "/nothing")
    assert (answer.status, answer.body) == (404, b"404 page not found\n")
    for method, path in (("PUT", "/proxies"), ("HEAD", "/proxies"), ("GET", "/reset"), ("DELETE", "/version")):
        assert server.ask(method, path).status == 405, (method, path)
