"""The laptop's own authority: what it writes, who may read it, and what it refuses to do."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509

from atoll import authority, config
from atoll.cli.certificates import command
from atoll.failure import ConfigError, RemedyError, UsageError
from clock import SystemClock
from region.model.certificate import URI

NOW_MS = SystemClock().now_ms()


def loaded(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_keys_are_their_owners_alone_and_certificates_everyones(tmp_path: Path) -> None:
    authority.make(tmp_path, regions=("us-east-1",), clients=("app",), now_ms=NOW_MS)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert {modes[name] for name in modes if name.endswith("-key.pem")} == {0o600}
    assert set(modes) == {f"{name}{end}.pem" for name in ("ca", "us-east-1", "app") for end in ("", "-key")}


def test_a_region_is_named_in_its_certificate_and_a_client_is_not(tmp_path: Path) -> None:
    authority.make(tmp_path, regions=("us-east-1",), clients=("app",), hosts=("db.local", "10.0.0.1"), now_ms=NOW_MS)
    names = {
        name: loaded(tmp_path / f"{name}.pem").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        for name in ("us-east-1", "app")
    }
    for name in names.values():
        assert name.get_values_for_type(x509.DNSName) == ["db.local"]
        assert [str(address) for address in name.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    assert names["us-east-1"].get_values_for_type(x509.UniformResourceIdentifier) == [f"{URI}us-east-1"]
    assert names["app"].get_values_for_type(x509.UniformResourceIdentifier) == []


def test_the_authority_stays_and_what_it_signs_is_made_anew(tmp_path: Path) -> None:
    first = authority.make(tmp_path, regions=("us-east-1",), now_ms=NOW_MS)
    ca, one = (loaded(path) for path in first)
    second = authority.make(tmp_path, regions=("us-east-1",), days=100_000, now_ms=NOW_MS)
    again, other = (loaded(path) for path in second)
    assert ca == again
    assert one.serial_number != other.serial_number
    other.verify_directly_issued_by(ca)
    assert other.not_valid_after_utc == ca.not_valid_after_utc
    assert authority.expires_ms(second[1]) == round(ca.not_valid_after_utc.timestamp() * 1000)


def test_an_authority_that_has_expired_or_has_another_key_signs_nothing(tmp_path: Path) -> None:
    authority.make(tmp_path, now_ms=NOW_MS - authority.AUTHORITY_DAYS * 86_400_000 - 1000)
    with pytest.raises(RemedyError, match="has expired"):
        authority.make(tmp_path, regions=("us-east-1",), now_ms=NOW_MS)
    authority.make(tmp_path / "a", now_ms=NOW_MS)
    authority.make(tmp_path / "b", now_ms=NOW_MS)
    (tmp_path / "a" / "ca-key.pem").write_bytes((tmp_path / "b" / "ca-key.pem").read_bytes())
    with pytest.raises(RemedyError, match="not that of the key beside it"):
        authority.make(tmp_path / "a", regions=("us-east-1",), now_ms=NOW_MS)
    assert not (tmp_path / "a" / "us-east-1.pem").exists()


def test_the_command_says_what_it_made_and_refuses_names_that_are_paths(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [str(tmp_path), "--region", "us-east-1", "--client", "app"])
    assert done.exit_code == 0
    assert done.output.count(".pem  ") == 3
    for name in ("../x", "ca", ".hidden"):
        refused = CliRunner().invoke(command, [str(tmp_path), "--client", name])
        assert isinstance(refused.exception, UsageError)
    both = CliRunner().invoke(command, [str(tmp_path), "--client", "a", "--region", "a"])
    assert isinstance(both.exception, UsageError)


def test_a_configuration_that_only_looks_safe_is_refused(tmp_path: Path) -> None:
    secured = {"tls.certificate": "a.pem", "tls.authorities": "ca.pem", "tls.replication": True}
    with pytest.raises(ConfigError, match=r"is \"ws://a:1\", but tls.replication is on"):
        config.load(flags={**secured, "replication.peers": {"eu-west-1": "ws://a:1"}})
    for missing in ("tls.certificate", "tls.authorities"):
        with pytest.raises(ConfigError, match=f"tls.replication is on, but {missing} is not set"):
            config.load(flags={**secured, missing: ""})
    with pytest.raises(ConfigError, match=r"client_certificates is on, but tls.authorities"):
        config.load(flags={"tls.certificate": "a.pem", "tls.client_certificates": True})
    with pytest.raises(ConfigError, match=r"tls.key is set, but tls.certificate is not"):
        config.load(flags={"tls.key": "a.pem"})
