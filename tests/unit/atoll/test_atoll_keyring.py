"""The keyring of a laptop: who may read it, what its keys do in each state, and the verbs that change them."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from atoll import keyring
from atoll.cli.keys import command
from atoll.failure import RemedyError, UsageError
from atoll.keyring import FileKeyring
from region.errors import KeyUnavailableError
from region.keyring import OWNED
from region.randomness import SystemRng

ORDERS = "alias/orders"
DATA_KEY = bytes(range(32))


class Ring:
    """A keyring file, changed by the command and used by a region."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now_ms = 0

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(command, [arguments[0], "--keyring", str(self.path), *arguments[1:]])

    def open(self, place: str | None = None, environment: dict[str, str] | None = None) -> FileKeyring:
        return FileKeyring(
            place or str(self.path),
            region="us-east-1",
            account="123456789012",
            rng=SystemRng(),
            now_ms=lambda: self.now_ms,
            environment=environment or {},
        )


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    made = Ring(tmp_path / "keys" / "keyring.json")
    assert made.run("create", "--alias", ORDERS).exit_code == 0
    return made


def test_the_file_is_its_owners_alone_and_refused_where_it_is_not(ring: Ring) -> None:
    assert stat.S_IMODE(ring.path.stat().st_mode) == 0o600
    ring.path.chmod(0o640)
    with pytest.raises(RemedyError, match="Others may read the keyring"):
        ring.open()


def test_what_is_wrapped_is_unwrapped_under_the_same_key_and_context_alone(ring: Ring) -> None:
    keys = ring.open()
    orders, owned = keys.resolve(ORDERS), keys.resolve(OWNED)
    wrapped = keys.wrap(orders, DATA_KEY, b"context")
    assert DATA_KEY not in wrapped
    assert keys.unwrap(orders, wrapped, b"context") == DATA_KEY
    for key, data, context in (
        (owned, wrapped, b"context"),
        (orders, wrapped, b"other"),
        (orders, wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"context"),
        (orders, b"", b"context"),
        (orders, b"\x00\x00\x00\x09" + wrapped[4:], b"context"),
    ):
        with pytest.raises(KeyUnavailableError):
            keys.unwrap(key, data, context)


def test_a_key_goes_by_its_id_its_aliases_and_the_arns_of_both(ring: Ring) -> None:
    keys = ring.open()
    key_id = keys.resolve(ORDERS)
    arn = "arn:aws:kms:us-east-1:123456789012:"
    assert {keys.resolve(name) for name in (key_id, f"{arn}key/{key_id}", f"{arn}{ORDERS}")} == {key_id}
    with pytest.raises(KeyUnavailableError, match="does not exist"):
        keys.resolve("alias/none")


def test_each_verb_reaches_a_region_that_uses_the_file(ring: Ring) -> None:
    keys = ring.open()
    key_id = keys.resolve(ORDERS)
    wrapped = keys.wrap(key_id, DATA_KEY, b"")
    assert not keys.refresh()
    assert ring.run("rotate", ORDERS).exit_code == 0
    assert keys.refresh()
    assert keys.generation(key_id) == 2
    assert keys.unwrap(key_id, wrapped, b"") == DATA_KEY, "an older generation still opens"
    assert keys.wrap(key_id, DATA_KEY, b"")[:4] == b"\x00\x00\x00\x02"
    assert ring.run("disable", key_id).exit_code == 0
    assert keys.refresh()
    with pytest.raises(KeyUnavailableError, match=f"arn:aws:kms:us-east-1:123456789012:key/{key_id} is disabled"):
        keys.unwrap(key_id, wrapped, b"")
    assert isinstance(ring.run("rotate", ORDERS).exception, UsageError)
    assert ring.run("enable", ORDERS).exit_code == 0
    assert ring.run("schedule-deletion", ORDERS, "--days", "7").exit_code == 0
    keys.refresh()
    with pytest.raises(KeyUnavailableError, match="is pending deletion"):
        keys.wrap(key_id, DATA_KEY, b"")
    assert ring.run("enable", ORDERS).exit_code == 0
    keys.refresh()
    assert keys.unwrap(key_id, wrapped, b"") == DATA_KEY


def test_a_deletion_that_is_due_is_for_good(ring: Ring) -> None:
    keys = ring.open()
    key_id = keys.resolve(ORDERS)
    assert ring.run("schedule-deletion", ORDERS, "--days", "1").exit_code == 0
    file = keyring.read(ring.path)
    deletion_ms = next(key.deletion_ms for key in file.keys if key.id == key_id)
    keys.refresh()
    assert deletion_ms is not None
    ring.now_ms = deletion_ms
    assert keys.refresh()
    with pytest.raises(KeyUnavailableError, match="does not exist"):
        keys.generation(key_id)
    assert ring.run("schedule-deletion", ORDERS, "--days", "0").exit_code == 0
    assert isinstance(ring.run("enable", ORDERS).exception, UsageError)


def test_a_file_that_is_gone_or_broken_closes_everything_until_it_is_back(ring: Ring) -> None:
    keys = ring.open()
    key_id, content = keys.resolve(ORDERS), ring.path.read_bytes()
    ring.path.write_text("no keyring")
    assert keys.refresh()
    with pytest.raises(KeyUnavailableError):
        keys.generation(key_id)
    ring.path.write_bytes(content)
    assert keys.refresh()
    assert keys.generation(key_id) == 1


def test_a_keyring_may_come_from_the_environment_or_a_command(ring: Ring, tmp_path: Path) -> None:
    text = ring.path.read_text()
    assert ring.open("env:RING", {"RING": text}).resolve(ORDERS)
    assert ring.open(f"command:cat '{ring.path}'").resolve(ORDERS)
    for place, words in (
        ("env:NONE", "no variable NONE"),
        ("command:false", "command for the keyring failed"),
        ("command:echo nothing", "holds no keyring"),
        (str(tmp_path / "missing.json"), "cannot be read"),
    ):
        with pytest.raises(RemedyError, match=words):
            ring.open(place)


def test_keys_are_listed_without_their_secrets(ring: Ring) -> None:
    secrets = [key.generations[0] for key in keyring.read(ring.path).keys]
    as_json = ring.run("list", "--json").output
    for shown in (as_json, ring.run("list").output):
        assert not any(secret in shown for secret in secrets)
        assert ORDERS in shown
    assert {key["state"] for key in json.loads(as_json)} == {"Enabled"}


def test_aliases_are_given_once_and_look_like_aliases(ring: Ring) -> None:
    assert isinstance(ring.run("create", "--alias", ORDERS).exception, UsageError)
    assert isinstance(ring.run("create", "--alias", "orders").exception, UsageError)
    assert ring.run("create").exit_code == 0
    assert len(keyring.read(ring.path).keys) == 3


def test_a_region_without_encryption_loads_no_cryptography() -> None:
    program = "import sys, atoll.cli.start; print(any(name.startswith('cryptography') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
