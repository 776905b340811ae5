"""The keyring of a laptop: master keys in a file that its owner alone may read, in place of AWS KMS.

What: :class:`FileKeyring` is the :class:`~region.keyring.Keyring` over a :class:`KeyFile`. It comes from a file, which
is read again when it has changed, so that `atoll keys` acts on running regions; or once, from an environment variable
(``env:NAME``) or from the output of a command (``command:…``), for keys that some other keeper has.

Invariants: a file that others may read is refused. It is replaced as a whole or not at all. A key that is to be deleted
counts as deleted when its time has come; nothing brings it back then.

Hazard: who reads the file reads everything that is encrypted under it. Keep it on another disk than the data.

Source: AWS KMS developer guide, "Key states of AWS KMS keys", "Deleting AWS KMS keys", "Rotating AWS KMS keys".
"""

from __future__ import annotations

import base64
import os
import shlex
import stat
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from atoll.failure import RemedyError
from region.errors import KeyUnavailableError
from region.keyring import OWNED
from region.randomness import Rng, uuid

ENABLED: Final = "Enabled"
DISABLED: Final = "Disabled"
PENDING: Final = "PendingDeletion"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
COMMAND_S: Final = 30


class MasterKey(msgspec.Struct, kw_only=True):
    """One master key. ``generations`` are its secrets, oldest first, in base 64."""

    id: str
    created_ms: int
    generations: list[str]
    aliases: list[str] = []
    enabled: bool = True
    deletion_ms: int | None = None
    """When it is to be deleted, by the wall clock; ``None``: it is not."""

    @property
    def state(self) -> str:
        """As KMS says it."""
        if self.deletion_ms is not None:
            return PENDING
        return ENABLED if self.enabled else DISABLED


class KeyFile(msgspec.Struct, kw_only=True):
    """What a keyring holds."""

    keys: list[MasterKey] = []

    def find(self, name: str) -> MasterKey | None:
        """Return a key by its id, alias, or the ARN of either."""
        bare = name.split(":", 5)[-1] if name.startswith("arn:") else name
        bare = bare.removeprefix("key/")
        return next((key for key in self.keys if bare == key.id or bare in key.aliases), None)

    def without_deleted(self, now_ms: int) -> KeyFile:
        """Return the keys whose deletion is not due."""
        return KeyFile(keys=[key for key in self.keys if key.deletion_ms is None or key.deletion_ms > now_ms])


def new_key(rng: Rng, now_ms: int, aliases: list[str]) -> MasterKey:
    """Return a new master key."""
    return MasterKey(id=uuid(rng), created_ms=now_ms, generations=[new_secret(rng)], aliases=aliases)


def new_secret(rng: Rng) -> str:
    """Return a new generation's secret."""
    return base64.b64encode(bytes.fromhex(rng.token(KEY_BYTES))).decode()


