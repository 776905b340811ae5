"""The commands, run as people run them, against real regions."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from settled import Run

from atoll import Cluster, __version__
from atoll.child import environment
from atoll.remote import AdminClient

LINKS = 6


def target(cluster: Cluster) -> tuple[str, str]:
    return ("--cluster", str(cluster.data))


def test_version_and_help_need_no_cluster(run: Run) -> None:
    assert run("--version").stdout == f"atoll {__version__}\n"
    text = run("--help").stdout
    assert all(verb in text for verb in ("demo", "start", "status", "lag", "pause", "resume", "force"))


@pytest.mark.parametrize(
    "verb", ["demo", "start", "status", "lag", "pause", "resume", "workload", "force", "wait", "rpo"]
)
def test_every_verb_explains_itself(run: Run, verb: str) -> None:
    answer = run(verb, "--help")
    assert answer.returncode == 0
    assert f"Usage: atoll {verb}" in answer.stdout


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("pause",), ("pause", "a->a"), ("lag", "--every", "soon"), ("force", "us-east-1")]
)
def test_wrong_usage_ends_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    answer = run(*arguments)
    assert answer.returncode == 2
    assert "Usage: atoll" in answer.stderr


@pytest.mark.parametrize("verb", [("status",), ("lag",), ("pause", "us-east-1"), ("resume",)])
def test_without_a_cluster_a_command_says_what_to_do_and_ends_with_1(run: Run, verb: tuple[str, ...]) -> None:
    answer = run(*verb)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == "atoll: No cluster is running. Start one with `atoll demo`, or name one with --cluster.\n"


def test_status_is_for_people_and_for_programs(cluster: Cluster, table: str, run: Run) -> None:
    shown = run("status", *target(cluster))
    assert shown.returncode == 0
    for region in cluster.regions:
        assert f"{region}" in shown.stdout
        assert cluster.endpoint(region) in shown.stdout
    assert f"{table} (0 items)" in shown.stdout
    read = json.loads(run("status", "--json", *target(cluster)).stdout)
    assert list(read) == list(cluster.regions)
    assert read["us-east-1"]["state"] == "live"


def test_a_cluster_is_found_by_admin_urls_and_by_the_variable(cluster: Cluster, run: Run) -> None:
    urls = ",".join(cluster.admin(region).url for region in cluster.regions)
    assert list(json.loads(run("status", "--json", "--cluster", urls).stdout)) == list(cluster.regions)
    found = json.loads(run("status", "--json", ATOLL_CLUSTER=str(cluster.data)).stdout)
    assert list(found) == list(cluster.regions)


def test_lag_shows_every_link(cluster: Cluster, table: str, run: Run) -> None:
    cluster.call("us-east-1", "PutItem", {"TableName": table, "Item": {"id": {"S": "1"}}})
    cluster.wait_converged(table)
    shown = run("lag", *target(cluster)).stdout
    assert "us-east-1->eu-west-1" in shown
    assert len(shown.splitlines()) == 1 + LINKS
    read = json.loads(run("lag", "--json", *target(cluster)).stdout)
    assert len(read) == LINKS
    assert all(link["last_exchange_s"] is not None for link in read)


def test_lag_can_be_watched_until_ctrl_c(cluster: Cluster) -> None:
    command = [sys.executable, "-P", "-m", "atoll", "lag", "--watch", "--json", "--every", "10ms", *target(cluster)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(), text=True) as process:
        assert process.stdout is not None
        for _ in range(3):
            assert len(json.loads(process.stdout.readline())) == LINKS
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode == 130


def test_pausing_and_resuming_shows_in_lag(cluster: Cluster, run: Run) -> None:
    link = "us-east-1->eu-west-1"
    assert run("pause", link, "--for", "1h", *target(cluster)).stdout == f"paused {link} for 3600 s\n"
    states = {
        f"{each['source']}->{each['sink']}": each for each in json.loads(run("lag", "--json", *target(cluster)).stdout)
    }
    assert [name for name, each in states.items() if each["state"] == "paused"] == [link]
    assert 3500 < states[link]["paused_for_s"] <= 3600
    assert link in json.loads(run("resume", "--json", *target(cluster)).stdout)["resumed"]
    while '"state":"paused"' in run("lag", "--json", *target(cluster)).stdout:
        pass


def test_a_region_is_paused_in_one_direction_or_in_both(cluster: Cluster, run: Run) -> None:
    def paused(*flags: str) -> list[str]:
        found = json.loads(run("pause", "us-east-1", *flags, "--for", "1s", "--json", *target(cluster)).stdout)
        run("resume", *target(cluster))
        return sorted(found["paused"])

    into = ["ap-northeast-1->us-east-1", "eu-west-1->us-east-1"]
    out_of = ["us-east-1->ap-northeast-1", "us-east-1->eu-west-1"]
    assert paused("--in") == into
    assert paused("--out") == out_of
    assert paused() == paused("--in", "--out") == sorted(into + out_of)


def test_a_link_is_forced(cluster: Cluster, run: Run) -> None:
    assert run("force", "us-east-1:eu-west-1", *target(cluster)).stdout == "forced us-east-1->eu-west-1\n"
    answer = run("force", "us-east-1->eu-west-1", "--json", *target(cluster))
    assert json.loads(answer.stdout) == {"forced": ["us-east-1->eu-west-1"]}


def test_an_unknown_region_ends_with_2_and_names_those_there_are(cluster: Cluster, run: Run) -> None:
    answer = run("pause", "nowhere", *target(cluster))
    assert answer.returncode == 2
    assert answer.stderr == (
        "atoll: This cluster has no region 'nowhere'. It has ap-northeast-1, eu-west-1, us-east-1.\n"
    )


def test_a_region_that_is_down_shows_and_status_ends_with_1(run: Run) -> None:
    with Cluster(("us-east-1", "eu-west-1"), announce=False) as cluster:
        cluster.kill("eu-west-1")
        answer = run("status", *target(cluster))
        assert answer.returncode == 1
        assert "unreachable" in answer.stdout
        links = json.loads(run("lag", "--json", *target(cluster)).stdout)
        assert [(each["state"], each["detail"]) for each in links] == [("unreachable", "eu-west-1 does not answer")] * 2


FREE = ("--admin-port", "0", "--replication-port", "0")


def test_start_says_where_it_listens_and_stops_cleanly_at_sigterm(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "atoll", "start", "--region", "eu-west-1", "--api-port", "0", *FREE]
    with subprocess.Popen(
        [*command, "--data", "data"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        assert lines[0] == "eu-west-1 is ready\n"
        admin = AdminClient(lines[3].split()[1].removesuffix("/status"))
        assert admin.health().region == "eu-west-1"
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate()
    assert process.returncode == 0
    assert [json.loads(line)["event"] for line in log.splitlines()][-1] == "stopping"
    assert (tmp_path / "data" / "region.sqlite").is_file()


def test_start_refuses_a_wrong_configuration_with_2(run: Run, tmp_path: Path) -> None:
    (tmp_path / "atoll.toml").write_text("[api]\nprot = 1\n")
    answer = run("start", "--config", "atoll.toml")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "atoll: There is no setting api.prot (in atoll.toml). Did you mean api.port?\n"
    assert run("start", "--set", "api.prot=1").stderr.startswith("atoll: There is no setting api.prot (in --set).")
    assert run("start", ATOLL_API_PORT="http").stderr.startswith('atoll: The variable ATOLL_API_PORT is "http".')
    assert run("start", "--api-port", "http").stderr.startswith('atoll: The flag for api.port is "http".')


@pytest.mark.parametrize(
    ("section", "what"),
    [("api", "the DynamoDB API"), ("replication", "replication"), ("admin", "the admin address")],
)
def test_start_refuses_a_port_that_is_taken_with_1(run: Run, section: str, what: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        free = ("--api-port", "0", *FREE)
        answer = run("start", *free, f"--{section}-port", str(port))
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith(f"atoll: Port {port} of 127.0.0.1 for {what} cannot be used: ")
    assert answer.stderr.endswith(f"or choose another with {section}.port.\n")


def test_start_refuses_a_file_that_another_process_serves_or_another_region_owns(run: Run) -> None:
    with Cluster(("us-east-1",), announce=False) as cluster:
        folder = f"{cluster.data}/us-east-1"
        answer = run("start", "--data", folder, "--api-port", "0", *FREE)
        assert answer.returncode == 1
        assert f"is being served already (by process {cluster.pid('us-east-1')})" in answer.stderr
        cluster.stop_region("us-east-1")
        answer = run("start", "--region", "eu-west-1", "--data", folder, "--api-port", "0", *FREE)
        assert answer.returncode == 1
        assert "belongs to region us-east-1, not to eu-west-1" in answer.stderr
        assert len(answer.stderr.splitlines()) == 1
