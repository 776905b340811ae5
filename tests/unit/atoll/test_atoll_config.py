from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from atoll import config
from atoll.failure import ConfigError

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "configuration.md"


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "atoll.toml"
    file.write_text(text)
    return file


def test_without_any_source_the_defaults_hold() -> None:
    assert config.load() == config.Config()


def test_a_file_sets_what_it_names_and_leaves_the_rest(tmp_path: Path) -> None:
    file = write(tmp_path, 'region = "eu-west-1"\n[api]\nport = 8001\n[replication.peers]\nus-east-1 = "ws://a:1"\n')
    loaded = config.load(file)
    assert (loaded.region, loaded.api.port, loaded.api.host) == ("eu-west-1", 8001, "127.0.0.1")
    assert loaded.replication.peers == {"us-east-1": "ws://a:1"}


def test_the_environment_beats_the_file_and_flags_beat_both(tmp_path: Path) -> None:
    file = write(tmp_path, "[api]\nport = 1\n[admin]\nport = 1\n[replication]\nport = 1\n")
    environment = {"ATOLL_ADMIN_PORT": "2", "ATOLL_REPLICATION_PORT": "2"}
    loaded = config.load(file, environment, {"replication.port": "3", "region": None})
    assert (loaded.api.port, loaded.admin.port, loaded.replication.port) == (1, 2, 3)


def test_tables_of_names_are_written_with_equals_and_commas_in_the_environment() -> None:
    peers = "eu-west-1=ws://a:1?x=y, ap-northeast-1=ws://b:2"
    loaded = config.load(None, {"ATOLL_REPLICATION_PEERS": peers})
    assert loaded.replication.peers == {"eu-west-1": "ws://a:1?x=y", "ap-northeast-1": "ws://b:2"}


@pytest.mark.parametrize(("word", "state"), [("on", True), ("ON", True), ("off", False), ("true", True), ("0", False)])
def test_a_switch_may_be_on_or_off_in_the_environment(word: str, state: bool) -> None:
    assert config.load(environment={"ATOLL_THROTTLING": word}).throttling is state


def test_a_switch_may_be_on_or_off_in_a_file(tmp_path: Path) -> None:
    assert config.load(write(tmp_path, 'throttling = "on"\n')).throttling
    assert not config.load(write(tmp_path, 'throttling = "off"\n')).throttling


def test_other_variables_with_our_prefix_are_left_alone() -> None:
    assert config.load(None, {"ATOLL_CLUSTER": "x", "ATOLL_BENCH_PEERS": "y"}) == config.Config()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[api]\nprot = 1\n", "There is no setting api.prot (in {file}). Did you mean api.port?"),
        ("heartbeat_ms = 1\n", "There is no setting heartbeat_ms (in {file}). Did you mean replication.heartbeat_ms?"),
        ("[other]\nx = 1\n", "There is no setting other (in {file}). See docs/reference/configuration.md"),
        ("api = 3\n", "api in {file} is 3, but it is a section. Write its settings under [api]."),
        ('[api]\nport = "x"\n', 'api.port in {file} is "x". Expected a port number from 0 to 65535'),
        ('[api]\nport = "80"\n', 'api.port in {file} is "80". Expected a port number'),
        ("[api]\nport = 70000\n", "api.port in {file} is 70000. Expected a port number"),
        ('region = "US-EAST-1"\n', 'region in {file} is "US-EAST-1". Expected a region name'),
        ('durability = "ful"\n', 'durability in {file} is "ful". Expected one of "full", "normal", "memory".'),
        ("account = 123456789012\n", "account in {file} is 123456789012. Expected an AWS account number: 12 digits"),
        ("[clock]\noffset_ms = 1.5\n", "clock.offset_ms in {file} is 1.5. Expected a whole number."),
        ("[clock]\ndrift_warn_ms = 9000\n", "clock.drift_warn_ms (9000) is above clock.drift_park_ms (5000)."),
        ('[replication.peers]\nus-east-1 = "ws://a:1"\n', "replication.peers names us-east-1, which is this region"),
        ('[replication.peers]\neu-west-1 = "a:1"\n', 'replication.peers.eu-west-1 is "a:1". Expected a WebSocket URL'),
        ("[api\n", "The configuration file {file} is not valid TOML: "),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_place_and_the_remedy(
    tmp_path: Path, text: str, complaint: str
) -> None:
    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as refusal:
        config.load(file)
    assert str(refusal.value).startswith(complaint.format(file=file))
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"ATOLL_REIGON": "x"}, "The environment variable ATOLL_REIGON is no setting. Did you mean ATOLL_REGION?"),
        ({"ATOLL_API_PORT": "tcp://1"}, 'The variable ATOLL_API_PORT is "tcp://1". Expected a port number'),
        ({"ATOLL_REPLICATION_PEERS": "a"}, "The variable ATOLL_REPLICATION_PEERS has a part that is no name=text."),
    ],
)
def test_an_environment_that_does_not_fit_is_refused(environment: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        config.load(None, environment)
    assert str(refusal.value).startswith(complaint)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        config.load(tmp_path / "missing.toml")


@pytest.mark.parametrize("secret", ["AKID=hush,hush", "AKID=hush,=hush"])
def test_a_secret_is_never_part_of_a_complaint(tmp_path: Path, secret: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        config.load(None, {"ATOLL_API_ACCESS_KEYS": secret})
    assert "hush" not in str(refusal.value)
    with pytest.raises(ConfigError) as refusal:
        config.load(write(tmp_path, '[api]\naccess_keys = {AKID = ["hush"]}\n'))
    assert "hush" not in str(refusal.value)


def test_an_encoded_configuration_loads_as_itself(tmp_path: Path) -> None:
    original = config.load(
        None,
        {"ATOLL_REGION": "eu-west-1", "ATOLL_REPLICATION_PEERS": "us-east-1=ws://a:1", "ATOLL_CLOCK_OFFSET_MS": "-5"},
    )
    file = tmp_path / "region.json"
    file.write_bytes(config.encode(original))
    assert config.load(file) == original


def test_every_setting_and_its_default_is_in_the_reference() -> None:
    rows = {
        cells[1].strip().strip("`"): cells[2].strip().strip("`")
        for line in REFERENCE.read_text().splitlines()
        if line.startswith("| `") and (cells := line.split("|"))
    }
    assert rows == {path: shown(setting.default) for path, setting in config.settings().items()}


def test_every_setting_has_a_variable_of_its_own() -> None:
    variables = [setting.variable for setting in config.settings().values()]
    assert len(set(variables)) == len(variables)
    assert "ATOLL_CLUSTER" not in variables


def shown(default: Any) -> str:
    if default in ({}, ""):
        return "none"
    return default if isinstance(default, str) else msgspec.json.encode(default).decode()
