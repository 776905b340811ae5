"""A cluster that speaks TLS everywhere: real clients get in with the right authority, and attackers do not."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import BotoCoreError, ConnectionClosedError, SSLError
from lifecycle import eventually
from settled import Run

from atoll import Cluster, authority
from atoll.config import Config, TlsConfig
from atoll.failure import UnreachableError
from atoll.remote import AdminClient
from atoll.tls import Tls
from atoll.trust import Trust
from clock import SystemClock
from region.errors import ReplicationError
from replication import WebSocketTransport
from replication.message import Subscribe, encode

EAST, WEST = "us-east-1", "eu-west-1"
ONCE = BotoConfig(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two regions behind proxies, and a gateway."""
    data = tmp_path_factory.mktemp("secured")
    with Cluster((EAST, WEST), data=data, tls=True, gateway=True, proxied=True, announce=False) as running:
        running.create_global_table("orders")
        yield running


def certificates(cluster: Cluster) -> Path:
    return Path(str(cluster.authority)).parent


def test_boto3_works_with_the_clusters_authority_and_replication_through_proxies(secured: Cluster) -> None:
    client = boto3.client(
        "dynamodb",
        region_name=EAST,
        endpoint_url=secured.endpoint(EAST),
        aws_access_key_id="x",
        aws_secret_access_key="x",
        verify=secured.authority,
        config=ONCE,
    )
    assert secured.endpoint(EAST).startswith("https://")
    client.put_item(TableName="orders", Item={"id": {"S": "1"}, "text": {"S": "é" * 100_000}})
    secured.wait_converged("orders")
    assert secured.client(WEST).get_item(TableName="orders", Key={"id": {"S": "1"}})["Item"]["text"]["S"][0] == "é"
    through = secured.client(WEST, endpoint_url=secured.gateway)
    assert through.list_tables()["TableNames"] == ["orders"]
    assert secured.gateway.startswith("https://")


def test_a_client_that_trusts_another_authority_says_nothing(secured: Cluster, tmp_path: Path) -> None:
    authority.make(tmp_path, now_ms=SystemClock().now_ms())
    for trusted in (str(tmp_path / "ca.pem"), True):
        with pytest.raises(SSLError, match="certificate verify failed"):
            secured.client(EAST, verify=trusted, config=ONCE).list_tables()
    with pytest.raises(UnreachableError, match=r"certificate verify failed.*ATOLL_TLS_AUTHORITIES"):
        AdminClient(str(secured.admin(EAST)), trust=Trust(authorities=str(tmp_path / "ca.pem"))).health()


@pytest.mark.parametrize("where", ["api", "admin"])
def test_plain_talk_to_a_tls_port_is_not_answered(secured: Cluster, where: str) -> None:
    url = secured.endpoint(EAST) if where == "api" else str(secured.admin(EAST))
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=5) as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP" not in plain.recv(4096)
    with pytest.raises((ConnectionClosedError, ConnectionError)):
        secured.client(EAST, endpoint_url=url.replace("https", "http"), config=ONCE).list_tables()


def test_less_than_tls_1_2_is_refused(secured: Cluster) -> None:
    context = ssl.create_default_context(cafile=secured.authority)
    address = urlsplit(secured.endpoint(EAST))
    with socket.create_connection((address.hostname, address.port), timeout=5) as raw:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with context.wrap_socket(raw, server_hostname="localhost") as agreed:
            assert agreed.version() == "TLSv1.2"
    old = ssl.create_default_context(cafile=secured.authority)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection((address.hostname, address.port), timeout=5) as raw,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        old.wrap_socket(raw, server_hostname="localhost")


