"""Encryption at rest: the data keys of a file's tables, and sealing and opening what the file holds.

What: a sealed value is ``0x01``, the number of its data key (4 bytes), a nonce (12) and AES-256-GCM's ciphertext with
its tag. Its first byte tells it from an image, which begins with ``{``. ``data_keys`` keeps each data key wrapped by
its master key; unwrapped, it is in memory only, and only while the master key can be used.

Invariants: a nonce is never used twice with a data key: 6 random bytes for each opening of the file, then a count. What
does not authenticate is an error and never an answer. A table all of whose values were sealed once takes no plain one
back, so nobody can put one there.

Hazard: numbers of data keys are given out in the open transaction; one that is rolled back gives the number again,
to another key, with nothing sealed under the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from region.errors import DamagedItemError, KeyUnavailableError
from region.keyring import Keyring
from region.model.encryption import master_of
from region.model.table import Table
from region.randomness import Rng
from region.store import schema

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SEALED: Final = 1
VACUUM: Final = "vacuum"
"""In ``meta``: ``due`` where unused parts of the file may hold what was there before a table was encrypted."""
KEY_BYTES: Final = 32
OVERHEAD_BYTES: Final = 33
"""How much longer a sealed value is than a plain one."""
PLAIN: Final = "plain"
"""In ``data_keys.state``: values from before the table was encrypted may still be plain."""
CURRENT: Final = "current"
OLD: Final = "old"
_HEAD: Final = 5
_NONCE: Final = 12
_ALL: Final = "SELECT number, table_id, master, generation, wrapped, state FROM data_keys ORDER BY number"
_SAVE: Final = "INSERT INTO data_keys VALUES (?, ?, ?, ?, ?, ?, ?)"
_AGE: Final = "UPDATE data_keys SET state = 'old' WHERE table_id = ? AND state <> 'old'"
_WRAP: Final = "UPDATE data_keys SET master = ?, generation = ?, wrapped = ? WHERE number = ?"
_STATE: Final = "UPDATE data_keys SET state = ? WHERE number = ?"
_FORGET: Final = "DELETE FROM data_keys WHERE number = ?"

Execute = Callable[[str, tuple[Any, ...]], Any]


class DataKey(NamedTuple):
    """A data key as the file keeps it."""

    number: int
    table_id: int
    master: str
    generation: int
    wrapped: bytes
    state: str


class Sealer:
    """Seals what belongs to one table, with its current data key; ``strict``: what is plain there is damage."""

    __slots__ = ("_cipher", "_head", "_keys", "strict")

    def __init__(self, keys: SealedKeys, number: int, cipher: AESGCM, *, strict: bool) -> None:
        self._keys = keys
        self._cipher = cipher
        self._head = bytes([SEALED]) + number.to_bytes(4, "big")
        self.strict = strict

    def seal(self, value: bytes, binding: bytes) -> bytes:
        """Encrypt a value, bound to its place."""
        nonce = self._keys.nonce()
        return self._head + nonce + self._cipher.encrypt(nonce, value, binding)

    def is_current(self, value: bytes | str | None) -> bool:
        """Whether a value needs no sealing: there is none, or it is sealed with the current data key."""
        return value is None or (isinstance(value, bytes) and value[:_HEAD] == self._head)

    def open(self, value: bytes, binding: bytes) -> bytes:
        """Decrypt a value; a plain one is returned as it is, where there may be one.

        Raises:
            DamagedItemError: it is not what was sealed for this place.
            KeyUnavailableError: its master key cannot be used.
        """
        if value[0] != SEALED and not self.strict:
            return value
        return self._keys.open(value, binding)


class ClosedSealer:
    """Stands in for the sealer of a table whose master key cannot be used."""

    strict = True

    def __init__(self, error: KeyUnavailableError) -> None:
        self._error = error

    def seal(self, value: bytes, binding: bytes) -> bytes:
        """Refuse."""
        raise KeyUnavailableError(self._error.message)

    open = seal

    def is_current(self, value: bytes | str | None) -> bool:
        """There is nothing that could be done about it."""
        return True


class SealedKeys:
    """All data keys of one open file."""

    def __init__(self, execute: Execute, keyring: Keyring, rng: Rng, region: str) -> None:
        self.keyring = keyring
        self._execute = execute
        self._rng = rng
        self._keyless: dict[int, KeyUnavailableError] = {}
        self._region = region
        self._prefix = bytes.fromhex(rng.token(6))
        self.changed: Callable[[], None] = lambda: None
        """Called when a table may have another sealer than before."""
        self._count = 0
        self._known: dict[int, DataKey] = {}
        self._ciphers: dict[int, AESGCM] = {}
        self._forgotten: dict[int, tuple[int, AESGCM]] = {}
        """Data keys that the file has no more, with their tables: whoever reads an older state of it needs them."""
        self._sealers: dict[int, Sealer | ClosedSealer] = {}
        self.closed: dict[int, KeyUnavailableError] = {}
        """The tables, by number, whose master key cannot be used, and what it says."""
        self.load()

    @property
    def used(self) -> bool:
        """Whether any table is encrypted, or should be."""
        return bool(self._known) or bool(self.closed)

    def nonce(self) -> bytes:
        """Return a nonce that was never used in this file."""
        self._count += 1
        return self._prefix + self._count.to_bytes(6, "big")

    def load(self) -> None:
        """Learn from the file what there is, and forget everything else."""
        rows: list[tuple[Any, ...]] = self._execute(_ALL, ()).fetchall()
        self._known = {key.number: key for key in (DataKey(*row) for row in rows)}
        self._ciphers, self._sealers = {}, {}
        self.check()

    def check(self) -> None:
        """Ask the keyring for every table: unwrap what can be used, and forget what cannot."""
        self.closed = dict(self._keyless)
        for key in self._known.values():
            try:
                self.keyring.generation(key.master)
                if key.number not in self._ciphers:
                    self._ciphers[key.number] = _cipher(self._unwrap(key))
            except KeyUnavailableError as error:
                self.closed[key.table_id] = error
        for key in self._known.values():
            if key.table_id in self.closed:
                self._ciphers.pop(key.number, None)
        self._forgotten = {number: it for number, it in self._forgotten.items() if it[0] not in self.closed}
        self._reset()

    def close(self, table_id: int, error: KeyUnavailableError) -> None:
        """Let nobody use a table until the keyring is asked again."""
        self.closed[table_id] = error
        if self.current(table_id) is None:
            self._keyless[table_id] = error
        self._reset()

    def sealer(self, table_id: int) -> Sealer | ClosedSealer | None:
        """Return what seals and opens a table's values; ``None``: it is not encrypted."""
        if not self.used:
            return None
        if table_id not in self._sealers:
            made = self._make(table_id)
            if made is None:
                return None
            self._sealers[table_id] = made
        return self._sealers[table_id]

    def _make(self, table_id: int) -> Sealer | ClosedSealer | None:
        if table_id in self.closed:
            return ClosedSealer(self.closed[table_id])
        key = self.current(table_id)
        if key is None:
            return None
        return Sealer(self, key.number, self._ciphers[key.number], strict=not self.plain(table_id))

    def current(self, table_id: int) -> DataKey | None:
        """Return the data key that a table's values are sealed with now."""
        found = [key for key in self._known.values() if key.table_id == table_id and key.state != OLD]
        return found[0] if found else None

    def plain(self, table_id: int) -> bool:
        """Whether a table may still have values from before it was encrypted."""
        return any(key.table_id == table_id and key.state == PLAIN for key in self._known.values())

    def open(self, value: bytes, binding: bytes) -> bytes:
        """Decrypt a sealed value of any table."""
        number = int.from_bytes(value[1:_HEAD], "big")
        cipher = self._ciphers.get(number)
        if cipher is None and number in self._forgotten:
            cipher = self._forgotten[number][1]
        if cipher is None or value[0] != SEALED:
            known = self._known.get(number)
            if known is not None and known.table_id in self.closed:
                raise KeyUnavailableError(self.closed[known.table_id].message)
            raise DamagedItemError("a value that should be encrypted is not, or names no data key of this file")
        try:
            return cipher.decrypt(value[_HEAD : _HEAD + _NONCE], value[_HEAD + _NONCE :], binding)
        except Exception as error:
            # InvalidTag, whose module is loaded where there is a cipher; or a value that is too short for one.
            raise DamagedItemError("an encrypted value is not what was written there") from error

    # What is written, in the open transaction.

    def begin(self, table: Table, now_ms: int, *, plain: bool = False) -> None:
        """Give a table a new data key, under the master key that it has now; those before it still open.

        Raises:
            KeyUnavailableError: the master key cannot be used; nothing has changed.
        """
        master = self.keyring.resolve(master_of(table, self._region))
        generation = self.keyring.generation(master)
        number = max((*self._known, *self._forgotten), default=0) + 1
        secret = bytes.fromhex(self._rng.token(KEY_BYTES))
        wrapped = self.keyring.wrap(master, secret, _context(number, table.id))
        made = DataKey(
            number, table.id, master, generation, wrapped, PLAIN if plain and self.keyring.adopts else CURRENT
        )
        self._execute(_AGE, (table.id,))
        self._execute(_SAVE, (*made, now_ms))
        for other in self.of(table.id):
            self._known[other.number] = other._replace(state=OLD)
        self._known[number] = made
        self._ciphers[number] = _cipher(secret)
        self._keyless.pop(table.id, None)
        self.closed.pop(table.id, None)
        self._reset()

    def rewrap(self, table: Table) -> None:
        """Wrap all data keys of a table anew, under the master key that it has now and its newest generation."""
        master = self.keyring.resolve(master_of(table, self._region))
        generation = self.keyring.generation(master)
        for key in self.of(table.id):
            if (key.master, key.generation) == (master, generation):
                continue
            wrapped = self.keyring.wrap(master, self._unwrap(key), _context(key.number, table.id))
            self._execute(_WRAP, (master, generation, wrapped, key.number))
            self._known[key.number] = key._replace(master=master, generation=generation, wrapped=wrapped)

    def outdated(self, table: Table) -> bool:
        """Whether a table's data key is under another master key, or another generation, than it should be."""
        key = self.current(table.id)
        if key is None or table.id in self.closed:
            return False
        try:
            master = self.keyring.resolve(master_of(table, self._region))
            return (key.master, key.generation) != (master, self.keyring.generation(master))
        except KeyUnavailableError:
            return False

    def settle(self, number: int) -> None:
        """Note that every value of a table is sealed with its current data key."""
        if self._known[number].state == PLAIN:
            self._execute(schema.SAVE_META, (VACUUM, "due"))
        self._execute(_STATE, (CURRENT, number))
        self._known[number] = self._known[number]._replace(state=CURRENT)
        self._reset()

    def forget(self, number: int) -> None:
        """Delete a data key that nothing is sealed with any more."""
        self._execute(_FORGET, (number,))
        gone, cipher = self._known.pop(number), self._ciphers.pop(number, None)
        if cipher is not None:
            self._forgotten[number] = gone.table_id, cipher

    def of(self, table_id: int) -> list[DataKey]:
        """Return the data keys of a table, oldest first."""
        return [key for key in self._known.values() if key.table_id == table_id]

    def tables(self) -> Iterable[int]:
        """Return the numbers of the tables that have data keys."""
        return sorted({key.table_id for key in self._known.values()})

    def _reset(self) -> None:
        self._sealers = {}
        self.changed()

    def _unwrap(self, key: DataKey) -> bytes:
        return self.keyring.unwrap(key.master, key.wrapped, _context(key.number, key.table_id))


def _cipher(secret: bytes) -> AESGCM:
    # Loaded on first use: it costs a twentieth of a second, which regions without encryption do not pay.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(secret)


def _context(number: int, table_id: int) -> bytes:
    return b"atoll data key %d of table %d" % (number, table_id)
