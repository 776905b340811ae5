"""Every verb of the command line alike: help, JSON, exit codes, and what it says when something stands in the way."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from settled import Run

from atoll import Cluster, cli

UNANSWERED = frozenset({"demo", "start", "proxy", "gateway", "dashboard", "dax", "completion", "certificates"})
"""Verbs that serve, print a script, or make files: what they say is for people."""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every verb, and the verbs below it, by how it is called."""
    context = click.Context(cli.atoll)
    for name in cli.VERBS:
        command = cli.atoll.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            for below in command.list_commands(context):
                inner = command.get_command(context, below)
                assert inner is not None
                yield f"{name} {below}", inner
        else:
            yield name, command


COMMANDS = dict(commands())


def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    """Run the command line in this process; return exit code, standard output and standard error."""
    monkeypatch.setattr(sys, "argv", ["atoll", *arguments])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_in_a_sentence_what_a_verb_does_and_what_each_option_means(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call(capsys, monkeypatch, *name.split(), "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: atoll {name} ")
    help_ = COMMANDS[name].help or ""
    assert re.match(r"[A-Z][^\n]*", help_), "a sentence"
    assert help_.rstrip().endswith((".", ":")) or "\n" in help_
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, f"{name} {parameter.opts[0]} is not explained"
            assert parameter.help.rstrip().endswith((".", "]", ")")), f"{name} {parameter.opts[0]}: {parameter.help}"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.split()[0] not in UNANSWERED])
def test_whatever_answers_has_json(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert "--json" in options


@pytest.mark.parametrize("name", COMMANDS)
def test_a_flag_that_there_is_not_is_a_mistake_of_usage(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call(capsys, monkeypatch, *name.split(), "--no-such-flag")
    assert (code, out) == (2, "")
    assert "no-such-flag" in err or "Missing argument" in err
    assert f"atoll {name.split(maxsplit=1)[0]}" in err


JSON: dict[str, tuple[str, ...]] = {
    "status": (),
    "lag": (),
    "conflicts": (),
    "rpo": (),
    "doctor": (),
    "backups": (),
    "resume": (),
    "repair": (),
    "diff": ("{table}",),
    "inspect": ("{table}", "one"),
    "hot": ("{table}",),
    "trigger list": (),
    "pause": ("us-east-1->eu-west-1", "--for", "1s"),
    "wait": ("--converged", "{table}"),
    "backup": ("{table}",),
    "workload": ("registers", "--for", "500ms", "--regions", "us-east-1"),
}


@pytest.mark.parametrize("name", JSON)
def test_what_is_printed_with_json_is_json_and_nothing_else(
    name: str,
    cluster: Cluster,
    table: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = [argument.format(table=table) for argument in JSON[name]]
    code, out, err = call(capsys, monkeypatch, *name.split(), *arguments, "--cluster", str(cluster.data), "--json")
    assert code in (0, 1), err
    if code == 0:
        assert json.loads(out) is not None
    else:
        assert "Traceback" not in err
        assert out == "" or json.loads(out) is not None
    assert name == "hot" or code == 0, err


@pytest.mark.parametrize(
    "arguments",
    [
        ("pause", "atlantis"),
        ("pause", "us-east-1->atlantis"),
        ("resume", "atlantis"),
        ("conflicts", "--region", "atlantis"),
        ("rpo", "atlantis"),
        ("force", "atlantis:us-east-1"),
        ("backups", "--region", "atlantis"),
        ("workload", "registers", "--regions", "atlantis"),
    ],
    ids=" ".join,
)
def test_a_region_that_there_is_not_is_named_with_those_that_there_are(
    arguments: tuple[str, ...], cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call(capsys, monkeypatch, *arguments, "--cluster", str(cluster.data))
    assert (code, out) == (2, "")
    assert "atlantis" in err
    assert "us-east-1" in err
    assert "eu-west-1" in err


@pytest.mark.parametrize(
    "name", ["status", "lag", "conflicts", "rpo", "diff", "repair", "wait", "faults", "heal", "cut"]
)
def test_without_a_cluster_a_verb_says_how_to_have_one(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    arguments = {"diff": ["t"], "wait": ["--converged"], "cut": ["a->b"]}.get(name, [])
    code, out, err = call(capsys, monkeypatch, name, *arguments)
    assert code in (1, 2)
    assert out == ""
    assert "atoll demo" in err or "--cluster" in err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("gateway", "--region", "us-east-1=http://127.0.0.1:1", "--port"), "--port"),
        (("proxy", "--port"), "--port"),
        (("start", "--data", "mine", "--admin-port", "0", "--replication-port", "0", "--api-port"), "port"),
    ],
    ids=lambda it: it[0] if isinstance(it, tuple) else None,
)
def test_a_port_that_is_taken_is_named_with_what_to_do(arguments: tuple[str, ...], hint: str, run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(*arguments, port)
    assert done.returncode == 1
    assert done.stdout == ""
    assert port in done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_another_process_serves_is_named_with_what_to_do(cluster: Cluster, run: Run) -> None:
    assert cluster.data is not None
    folder = cluster.data / cluster.regions[0]
    ports = ("--api-port", "0", "--admin-port", "0", "--replication-port", "0")
    done = run("start", "--region", cluster.regions[0], "--data", str(folder), *ports)
    assert done.returncode == 1
    assert str(folder) in done.stderr
    assert re.search(r"another|served|in use|process", done.stderr)
    assert "Traceback" not in done.stderr


def test_keys_are_told_as_json_without_their_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = ("--keyring", str(tmp_path / "keyring.json"), "--json")

    def told(*arguments: str) -> Any:
        code, out, err = call(capsys, monkeypatch, "keys", *arguments, *ring)
        assert code == 0, err
        return json.loads(out)

    assert {alias for key in told("create", "--alias", "alias/orders") for alias in key["aliases"]} > {"alias/orders"}
    assert told("rotate", "alias/orders")["generations"] == 2
    assert told("disable", "alias/orders")["enabled"] is False
    assert told("enable", "alias/orders")["enabled"] is True
    assert told("schedule-deletion", "alias/orders", "--days", "7")["deletion_ms"]
    assert all(isinstance(key["generations"], int) for key in told("list"))
