from __future__ import annotations

import socket

import pytest

from atoll import layout, ports
from atoll.config import Config
from atoll.failure import StartError

HOST = "127.0.0.1"


def test_a_region_can_listen_where_its_parent_reserves() -> None:
    reservation = ports.Reservation(HOST)
    with socket.create_server((HOST, reservation.port)) as server:
        assert server.getsockname()[1] == reservation.port
    reservation.release()


def test_a_reserved_port_refuses_connections() -> None:
    reservation = ports.Reservation(HOST)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, reservation.port))
    reservation.release()


def test_nobody_is_given_a_reserved_port() -> None:
    reservations = ports.reserve(HOST, [0] * 200)
    assert len({reservation.port for reservation in reservations}) == 200
    for reservation in reservations:
        reservation.release()
        reservation.release()


def test_if_one_port_is_taken_none_is_kept() -> None:
    with socket.create_server((HOST, 0)) as server:
        free = ports.Reservation(HOST)
        free.release()
        with pytest.raises(OSError, match="in use"):
            ports.reserve(HOST, [free.port, server.getsockname()[1]])
        with socket.socket() as other:
            other.bind((HOST, free.port))


def test_a_layout_tells_every_region_all_its_peers(tmp_path: object) -> None:
    from pathlib import Path

    plan = layout.lay_out(("a", "b", "c"), Path(str(tmp_path)), Config(), None, {"b": -5})
    urls = {config.region: f"ws://{HOST}:{config.replication.port}" for config in plan.configs}
    for config in plan.configs:
        assert config.replication.peers == {region: url for region, url in urls.items() if region != config.region}
    assert [config.clock.offset_ms for config in plan.configs] == [0, -5, 0]
    assert len({config.data for config in plan.configs}) == 3
    for reservation in plan.reservations:
        reservation.release()


def test_api_ports_that_are_taken_are_refused_with_a_remedy() -> None:
    from pathlib import Path

    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StartError, match="are not all free"):
            layout.lay_out(("a",), Path(), Config(), port, {})
