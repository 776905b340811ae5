"""The cache as a process: when the region behind it dies, when the cache does, who is let in, and how it is run."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec
import pytest
from amazondax import AmazonDaxClient
from botocore.exceptions import ClientError
from settled import Run

from atoll import Cluster
from atoll.child import environment
from atoll.config import Config
from atoll.failure import StartError
from atoll.sections import ApiConfig

REGION = "us-east-1"
KEYS = {"AKID": "the secret of this key"}
DEADLINE_S = 20.0


@pytest.fixture(scope="module")
def guarded() -> Iterator[Cluster]:
    """One region that checks signatures."""
    template = Config(api=ApiConfig(access_keys=KEYS))
    with Cluster((REGION,), announce=False, durability="memory", template=template) as running:
        running.client(REGION, **signer()).create_table(
            TableName="orders",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        yield running


def signer(secret: str = KEYS["AKID"]) -> dict[str, str]:
    return {"aws_access_key_id": "AKID", "aws_secret_access_key": secret}


def client(url: str, **credentials: str) -> Any:
    return AmazonDaxClient(endpoint_url=url, region_name=REGION, **(credentials or signer("any")))


def key(name: str) -> dict[str, Any]:
    return {"TableName": "orders", "Key": {"id": {"S": name}}}


def until(holds: Callable[[], bool]) -> None:
    deadline, pause = time.monotonic() + DEADLINE_S, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        pause.wait(0.05)


@contextmanager
def served(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Run ``atoll dax`` as a person does; yield its process, its endpoint, and the URL of its statistics."""
    command = [sys.executable, "-P", "-m", "atoll", "dax", "--port", "0", "--admin-port", "0"]
    command += ["--lists", os.devnull, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            yield process, words[words.index("at") + 1].rstrip("."), words[-1].removesuffix("/stats.")
        finally:
            process.terminate()


def answers(reading: Callable[[], Any]) -> bool:
    try:
        reading()
    except ClientError:
        return False
    return True


def test_while_the_region_is_down_what_is_held_is_answered_and_all_else_is_an_error() -> None:
    with Cluster((REGION,), announce=False) as cluster:
        cluster.create_global_table("orders")
        with client(cluster.dax(REGION)) as dax:
            item = {"id": {"S": "a"}, "v": {"N": "1"}}
            dax.put_item(TableName="orders", Item=item)
            cluster.kill(REGION)
            assert dax.get_item(**key("a"))["Item"] == item
            with pytest.raises(ClientError, match=r"us-east-1 does not answer at http://127\.0\.0\.1") as failed:
                dax.get_item(**key("b"))
            assert failed.value.response["Error"]["Code"] == "InternalServerErrorException"
            assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
            with pytest.raises(ClientError, match="InternalServerErrorException"):
                dax.put_item(TableName="orders", Item={**item, "v": {"N": "2"}})
            with pytest.raises(ClientError, match="InternalServerErrorException"):
                dax.get_item(**key("a"))
            cluster.restart(REGION)
            until(lambda: answers(lambda: dax.get_item(**key("a"))))
            assert dax.get_item(**key("a"))["Item"] == item


def test_a_cache_that_follows_its_region_goes_on_when_it_comes_back() -> None:
    with Cluster((REGION,), announce=False) as cluster:
        cluster.create_global_table("orders")
        with client(cluster.dax(REGION, invalidate=True)) as dax:
            for value in ("1", "2"):
                item = {"id": {"S": "a"}, "v": {"N": value}}
                cluster.client(REGION).put_item(TableName="orders", Item=item)
                until(lambda item=item: dax.get_item(**key("a")).get("Item") == item)
                cluster.kill(REGION)
                cluster.restart(REGION)
                until(lambda: answers(lambda: dax.get_item(**key("a"))))


def test_a_cache_that_is_started_anew_holds_nothing_and_its_clients_go_on(guarded: Cluster, tmp_path: Path) -> None:
    region = guarded.client(REGION, **signer())
    region.put_item(TableName="orders", Item={"id": {"S": "r"}, "v": {"N": "1"}})
    kept, lost = str(tmp_path / "kept" / "lists"), str(tmp_path / "lost")
    with config_file(guarded) as file, served("--config", file, "--lists", kept) as (process, url, _):
        port = int(url.rpartition(":")[2])
        with client(url, **signer()) as dax:
            dax.put_item(TableName="orders", Item={"id": {"S": "s"}, "known": {"N": "1"}})
            assert dax.get_item(**key("r"))["Item"]["v"] == {"N": "1"}
            region.put_item(TableName="orders", Item={"id": {"S": "r"}, "v": {"N": "2"}})
            assert dax.get_item(**key("r"))["Item"]["v"] == {"N": "1"}
            process.kill()
            process.wait()
            with served("--config", file, "--port", str(port), "--lists", kept) as (again, _, _):
                until(lambda: answers(lambda: dax.get_item(**key("r"))))
                assert dax.get_item(**key("r"))["Item"]["v"] == {"N": "2"}
                dax.put_item(TableName="orders", Item={"id": {"S": "t"}, "known": {"N": "1"}})
                again.kill()
                again.wait()
            with served("--config", file, "--port", str(port), "--lists", lost):
                until(lambda: answers(lambda: dax.get_item(**key("r"))))
                with pytest.raises(ClientError, match="the cache was started anew since the client was made"):
                    dax.put_item(TableName="orders", Item={"id": {"S": "u"}, "known": {"N": "1"}})
                assert "Item" not in region.get_item(**key("u"))
                with client(url, **signer()) as fresh:
                    fresh.put_item(TableName="orders", Item={"id": {"S": "u"}, "known": {"N": "1"}})
                assert dax.get_item(**key("t"))["Item"]["known"] == {"N": "1"}


@contextmanager
def config_file(cluster: Cluster, **cache: Any) -> Iterator[str]:
    """The configuration of the cluster's region as a file, with settings of its cache."""
    assert cluster.data is not None
    written = json.loads((cluster.data / REGION / "region.json").read_bytes())
    written["cache"] |= cache
    file = cluster.data / f"cache-{len(list(cluster.data.iterdir()))}.json"
    file.write_bytes(msgspec.json.encode(written))
    yield str(file)


def test_with_access_keys_a_client_must_have_one_and_the_cache_signs_with_its_own(guarded: Cluster) -> None:
    with config_file(guarded) as file, served("--config", file) as (_, url, _):
        with client(url, **signer()) as dax:
            dax.put_item(TableName="orders", Item={"id": {"S": "signed"}})
            assert dax.get_item(**key("signed"))["Item"] == {"id": {"S": "signed"}}
        with pytest.raises(ClientError, match="The request signature we calculated does not match"):
            client(url, **signer("guessed"))
        with pytest.raises(ClientError, match="The security token included in the request is invalid"):
            client(url, aws_access_key_id="other", aws_secret_access_key="any")


def test_memory_is_bounded_and_the_least_recently_used_makes_room(guarded: Cluster) -> None:
    region = guarded.client(REGION, **signer())
    for number in range(8):
        region.put_item(TableName="orders", Item={"id": {"S": f"m{number}"}, "text": {"S": "x" * 10_000}})
    with (
        config_file(guarded, item_bytes=45_000) as file,
        served("--config", file) as (_, url, admin),
        client(url, **signer()) as dax,
    ):
        for number in range(8):
            assert "Item" in dax.get_item(**key(f"m{number}"))
        with urlopen(f"{admin}/stats") as response:
            figures = json.load(response)
        assert figures["item"]["bytes"] <= 45_000
        assert (figures["item"]["entries"], figures["item"]["evictions"]) == (4, 4)
        with urlopen(f"{admin}/metrics") as response:
            assert b'atoll_dax_evictions_total{cache="item"} 4.0' in response.read()


def test_over_tls_the_client_comes_by_daxs(monkeypatch: pytest.MonkeyPatch) -> None:
    with Cluster((REGION,), announce=False, durability="memory", tls=True) as cluster:
        cluster.create_global_table("orders")
        url = cluster.dax(REGION, invalidate=True)
        assert url.startswith("daxs://")
        assert cluster.authority is not None
        monkeypatch.setenv("SSL_CERT_FILE", cluster.authority)
        with client(url) as dax:
            dax.put_item(TableName="orders", Item={"id": {"S": "a"}})
            assert dax.get_item(**key("a"))["Item"] == {"id": {"S": "a"}}
            cluster.client(REGION).delete_item(**key("a"))
            until(lambda: "Item" not in dax.get_item(**key("a")))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_at_once_when_it_is_told_to_though_clients_are_connected(guarded: Cluster, number: int) -> None:
    with served("--region", guarded.endpoint(REGION)) as (process, url, _):
        host, port = url.removeprefix("dax://").split(":")
        with socket.create_connection((host, int(port))) as idle:
            process.send_signal(number)
            assert process.wait(10) == 0
            assert idle.recv(1) == b""


def test_what_cannot_work_is_said_in_words_with_what_to_do(run: Run, guarded: Cluster, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        at = ("--region", f"{REGION}={guarded.endpoint(REGION)}")
        refusals = {
            ("dax", *at, "--port", str(port)): (1, f"Port {port} of 127.0.0.1 for clients cannot be used"),
            ("dax", *at, "--port", "0", "--admin-port", str(port)): (1, f"Port {port} of 127.0.0.1 for statistics"),
            ("dax", *at, "--invalidate"): (2, "Invalidation needs the region's admin address."),
            ("dax", "--region", "x=ftp://y"): (2, "is no REGION=URL."),
            ("dax", "--region", "us-east-1"): (1, "No cluster is running."),
            ("dax", *at, "--item-ttl", "soon"): (2, "is no duration"),
            ("dax", "stats", "--url", f"http://127.0.0.1:{port + 1}"): (1, "Is `atoll dax` running?"),
        }
        for command, (code, words) in refusals.items():
            done = run(*command)
            assert done.returncode == code, (command, done.stderr)
            assert words in done.stderr
            assert "Traceback" not in done.stderr


def test_a_cluster_has_one_cache_a_region(guarded: Cluster) -> None:
    url = guarded.dax(REGION)
    assert guarded.dax(REGION) == url
    with pytest.raises(StartError, match="runs with other settings"):
        guarded.dax(REGION, item_ttl_ms=5)
    pid = guarded.dax_pid(REGION)
    guarded.stop_dax(REGION)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(StartError, match="us-east-1 has no cache"):
        guarded.dax_admin(REGION)
