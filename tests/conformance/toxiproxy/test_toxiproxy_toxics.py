"""What toxics do to real connections. Only lower bounds of time are asserted: a busy machine may always be slower."""

from __future__ import annotations

import hashlib
import random
import re
import socket
import threading
import time

import pytest
from toxiproxy_servers import Server, Via


def receive(connection: socket.socket, size: int) -> bytes:
    """Receive so many bytes, or all up to the end."""
    received = bytearray()
    while len(received) < size and (data := connection.recv(size - len(received))):
        received += data
    return bytes(received)


def round_trip_s(connection: socket.socket) -> float:
    started = time.monotonic()
    connection.sendall(b"ping")
    assert receive(connection, 4) == b"ping"
    return time.monotonic() - started


def silent(connection: socket.socket, seconds: float = 0.2) -> bool:
    """Whether nothing at all comes for a while."""
    connection.settimeout(seconds)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(60)
    return False


def test_without_toxics_everything_arrives_as_it_was(via: Via) -> None:
    sent = random.Random(1).randbytes(8 << 20)
    with via.connect() as connection:
        threading.Thread(target=connection.sendall, args=(sent,), daemon=True).start()
        assert hashlib.sha256(receive(connection, len(sent))).digest() == hashlib.sha256(sent).digest()


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
def test_latency_delays_a_live_connection_and_ends_with_the_toxic(via: Via, stream: str) -> None:
    with via.connect() as connection:
        round_trip_s(connection)
        toxic = via.toxic("latency", stream, latency=80)
        assert round_trip_s(connection) >= 0.078
        assert round_trip_s(connection) >= 0.078
        via.server.do("POST", toxic, {"attributes": {"latency": 30_000}})
        connection.sendall(b"held")
        assert silent(connection)
        via.remove(toxic)
        assert receive(connection, 4) == b"held"
        round_trip_s(connection)


def test_latency_holds_for_many_chunks_at_once_and_keeps_their_order_under_jitter(via: Via) -> None:
    via.toxic("latency", latency=60, jitter=50)
    sent = b"".join(number.to_bytes(4, "big") for number in range(2000))
    with via.connect() as connection:
        for start in range(0, len(sent), 40):
            connection.sendall(sent[start : start + 40])
        assert receive(connection, len(sent)) == sent


def test_bandwidth_limits_the_rate(via: Via) -> None:
    via.toxic("bandwidth", rate=200)
    with via.connect() as connection:
        started = time.monotonic()
        connection.sendall(bytes(100_000))
        assert len(receive(connection, 100_000)) == 100_000
        assert time.monotonic() - started >= 0.45


def test_a_bandwidth_of_zero_stalls_and_loses_nothing(via: Via) -> None:
    toxic = via.toxic("bandwidth", rate=0)
    sent = random.Random(2).randbytes(1_000_000)
    with via.connect() as connection:
        threading.Thread(target=connection.sendall, args=(sent,), daemon=True).start()
        assert silent(connection)
        via.remove(toxic)
        assert receive(connection, len(sent)) == sent


def test_slow_close_delays_the_end(via: Via) -> None:
    toxic = via.toxic("slow_close", "upstream", delay=150)
    with via.connect() as connection:
        round_trip_s(connection)
        started = time.monotonic()
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
        assert time.monotonic() - started >= 0.148
    via.remove(toxic)


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
def test_a_timeout_of_zero_is_a_black_hole_until_it_is_removed_which_ends_the_connection(via: Via, stream: str) -> None:
    with via.connect() as connection:
        round_trip_s(connection)
        toxic = via.toxic("timeout", stream, timeout=0)
        connection.sendall(b"lost")
        assert silent(connection)
        via.remove(toxic)
        assert connection.recv(1) == b""
    with via.connect() as connection:
        round_trip_s(connection)


