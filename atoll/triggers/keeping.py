"""What triggers keep in their region's file: texts by name, through the engine's writer, beside what clients write.

Invariant: what is kept together becomes durable together, in the file that holds the log that positions point into.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from region.engine import Engine
from region.job import settle
from region.operation.context import Context


def meta_name(uuid_: str) -> str:
    """Return the name under which a region's file keeps a trigger's positions."""
    return f"trigger:{uuid_}"


async def keep(engine: Engine, texts: Mapping[str, str]) -> None:
    """Keep texts in a region's file by their names, all at once; return when they are durable."""

    def save(context: Context) -> None:
        for name, text in texts.items():
            context.transaction.save_meta(name, text)
        context.written += 1

    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    engine.write(save, settle(future))
    await future
