"""The unmodified ``toxiproxy-python`` client, by its own documented usage."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists
from toxiproxy.utils import can_connect_to
from toxiproxy_servers import Server

NAME = "test_toxiproxy_populate"


@pytest.fixture
def toxiproxy(server: Server) -> Iterator[Toxiproxy]:
    client = Toxiproxy()
    client.update_api_consumer(server.host, server.port)
    client.destroy_all()
    yield client
    client.destroy_all()


def port(listen: str) -> int:
    return int(listen.rpartition(":")[2])


def test_the_server_runs_and_tells_its_version(toxiproxy: Toxiproxy) -> None:
    assert toxiproxy.running() is True
    assert b"version" in toxiproxy.version()


def test_a_proxy_is_created_found_and_destroyed(toxiproxy: Toxiproxy, echo: str) -> None:
    proxy = toxiproxy.create(name="echo", upstream=echo)
    assert (proxy.upstream, proxy.name, proxy.enabled) == (echo, "echo", True)
    assert can_connect_to("127.0.0.1", port(proxy.listen))
    assert toxiproxy.get_proxy("echo").listen == proxy.listen
    assert list(toxiproxy.proxies()) == ["echo"]
    assert toxiproxy.destroy(proxy) is True
    assert toxiproxy.get_proxy("echo") is None
    assert not can_connect_to("127.0.0.1", port(proxy.listen))


def test_a_name_cannot_be_taken_twice(toxiproxy: Toxiproxy, echo: str) -> None:
    toxiproxy.create(name="echo", upstream=echo)
    with pytest.raises(ProxyExists):
        toxiproxy.create(name="echo", upstream=echo)


def test_proxies_are_populated_and_replaced(toxiproxy: Toxiproxy) -> None:
    first = [
        {"name": f"{NAME}1", "upstream": "localhost:3306", "listen": "localhost:22222"},
        {"name": f"{NAME}2", "upstream": "localhost:3306", "listen": "localhost:22223"},
    ]
    made = toxiproxy.populate(first)
    assert [proxy.name for proxy in made] == [f"{NAME}1", f"{NAME}2"]
    for proxy in made:
        assert can_connect_to("127.0.0.1", port(proxy.listen))
    again = toxiproxy.populate([{"name": f"{NAME}1", "upstream": "localhost:3307", "listen": "localhost:22222"}])
    assert [proxy.upstream for proxy in again] == ["localhost:3307"]


def test_a_proxy_is_down_inside_the_block_and_up_after_it(toxiproxy: Toxiproxy, echo: str) -> None:
    proxy = toxiproxy.create(name="echo", upstream=echo)
    with proxy.down():
        assert not can_connect_to("127.0.0.1", port(proxy.listen))
    assert can_connect_to("127.0.0.1", port(proxy.listen))
    proxy.disable()
    assert toxiproxy.get_proxy("echo").enabled is False
    proxy.enable()
    assert toxiproxy.get_proxy("echo").enabled is True


def test_toxics_are_added_listed_and_destroyed(toxiproxy: Toxiproxy, echo: str) -> None:
    proxy = toxiproxy.create(name="echo", upstream=echo)
    proxy.add_toxic(type="latency", attributes={"latency": 123})
    proxy.add_toxic(type="slicer", name="cut", stream="upstream", toxicity=0.5, attributes={"average_size": 10})
    assert set(proxy.toxics()) == {"latency_downstream", "cut"}
    latency = proxy.get_toxic("latency_downstream")
    assert (latency.type, latency.attributes["latency"], latency.toxicity) == ("latency", 123, 1)
    assert proxy.get_toxic("cut").stream == "upstream"
    assert proxy.destroy_toxic("latency_downstream") is True
    assert proxy.get_toxic("latency_downstream") is None


def test_refusals_arrive_as_the_clients_exceptions(toxiproxy: Toxiproxy, echo: str) -> None:
    proxy = toxiproxy.create(name="echo", upstream=echo)
    with pytest.raises(InvalidToxic):
        proxy.add_toxic(type="none")
    with pytest.raises(NotFound):
        proxy.destroy_toxic("none")
    proxy.add_toxic(type="latency")
    with pytest.raises(ProxyExists):
        proxy.add_toxic(type="latency")


def test_reset_removes_toxics_and_enables(toxiproxy: Toxiproxy, echo: str) -> None:
    proxy = toxiproxy.create(name="echo", upstream=echo)
    proxy.disable()
    proxy.add_toxic(type="timeout", attributes={"timeout": 0})
    assert toxiproxy.reset() is True
    assert proxy.toxics() == {}
    with socket.create_connection(("127.0.0.1", port(proxy.listen)), timeout=30) as connection:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
