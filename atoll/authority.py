"""A certificate authority for a laptop: its own certificate, and certificates of regions and of clients.

What: :func:`make` writes PEM files into a folder: ``ca.pem`` and ``ca-key.pem``, which it makes once and then goes on
using, and ``NAME.pem`` with ``NAME-key.pem`` for every region and client, which it makes anew each time. A region's
certificate names it by ``atoll://region/NAME``; a client's does not, and so opens no link between regions.

Invariants: keys are readable by their owner alone from the moment on at which they are there. All keys are ECDSA on
P-256. No certificate outlives its authority.

Source: RFC 5280; CA/Browser Forum baseline requirements, as far as they make sense on a laptop.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from atoll.failure import RemedyError
from region.model.certificate import URI

AUTHORITY: Final = "ca"
AUTHORITY_DAYS: Final = 3650
DAYS: Final = 397
HOSTS: Final = ("localhost", "127.0.0.1", "::1")
LEEWAY: Final = timedelta(minutes=5)
"""How far a certificate reaches back, for machines whose clocks are behind."""

Issuer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def make(
    folder: Path,
    *,
    regions: Sequence[str] = (),
    clients: Sequence[str] = (),
    hosts: Iterable[str] = HOSTS,
    days: int = DAYS,
    now_ms: int,
) -> list[Path]:
    """Make the authority where there is none, and a certificate for every region and client; return the certificates.

    Raises:
        RemedyError: the folder cannot be written to, or what is in it is no authority.
    """
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        issuer = _authority(folder, now)
        span = min(timedelta(days=days), issuer[0].not_valid_after_utc - now)
        wanted = {name: _names(name, hosts, name in regions) for name in (*regions, *clients)}
        made = [_issue(folder, issuer, name, names, now, span) for name, names in wanted.items()]
        return [folder / f"{AUTHORITY}.pem", *made]
    except OSError as error:
        raise RemedyError(
            f"{error.filename or folder} cannot be used: {error.strerror}.", "Give a folder that you may write to."
        ) from error


def expires_ms(file: str | Path) -> int:
    """Return when the first certificate of a PEM file expires, in milliseconds since 1970.

    Raises:
        ValueError: there is none.
        OSError: the file cannot be read.
    """
    return round(x509.load_pem_x509_certificate(Path(file).read_bytes()).not_valid_after_utc.timestamp() * 1000)


def _authority(folder: Path, now: datetime) -> Issuer:
    certificate, key = folder / f"{AUTHORITY}.pem", folder / f"{AUTHORITY}-key.pem"
    if certificate.exists() or key.exists():
        return _load(certificate, key, now)
    private = ec.generate_private_key(ec.SECP256R1())
    name = _name("Atoll authority of this machine")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _builder(name, name, private.public_key(), now, timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(private, hashes.SHA256())
    )
    _write(certificate, made, key, private)
    return made, private


def _load(certificate: Path, key: Path, now: datetime) -> Issuer:
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = load_pem_private_key(key.read_bytes(), None)
        fits = isinstance(private, ec.EllipticCurvePrivateKey) and private.public_key() == loaded.public_key()
        loaded.verify_directly_issued_by(loaded)
    except (ValueError, TypeError, InvalidSignature, FileNotFoundError) as error:
        raise RemedyError(f"{certificate} and {key} are no authority: {error}.", "Give another folder.") from error
    if not fits or loaded.not_valid_after_utc <= now:
        why = "has expired" if fits else "is not that of the key beside it"
        raise RemedyError(f"{certificate} {why}.", "Give another folder, or delete it and its key to begin anew.")
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return loaded, private


def _names(name: str, hosts: Iterable[str], region: bool) -> list[x509.GeneralName]:
    own = [x509.UniformResourceIdentifier(URI + name)] if region else []
    return [*map(_host, hosts), *own]


def _issue(
    folder: Path, issuer: Issuer, name: str, names: list[x509.GeneralName], now: datetime, span: timedelta
) -> Path:
    """Make a certificate for both ends of connections: a region serves and connects."""
    authority, signing = issuer
    private = ec.generate_private_key(ec.SECP256R1())
    made = (
        _builder(_name(name), authority.subject, private.public_key(), now, span)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(signing, hashes.SHA256())
    )
    certificate = folder / f"{name}.pem"
    _write(certificate, made, folder / f"{name}-key.pem", private)
    return certificate


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, span: timedelta
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=public,
        serial_number=x509.random_serial_number(),
        not_valid_before=min(now, now + span) - LEEWAY,
        not_valid_after=now + span,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(certificate: Path, made: x509.Certificate, key: Path, private: ec.EllipticCurvePrivateKey) -> None:
    """Write both files whole, the key first, so that a reader never meets a certificate without its key."""
    _replace(key, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    _replace(certificate, made.public_bytes(Encoding.PEM), 0o644)


def _replace(path: Path, content: bytes, mode: int) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=mode)
    fresh.write_bytes(content)
    os.replace(fresh, path)
