"""The access file: principals, their keys and their policies, read into what the endpoint verifies and judges by.

What: ``[access] file`` names a TOML or JSON file (docs/reference/access.md). :class:`Access` reads it at a start and
again on SIGHUP. The keys of ``api.access_keys`` are then those of the account's root.

Invariants: a file that does not fit stops a start with the place and the remedy, and at a reload changes nothing. No
secret and no token stands in an error.

Source: AWS IAM user guide, "IAM JSON policy element reference".
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from atoll.failure import ConfigError
from region.access import Policy, PolicyError, Principal, compile_policy
from region.access.principal import principal
from region.authorization import Credential, Guard
from region.events import Events
from region.operation.context import Context

REMEDY: Final = "See docs/reference/access.md for what such a file holds."


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An access key of a principal."""

    id: str
    secret: str
    token: str | None = None
    """The session token of temporary credentials."""
    expires: datetime | None = None

    def __repr__(self) -> str:
        return f"Key(id={self.id!r})"


class PrincipalEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A principal, and the names of its policies."""

    arn: str
    keys: list[Key] = []
    policies: list[str] = []
    boundary: str | None = None
    session: str | None = None
    tags: dict[str, str] = {}
    context: dict[str, str] = {}
    """Further condition keys, such as ``cognito-identity.amazonaws.com:sub``."""
    user_id: str | None = None


class AccessFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an access file holds."""

    principals: list[PrincipalEntry]
    policies: dict[str, Any] = {}
    """Policy documents by name."""


class Access:
    """Who may sign, and as whom; ``file`` is empty where everybody may do everything.

    Raises:
        ConfigError: the file does not fit.
    """

    def __init__(self, file: str, account: str, access_keys: Mapping[str, str]) -> None:
        self._file = Path(file) if file else None
        self._account = account
        self._access_keys = dict(access_keys)
        self.credentials: dict[str, Credential] = {}
        """Credentials by access key id; empty without a file."""
        self.reload()

    @property
    def on(self) -> bool:
        """Whether there is a file."""
        return self._file is not None

    def guard(self, reading: Callable[[], Context], events: Events) -> Guard | None:
        """Return what judges requests, where there is a file; ``events`` hear of what is refused."""
        return Guard(reading, events) if self.on else None

    def reload(self) -> None:
        """Read the file again.

        Raises:
            ConfigError: it does not fit; all stays as it was.
        """
        if self._file is None:
            return
        root = principal(f"arn:aws:iam::{self._account}:root")
        credentials = {key: Credential(secret, root) for key, secret in self._access_keys.items()}
        for owner, keys in principals(self._file):
            for key in keys:
                if key.id in credentials:
                    raise ConfigError(f"The access key {key.id} in {self._file} is given twice.", "Take one away.")
                expires_ms = None if key.expires is None else _milliseconds(key.expires)
                credentials[key.id] = Credential(key.secret, owner, key.token, expires_ms)
        if not credentials:
            raise ConfigError(f"{self._file} gives nobody an access key.", "Give a principal [[principals.keys]].")
        self.credentials = credentials


def principals(file: Path) -> list[tuple[Principal, list[Key]]]:
    """Return the principals of an access file, each with its keys.

    Raises:
        ConfigError: the file cannot be read, or does not fit.
    """
    content = _read(file)
    library = _Library(file, content.policies)
    found: dict[str, tuple[Principal, list[Key]]] = {}
    for entry in content.principals:
        try:
            owner = principal(
                entry.arn,
                policies=tuple(library.policy(name) for name in entry.policies),
                boundary=None if entry.boundary is None else library.policy(entry.boundary),
                session=None if entry.session is None else library.policy(entry.session),
                tags=entry.tags,
                user_id=entry.user_id,
                context=entry.context,
            )
        except ValueError as error:
            raise ConfigError(f"In {file}, {error}.", REMEDY) from error
        if owner.arn in found:
            raise ConfigError(f"{file} has two principals {owner.arn}.", "Make one of them, or name other sessions.")
        found[owner.arn] = owner, entry.keys
    return list(found.values())


class _Library:
    """The policies of an access file: those in it, and JSON files beside it."""

    def __init__(self, file: Path, documents: Mapping[str, Any]) -> None:
        self._file = file
        self._documents = documents
        self._compiled: dict[str, Policy] = {}

    def policy(self, name: str) -> Policy:
        """Return a policy by its name, or by the path of its file."""
        if name not in self._compiled:
            document = self._documents[name] if name in self._documents else self._beside(name)
            try:
                self._compiled[name] = compile_policy(document, name)
            except PolicyError as error:
                raise ConfigError(f"The policy {name} of {self._file} cannot be used: {error}.", REMEDY) from error
        return self._compiled[name]

    def _beside(self, name: str) -> Any:
        path = self._file.parent / name
        if not path.is_file():
            raise ConfigError(
                f"{self._file} names the policy {name}, which is neither in it nor a file beside it.",
                f"Write it under [policies.{name}], or as JSON into {path}.",
            )
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise ConfigError(f"The policy file {path} is no JSON: {error}.", "Correct it there.") from error


def _read(file: Path) -> AccessFile:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"The access file {file} cannot be read: {error.strerror}.", REMEDY) from error
    try:
        if file.suffix == ".json":
            return msgspec.json.decode(raw, type=AccessFile)
        return msgspec.convert(tomllib.loads(raw.decode()), AccessFile, builtin_types=(datetime,))
    except (tomllib.TOMLDecodeError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The access file {file} does not fit: {error}.", REMEDY) from error


def _milliseconds(moment: datetime) -> int:
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
