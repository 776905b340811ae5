"""Encryption at rest put together: where the region's master keys are, and the watch over them.

Invariant: where no keyring is configured and nothing in the file is encrypted, there is neither, and nothing is paid.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack

from atoll.config import Config
from atoll.keyring import FileKeyring
from clock import SystemClock
from region.engine import Engine
from region.key_watch import KeyWatch
from region.randomness import Rng


def keyring(config: Config, rng: Rng) -> FileKeyring | None:
    """Return the region's keyring, ``None`` where its tables are not encrypted.

    Raises:
        RemedyError: it cannot be had.
    """
    place = config.encryption.keyring
    if not place:
        return None
    now_ms, environment = SystemClock().now_ms, os.environ
    return FileKeyring(
        place,
        region=config.region,
        account=config.account,
        rng=rng,
        now_ms=now_ms,
        environment=environment,
        adopts=config.encryption.adopt,
    )


async def watch(config: Config, started: AsyncExitStack, engine: Engine) -> None:
    """Give every table its key, and watch the keyring until ``started`` ends."""
    if config.encryption.keyring or engine.store.has_keys:
        keys = KeyWatch(engine, config.encryption.check_ms)
        await keys.start()
        started.callback(keys.stop)
