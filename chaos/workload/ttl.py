"""Time to live: sessions that expire unless somebody renews them.

What: items get an expiry a little ahead of the region's clock, or long past, or far away; some are renewed.

What it is good for: an item that was renewed in time is never deleted by its former expiry, in no region; deletions by
time to live replicate like any other.

Hazard: clients know the regions' clocks only from what these say: a table's ``CreationDateTime``, and the run's own
stopwatch since.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from chaos.workload.session import Session, get, put, update
from chaos.workload.workload import Ground, Workload
from region.randomness import Rng

EXPIRES: Final = "expires"
SOON_S: Final = (-2, 4)
LATER_S: Final = 3600


class Expiring(Workload):
    """Writes items that expire soon, renews some, and reads them."""

    name: ClassVar[str] = "ttl"

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self._offset_s = 0.0

    async def prepare(self, ground: Ground) -> None:
        """Switch time to live on, and learn what time it is in the regions."""
        client = ground.client(ground.regions[0])
        specification = {"Enabled": True, "AttributeName": EXPIRES}
        await client.call("UpdateTimeToLive", {"TableName": self.table, "TimeToLiveSpecification": specification})
        answer = await client.call("DescribeTable", {"TableName": self.table})
        self._offset_s = float(answer["Table"]["CreationDateTime"]) - asyncio.get_running_loop().time()

    async def act(self, session: Session, ground: Ground, rng: Rng) -> None:
        """Begin a session that expires soon, renew one for long, or look at one."""
        key = self.any_key(rng)
        now_s = self._offset_s + asyncio.get_running_loop().time()
        roll = rng.uniform(0, 1)
        if roll < 0.4:
            expires = {"N": str(int(now_s + rng.uniform(*SOON_S)))}
            await session.perform(put(ground.recorder, self.table, key, f="begin", expires=expires))
        elif roll < 0.6:
            values = {":later": {"N": str(int(now_s + LATER_S))}}
            await session.perform(update(ground.recorder, self.table, key, "SET expires = :later", values, f="renew"))
        else:
            await session.perform(get(self.table, key))
