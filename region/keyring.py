"""The Keyring port: master keys that never leave their keeper, as those of AWS KMS do not.

What: a master key wraps data keys and unwraps them again. It is named as in the API: by its id, its ARN, or an alias. A
master key has generations: a new one wraps from then on, the older ones still unwrap.

Invariants: what is wrapped can be unwrapped only under the same ``context``, and with a master key that is enabled.
Every refusal is a :class:`~region.errors.KeyUnavailableError` in AWS's words.

Source: AWS KMS developer guide, "AWS KMS concepts" (envelope encryption, encryption context, key states, rotation).
"""

from __future__ import annotations

from typing import Final, Protocol

from region.errors import KeyUnavailableError

OWNED: Final = "alias/aws/dynamodb"
"""The master key of tables for which nobody has named one."""


class Keyring(Protocol):
    """Master keys."""

    @property
    def adopts(self) -> bool:
        """Whether tables from before encryption are taken over, with the values in the clear that they have."""

    def refresh(self) -> bool:
        """Learn of what has changed outside; return whether anything may have."""

    def resolve(self, name: str) -> str:
        """Return the id of a master key, given its id, ARN, alias or alias ARN.

        Raises:
            KeyUnavailableError: there is none.
        """

    def generation(self, key_id: str) -> int:
        """Return the number of the master key's newest generation.

        Raises:
            KeyUnavailableError: it is gone, disabled, or to be deleted.
        """

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> bytes:
        """Encrypt a data key.

        Raises:
            KeyUnavailableError: the master key is gone, disabled, or to be deleted.
        """

    def unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
        """Decrypt what :meth:`wrap` made.

        Raises:
            KeyUnavailableError: the master key is gone, disabled, or to be deleted, or this is not its work.
        """


class NoKeyring:
    """No master keys: where encryption is off. What was encrypted before cannot be read."""

    adopts = False

    def refresh(self) -> bool:
        """Nothing changes."""
        return False

    def resolve(self, name: str) -> str:
        """There is none."""
        raise _none(name)

    def generation(self, key_id: str) -> int:
        """There is none."""
        raise _none(key_id)

    def wrap(self, key_id: str, data_key: bytes, context: bytes) -> bytes:
        """There is none."""
        raise _none(key_id)

    def unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
        """There is none."""
        raise _none(key_id)


def _none(name: str) -> KeyUnavailableError:
    return KeyUnavailableError.unknown(name)
