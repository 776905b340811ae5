"""Every fault on real processes: what probes measure of it, that it ends, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from settled import Run

from atoll import Cluster
from atoll.child import ServingChild, environment
from atoll.failure import RemedyError, StartError
from atoll.provision import wait
from chaos.live.probe import answer_s

EAST, WEST = "us-east-1", "eu-west-1"
LINK = f"{EAST}->{WEST}"
KEY = {"id": {"S": "1"}}


@pytest.fixture(scope="module")
def broken() -> Iterator[Cluster]:
    """Two regions behind proxies, with a table."""
    with Cluster((EAST, WEST), proxied=True, announce=False, seed=1) as running:
        running.create_global_table("orders")
        yield running


@pytest.fixture(autouse=True)
def _healed(broken: Cluster) -> Iterator[None]:
    yield
    broken.heal()
    assert broken.faults() == []


def eventually(condition: Any, what: str) -> None:
    wait(condition, time.monotonic() + 30, what)


def state(cluster: Cluster, link: str = LINK) -> str:
    source, _, sink = link.partition("->")
    links = cluster.admin(sink).status().links
    return next(each.state for each in links if (each.source, each.sink) == (source, sink))


@pytest.mark.parametrize("mode", ["refuse", "blackhole", "data", "acks"])
def test_a_cut_link_carries_nothing_and_what_waited_arrives_after(broken: Cluster, mode: Any) -> None:
    fault = broken.cut(LINK, mode)
    assert [effect.measured for effect in fault.effects] == ["refused" if mode == "refuse" else "no answer in 300 ms"]
    broken.client(EAST).put_item(TableName="orders", Item={**KEY, "mode": {"S": mode}})
    if mode != "acks":  # What the source sends still arrives; only the acknowledgements do not.
        read = broken.client(WEST).get_item(TableName="orders", Key=KEY)
        assert read.get("Item", {}).get("mode") != {"S": mode}
    broken.heal()
    broken.wait_converged("orders")
    assert broken.client(WEST).get_item(TableName="orders", Key=KEY)["Item"]["mode"] == {"S": mode}


def test_a_black_hole_without_a_reset_is_noticed_by_the_state_of_the_link(broken: Cluster) -> None:
    eventually(lambda: state(broken) == "live", "the link is not live")
    broken.cut(LINK)
    eventually(lambda: state(broken) == "unreachable", "the cut link looks healthy")
    assert state(broken, f"{WEST}->{EAST}") == "live"


def test_a_delay_is_what_was_asked_for(broken: Cluster) -> None:
    broken.delay(LINK, 80, 10)
    samples = []
    for _ in range(5):
        took = answer_s(broken.laboratory.way(EAST, WEST), 10)
        assert took is not None
        samples.append(took * 1000 / 2)
    # The least of several is what the proxy added; the others are what a busy machine added to it.
    assert 78 <= min(samples) <= 110


def test_bandwidth_loss_and_tears_show_in_what_probes_measure(broken: Cluster) -> None:
    rate = float(broken.limit(LINK, 100).effects[0].measured.split()[0])
    assert rate <= 150
    broken.heal()
    assert broken.lose(LINK, 0.5).effects[0].measured != "0% of connections lost"
    broken.heal()
    assert broken.tear(LINK).effects[0].measured == "torn after 7 bytes"
    assert broken.faults() == []


def test_a_link_whose_connections_are_lost_all_the_time_delivers_in_the_end(broken: Cluster) -> None:
    broken.lose(LINK, 0.5)
    for number in range(20):
        broken.client(EAST).put_item(TableName="orders", Item={"id": {"S": f"lossy-{number}"}})
    broken.wait_converged("orders")


def test_a_pause_is_a_fault_too(broken: Cluster) -> None:
    broken.apply({"kind": "pause", "link": LINK})
    assert state(broken) == "paused"
    broken.heal()
    assert state(broken) != "paused"


def offset_ms(cluster: Cluster, region: str) -> int:
    condition = cluster.admin(region).condition()
    return condition.wall_ms - condition.real_ms


def test_clocks_are_set_wrong_all_at_once_and_right_again(broken: Cluster) -> None:
    broken.skew(WEST, 60_000)
    broken.jump(WEST, -20_000)
    assert abs(offset_ms(broken, WEST) - 40_000) <= 50
    assert abs(offset_ms(broken, EAST)) <= 50
    broken.heal()
    assert abs(offset_ms(broken, WEST)) <= 50


def test_a_drifting_clock_gains_and_a_frozen_one_stands(broken: Cluster) -> None:
    broken.skew(WEST, drift_ppm=200_000)
    before = offset_ms(broken, WEST)
    eventually(lambda: offset_ms(broken, WEST) > before + 20, "the clock gains nothing")
    broken.heal()
    broken.freeze(WEST)
    first, second = broken.admin(WEST).condition(), broken.admin(WEST).condition()
    assert first.wall_ms == second.wall_ms
    eventually(lambda: offset_ms(broken, WEST) < -20, "the clock does not fall behind")


def test_a_clock_stays_wrong_over_a_crash_until_it_is_healed(broken: Cluster) -> None:
    broken.skew(WEST, 30_000)
    crash = broken.crash(WEST)
    broken.laboratory.standing.end(crash.number)
    assert abs(offset_ms(broken, WEST) - 30_000) <= 50


def test_a_full_disk_refuses_writes_definitely_and_reads_go_on(broken: Cluster) -> None:
    broken.client(WEST).put_item(TableName="orders", Item={**KEY, "disk": {"S": "before"}})
    broken.fill_disk(WEST)
    client = broken.client(WEST)
    with pytest.raises(client.exceptions.InternalServerError):
        client.put_item(TableName="orders", Item={**KEY, "disk": {"S": "lost"}})
    assert client.get_item(TableName="orders", Key=KEY)["Item"]["disk"] == {"S": "before"}
    broken.heal()
    client.put_item(TableName="orders", Item={**KEY, "disk": {"S": "after"}})
    broken.wait_converged("orders")


def test_a_slow_disk_makes_commits_slow_and_leaves_reads_alone(broken: Cluster) -> None:
    broken.slow_disk(WEST, 150)
    client = broken.client(WEST)
    started = time.monotonic()
    client.put_item(TableName="orders", Item=KEY)
    assert time.monotonic() - started >= 0.15


def test_a_suspended_region_does_not_answer_and_goes_on(broken: Cluster) -> None:
    broken.suspend(WEST)
    with pytest.raises(RemedyError):
        type(broken.admin(WEST))(str(broken.admin(WEST)), timeout_s=0.3).health()
    broken.heal()
    assert broken.admin(WEST).health().state == "live"


def test_a_crash_ends_by_itself(broken: Cluster) -> None:
    pid = broken.pid(WEST)
    broken.crash(WEST, seconds=0.2)
    eventually(lambda: broken.faults() == [], "the fault goes on")
    assert broken.pid(WEST) != pid
    broken.wait_converged("orders")


def test_a_fault_that_makes_no_sense_is_refused_and_leaves_nothing(broken: Cluster) -> None:
    for table in (
        {"kind": "cut", "link": "us-east-1->nowhere"},
        {"kind": "duplicate", "share": 0.5},
        {"kind": "none"},
        {"kind": "crash"},
    ):
        with pytest.raises(ValueError, match=r"region|simulation|fault"):
            broken.apply(table)
    assert broken.faults() == []


def test_commands_break_and_heal_a_running_cluster(broken: Cluster, run: Run) -> None:
    folder = str(broken.data)
    done = run("cut", f"{EAST}:{WEST}", "--for", "60s", "--cluster", folder)
    assert (done.returncode, "no answer in 300 ms" in done.stdout) == (0, True)
    assert "80 ms" not in run("faults", "--cluster", folder).stdout
    assert 'kind = "cut"' in run("faults", "--cluster", folder).stdout
    assert run("delay", LINK, "30ms", "--jitter", "10ms", "--cluster", folder).returncode == 0
    assert run("skew", WEST, "--ms", "5000", "--cluster", folder).returncode == 0
    assert run("skew", WEST, "--cluster", folder).returncode == 2
    assert run("kill", WEST, "--suspend", "--for", "100ms", "--cluster", folder).returncode == 0
    assert run("fault", f'{{ kind = "disk-slow", region = "{EAST}", ms = 5 }}', "--cluster", folder).returncode == 0
    assert run("fault", '{ kind = "nothing" }', "--cluster", folder).returncode == 2
    healed = run("heal", "--cluster", folder)
    assert healed.returncode == 0
    assert "Nothing is broken." in run("faults", "--cluster", folder).stdout


def test_a_cluster_without_proxies_says_so(cluster: Cluster, run: Run) -> None:
    with pytest.raises(StartError, match="proxied=True"):
        cluster.cut(LINK)
    refused = run("heal", "--cluster", str(cluster.data))
    assert (refused.returncode, "atoll demo" in refused.stderr) == (2, True)
    with pytest.raises(RemedyError, match="chaos = true"):
        cluster.admin(EAST).condition()


def test_links_are_as_long_as_between_the_regions_of_aws() -> None:
    with Cluster((EAST, WEST), proxied=True, latency="aws", latency_scale=0.5, announce=False) as cluster:
        cluster.heal()
        took = answer_s(cluster.laboratory.way(EAST, WEST), 10)
        assert took is not None
        assert took >= 0.038


OWNER = """
import sys, time
from atoll import Cluster
cluster = Cluster(("us-east-1", "eu-west-1"), proxied=True, announce=False).start()
cluster.suspend("eu-west-1")
print(*(cluster.pid(region) for region in cluster.regions), flush=True)
time.sleep(600)
"""


def test_nothing_is_left_of_a_cluster_whose_owner_is_killed_not_even_what_was_suspended(tmp_path: Path) -> None:
    variables = {**environment(), "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, env=variables, text=True) as owner:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        owner.send_signal(signal.SIGKILL)
    folder = next(tmp_path.glob("atoll-*"))

    def processes() -> list[str]:
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid,args"], capture_output=True, text=True, check=True
        ).stdout
        return [line for line in listed.splitlines() if str(folder) in line or line.split()[0] in map(str, pids)]

    eventually(lambda: not processes(), "processes are left")


STAND_IN = """#!/bin/sh
exec {python} -P -m atoll proxy --host "$2" --port "$4"
"""


def test_a_toxiproxy_server_on_the_path_is_used_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "toxiproxy-server"
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(stat.S_IRWXU)
    for name, value in {**environment(), "PATH": f"{tmp_path}:{os.environ['PATH']}"}.items():
        monkeypatch.setenv(name, value)
    with Cluster((EAST, WEST), proxied=True, announce=False) as cluster:
        assert (Path(str(cluster.data)) / "proxy.log").is_file()
        assert cluster.cut(LINK, "refuse").effects[0].measured == "refused"
        cluster.heal()


def test_a_toxiproxy_server_by_url_is_used_instead_and_left_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ServingChild(["proxy", "--port=0"], tmp_path)
    server.launch()
    url = server.wait_ready(30)
    monkeypatch.setenv("TOXIPROXY_URL", url)
    try:
        with Cluster((EAST, WEST), proxied=True, announce=False) as cluster:
            assert cluster.laboratory.proxy_api == url
            assert cluster.cut(LINK).effects[0].measured == "no answer in 300 ms"
        with urllib.request.urlopen(f"{url}/proxies") as answer:
            assert answer.read() == b"{}"
    finally:
        server.stop()