def read(path: Path) -> KeyFile:
    """Read a keyring's file.

    Raises:
        RemedyError: it is not there, not a keyring, or others may read it.
    """
    try:
        mode = path.stat().st_mode
        raw = path.read_bytes()
    except OSError as error:
        raise RemedyError(
            f"The keyring {path} cannot be read: {error.strerror}.", f"`atoll keys create --keyring {path}` makes one."
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise RemedyError(f"Others may read the keyring {path}.", f"Keep it to yourself: `chmod 600 {path}`.")
    return decode(raw, str(path))


def decode(raw: bytes | str, where: str) -> KeyFile:
    """Decode a keyring.

    Raises:
        RemedyError: it is none.
    """
    try:
        return msgspec.json.decode(raw, type=KeyFile)
    except msgspec.DecodeError as error:
        raise RemedyError(f"{where} holds no keyring: {error}.", "`atoll keys create` makes one.") from error


def write(path: Path, file: KeyFile) -> None:
    """Replace a keyring's file, whole or not at all, readable by its owner alone."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(file), indent=2))
        os.replace(fresh, path)
    except OSError as error:
        raise RemedyError(
            f"{path} cannot be written: {error.strerror}.", "Give a path that you may write to."
        ) from error


class FileKeyring:
    """The master keys of one region. ``place`` is where they are; ``now_ms`` the wall clock.

    Raises:
        RemedyError: they cannot be had, or there is no key for tables that name none.
    """

    def __init__(
        self,
        place: str,
        *,
        region: str,
        account: str,
        rng: Rng,
        now_ms: Callable[[], int],
        environment: Mapping[str, str],
        adopts: bool = True,
    ) -> None:
        self.adopts = adopts
        self._arn = f"arn:aws:kms:{region}:{account}:key/"
        self._rng = rng
        self._now_ms = now_ms
        self._path = None if place.startswith(("env:", "command:")) else Path(place)
        self._seen: tuple[Any, ...] | None = None
        self._ciphers: dict[str, Any] = {}
        self._file = self._load(place, environment)
        if self._file.find(OWNED) is None:
            raise RemedyError(f"The keyring {place} has no {OWNED}.", f"`atoll keys create --alias {OWNED}` makes it.")

    def _load(self, place: str, environment: Mapping[str, str]) -> KeyFile:
        if self._path is not None:
            self._seen = self._look()
            return read(self._path)
        kind, _, what = place.partition(":")
        if kind == "env":
            if what not in environment:
                raise RemedyError(
                    f"There is no variable {what} with a keyring.", "Set it to the text of a keyring file."
                )
            return decode(environment[what], f"The variable {what}")
        try:
            done = subprocess.run(shlex.split(what), capture_output=True, check=True, timeout=COMMAND_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise RemedyError(
                f"The command for the keyring failed: {error}.", "It must print a keyring file."
            ) from error
        return decode(done.stdout, "The output of the command for the keyring")

    def _look(self) -> tuple[Any, ...] | None:
        assert self._path is not None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def refresh(self) -> bool:
        """Read the file again where it has changed; one that is gone or broken is an empty keyring."""
        due = any(key.deletion_ms is not None and key.deletion_ms <= self._now_ms() for key in self._file.keys)
        seen = self._seen if self._path is None else self._look()
        if seen == self._seen and not due:
            return False
        if self._path is not None and seen != self._seen:
            self._seen = seen
            try:
                self._file = read(self._path)
            except RemedyError:
                self._file = KeyFile()
        self._file = self._file.without_deleted(self._now_ms())
        self._ciphers = {}
        return True

    def resolve(self, name: str) -> str:
        """Return the id of a key, given its id, its alias, or the ARN of either."""
        return self._known(name).id

    def generation(self, key_id: str) -> int:
        """Return the number of the newest generation of a key that can be used."""
        return len(self._usable(key_id).generations)

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> bytes:
        """Encrypt a data key with the newest generation."""
        key = self._usable(key_id)
        generation = len(key.generations)
        nonce = bytes.fromhex(self._rng.token(NONCE_BYTES))
        sealed: bytes = self._cipher(key, generation).encrypt(nonce, data_key, self._context(key, context))
        return generation.to_bytes(4, "big") + nonce + sealed

    def unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
        """Decrypt a data key with the generation that it was wrapped by."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  As in _cipher.

        key = self._usable(key_id)
        generation, nonce, sealed = int.from_bytes(wrapped[:4], "big"), wrapped[4:16], wrapped[16:]
        try:
            opened: bytes = self._cipher(key, generation).decrypt(nonce, sealed, self._context(key, context))
        except (InvalidTag, IndexError, ValueError) as error:
            raise KeyUnavailableError.unknown(key_id) from error
        return opened

    def _cipher(self, key: MasterKey, generation: int) -> Any:
        # Loaded on first use: it costs a twentieth of a second, which commands and plain regions do not pay.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        return AESGCM(base64.b64decode(key.generations[generation - 1]))

    def _context(self, key: MasterKey, context: bytes) -> bytes:
        return key.id.encode() + b"." + context

    def _known(self, name: str) -> MasterKey:
        key = self._file.find(name)
        if key is None:
            raise KeyUnavailableError.unknown(name)
        return key

    def _usable(self, key_id: str) -> MasterKey:
        key = self._known(key_id)
        if key.state == PENDING:
            raise KeyUnavailableError.pending_deletion(self._arn + key.id)
        if key.state == DISABLED:
            raise KeyUnavailableError.disabled(self._arn + key.id)
        return key
