"""What a trigger counts since its region started, and what its last call came to.

Invariant: numbers only rise; they go on when a trigger is paused or given other settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from atoll.triggers.batch import Record
from atoll.triggers.effects import also_called_in, elsewhere, is_superfluous
from atoll.triggers.events import TriggerDuplicated, TriggerEchoed, TriggerFailed, TriggerGaveUp, TriggerHandedOver
from region.events import Event
from region.model.cause import chain_of, echoes
from region.model.settings import Registers

NOTHING_YET: Final = "No records processed"
OK: Final = "OK"
CALL_FAILED: Final = "PROBLEM: Function call failed"


class Tally:
    """The numbers of one trigger, which calls ``function`` in ``region``."""

    def __init__(self, trigger: str, function: str, region: str) -> None:
        self._trigger = trigger
        self._function = function
        self._region = region
        self.last_result = NOTHING_YET
        self.last_error = ""
        self.batches = 0
        self.records = 0
        self.failures = 0
        self.given_up = 0
        self.duplicates = 0
        self.echoes = 0

    def count(self, happened: Event) -> None:
        """Count an event."""
        if isinstance(happened, TriggerHandedOver):
            self.batches += 1
            self.records += happened.records
            self.last_result, self.last_error = OK, ""
        elif isinstance(happened, TriggerFailed):
            self.failures += 1
            self.last_result = CALL_FAILED if happened.records else f"PROBLEM: {happened.reason}"
            self.last_error = happened.reason
        elif isinstance(happened, TriggerGaveUp):
            self.given_up += happened.records
        elif isinstance(happened, TriggerDuplicated):
            self.duplicates += happened.records
        elif isinstance(happened, TriggerEchoed):
            self.echoes += happened.records

    def doubled(self, records: Sequence[Record], registers: Registers) -> Iterator[Event]:
        """Yield what there is to tell of records that were handed over, in a table with these registers."""
        others = elsewhere(registers, self._region, self._function)
        regions: set[str] = set()
        superfluous = 0
        for record in records if others else ():
            calling = also_called_in(others, record.origin, record.hlc, record.body)
            if is_superfluous(self._region, calling, record.origin):
                superfluous += 1
                regions.update((self._region, *calling))
        if superfluous:
            yield TriggerDuplicated(self._trigger, superfluous, tuple(sorted(regions)))
        chains = [chain_of(record.request_id) for record in records if record.request_id is not None]
        own = [chain for chain in chains if echoes(self._function, chain)]
        if own:
            times = max(echoes(self._function, chain) for chain in own)
            yield TriggerEchoed(self._trigger, len(own), times, own[-1])