def test_a_timeout_ends_the_connection_when_it_is_over(via: Via) -> None:
    via.toxic("timeout", timeout=100)
    with via.connect() as connection:
        started = time.monotonic()
        connection.sendall(b"lost")
        assert connection.recv(1) == b""
        assert time.monotonic() - started >= 0.098


def test_reset_peer_resets(via: Via) -> None:
    via.toxic("reset_peer", timeout=20)
    with via.connect() as connection:
        connection.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_the_slicer_cuts_and_loses_nothing(via: Via) -> None:
    via.toxic("slicer", average_size=64, size_variation=32, delay=10)
    sent = random.Random(3).randbytes(20_000)
    with via.connect() as connection:
        connection.sendall(sent)
        assert receive(connection, len(sent)) == sent


def test_limit_data_ends_each_connection_after_so_many_bytes(via: Via) -> None:
    via.toxic("limit_data", bytes=1000)
    for _ in range(2):
        with via.connect() as connection:
            connection.sendall(bytes(5000))
            assert len(receive(connection, 5000)) == 1000


def test_limit_data_counts_what_a_live_connection_sends_from_then_on(via: Via) -> None:
    with via.connect() as connection:
        round_trip_s(connection)
        toxic = via.toxic("limit_data", bytes=100)
        connection.sendall(bytes(60))
        assert len(receive(connection, 60)) == 60
        via.server.do("POST", toxic, {"attributes": {"bytes": 110}})
        connection.sendall(bytes(60))
        assert len(receive(connection, 60)) == 50


def test_toxicity_is_the_share_of_connections_that_are_hit(via: Via) -> None:
    via.toxic("limit_data", toxicity=0.5, bytes=0)
    hit = 0
    for _ in range(60):
        with via.connect() as connection:
            connection.sendall(b"x")
            hit += connection.recv(1) == b""
    assert 10 <= hit <= 50


def test_a_toxicity_of_zero_spares_everyone(via: Via) -> None:
    via.toxic("timeout", toxicity=0, timeout=0)
    with via.connect() as connection:
        round_trip_s(connection)


def test_toxics_act_one_after_the_other(via: Via) -> None:
    via.toxic("latency", latency=60)
    via.toxic("limit_data", bytes=8)
    via.toxic("latency", "upstream", latency=40)
    with via.connect() as connection:
        assert round_trip_s(connection) >= 0.096
        connection.sendall(bytes(100))
        assert len(receive(connection, 100)) == 4


def test_a_disabled_proxy_closes_and_refuses_and_comes_back_on_the_same_port(via: Via) -> None:
    with via.connect() as connection:
        round_trip_s(connection)
        via.enable(False)
        assert connection.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            via.connect()
        via.enable(True)
    with via.connect() as connection:
        round_trip_s(connection)


def test_an_upstream_that_is_not_there_closes_the_connection(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        upstream = f"127.0.0.1:{free.getsockname()[1]}"
    via = Via(server, upstream)
    with via.connect() as connection:
        assert connection.recv(1) == b""
    server.do("DELETE", via.path)


def test_the_end_of_one_side_is_the_end_of_both_after_all_was_delivered(via: Via) -> None:
    via.toxic("latency", latency=100)
    with via.connect() as connection:
        connection.sendall(b"last words")
        time.sleep(0.02)  # Not a wait for something: the end must find the words under way.
        connection.shutdown(socket.SHUT_WR)
        assert receive(connection, 100) in (b"last words", b"")


def test_bytes_are_counted(via: Via) -> None:
    with via.connect() as connection:
        round_trip_s(connection)
    pattern = re.compile(
        rb'toxiproxy_proxy_(received|sent)_bytes_total\{direction="(\w+)",.*proxy="%s",.*\} 4\n' % via.name.encode()
    )
    deadline = time.monotonic() + 30
    while len(pattern.findall(via.server.ask("GET", "/metrics").body)) < 4:
        assert time.monotonic() < deadline, via.server.ask("GET", "/metrics").body