async def test_a_region_that_says_to_be_another_than_its_certificate_gets_no_change(secured: Cluster) -> None:
    folder = certificates(secured)
    config = TlsConfig(
        certificate=str(folder / f"{WEST}.pem"),
        key=str(folder / f"{WEST}-key.pem"),
        authorities=str(folder / "ca.pem"),
        replication=True,
    )
    status = await asyncio.to_thread(secured.admin(EAST).status)
    west = WebSocketTransport(Tls(config).peers)
    # It may be known to the source or not: what counts is that it cannot prove it.
    for said in ("ap-northeast-1", EAST):
        connection = await west.connect(status.addresses.replication)
        await connection.send(encode(Subscribe(said, EAST, "", 0, 1 << 20)))
        with pytest.raises(ReplicationError, match="ended"):
            await asyncio.wait_for(connection.receive(), 5)
    await west.close()
    log = (Path(str(secured.data)) / EAST / "region.log").read_text()
    assert "but its certificate is that of eu-west-1" in log


def test_faults_on_links_are_measured_over_tls_and_heal(secured: Cluster) -> None:
    cut = secured.cut(f"{EAST}->{WEST}")
    assert all(effect.holds for effect in cut.effects)
    slow = secured.delay(f"{WEST}->{EAST}", 40)
    assert all(effect.holds for effect in slow.effects)
    assert len(secured.heal()) == 2
    secured.client(EAST).put_item(TableName="orders", Item={"id": {"S": "healed"}})
    secured.wait_converged("orders")


def test_commands_find_and_trust_the_cluster_and_the_doctor_knows_when_certificates_end(
    secured: Cluster, run: Run
) -> None:
    done = run("doctor", "--cluster", str(secured.data), "--json")
    assert done.returncode == 0, done.stdout
    found = {finding["what"]: finding for finding in json.loads(done.stdout)}
    assert found[f"certificate of {EAST}"]["found"] == f"holds for {authority.DAYS - 1} days"


def test_new_certificates_are_taken_at_sighup_and_broken_ones_are_not(secured: Cluster) -> None:
    folder = certificates(secured)
    address = urlsplit(secured.endpoint(WEST))

    def shown() -> bytes:
        context = ssl.create_default_context(cafile=secured.authority)
        with (
            socket.create_connection((address.hostname, address.port), timeout=5) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as agreed,
        ):
            return agreed.getpeercert(binary_form=True) or b""

    before = shown()
    good = (folder / f"{WEST}.pem").read_bytes()
    log = Path(str(secured.data)) / WEST / "region.log"
    (folder / f"{WEST}.pem").write_text("no certificate")
    os.kill(secured.pid(WEST), signal.SIGHUP)
    eventually(lambda: "certificates_kept" in log.read_text(), "the broken certificate was not noticed")
    assert shown() == before
    (folder / f"{WEST}.pem").write_bytes(good)
    authority.make(folder, regions=(WEST,), days=7, now_ms=SystemClock().now_ms())
    os.kill(secured.pid(WEST), signal.SIGHUP)
    eventually(lambda: shown() != before, "the new certificate is not shown")
    secured.client(EAST).put_item(TableName="orders", Item={"id": {"S": "renewed"}})
    secured.wait_converged("orders")


def test_where_clients_must_show_a_certificate_nobody_gets_in_without_one(tmp_path: Path) -> None:
    template = Config(tls=TlsConfig(client_certificates=True))
    with Cluster((EAST,), data=tmp_path, template=template, tls=True, announce=False) as cluster:
        trust = cluster.trust
        assert trust is not None
        shows = BotoConfig(client_cert=(trust.certificate, trust.key), retries={"total_max_attempts": 1})
        assert cluster.client(EAST, config=shows).list_tables()["TableNames"] == []
        with pytest.raises(BotoCoreError):
            cluster.client(EAST, config=ONCE).list_tables()
        with pytest.raises(UnreachableError):
            AdminClient(str(cluster.admin(EAST)), trust=Trust(authorities=trust.authorities)).health()
        authority.make(tmp_path / "others", clients=("app",), now_ms=SystemClock().now_ms())
        foreign = Trust(
            authorities=trust.authorities,
            certificate=str(tmp_path / "others" / "app.pem"),
            key=str(tmp_path / "others" / "app-key.pem"),
        )
        with pytest.raises(UnreachableError):
            AdminClient(str(cluster.admin(EAST)), trust=foreign).health()
