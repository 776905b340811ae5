"""One accelerator: which request is answered from where, and what is counted of it.

What: :meth:`Accelerator.at_once` answers what the caches hold, without waiting; :meth:`Accelerator.answer` answers
everything, and always: what goes wrong becomes the answer that a client makes an exception of.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from atoll.dax import errors, frames, requests
from atoll.dax.cache import Cache
from atoll.dax.errors import UnansweredError
from atoll.dax.frames import MalformedError
from atoll.dax.list_file import ListFile
from atoll.dax.reads import Reads
from atoll.dax.requests import NAMES, Arguments, Frame
from atoll.dax.responses import OK
from atoll.dax.shared import Shared, listed, name
from atoll.dax.upstream import Upstream
from atoll.dax.values import AttributeLists
from atoll.dax.writes import Writes
from region.errors import DynamoError, ValidationError

Answer = Callable[[Arguments], Awaitable[bytes]]
ATTRIBUTES_MAX = 10_000


class Accelerator:
    """A cache in front of one region; ``lists`` is where it keeps attribute lists."""

    def __init__(self, upstream: Upstream, items: Cache, queries: Cache, lists: ListFile | None = None) -> None:
        self.parts = Shared(upstream, items, queries, AttributeLists(lists))
        self._reads = Reads(self.parts)
        self._writes = Writes(self.parts)
        self.requests = dict.fromkeys(NAMES.values(), 0)
        self.errors = dict.fromkeys(NAMES.values(), 0)
        reads, writes = self._reads, self._writes
        self._answers: dict[int, Answer] = {
            requests.GET: reads.get,
            requests.QUERY: lambda arguments: reads.find("Query", arguments),
            requests.SCAN: lambda arguments: reads.find("Scan", arguments),
            requests.BATCH_GET: reads.get_batch,
            requests.TRANSACT_GET: reads.get_transaction,
            requests.PUT: writes.put,
            requests.UPDATE: writes.update,
            requests.DELETE: writes.delete,
            requests.BATCH_WRITE: writes.write_batch,
            requests.TRANSACT_WRITE: writes.write_transaction,
            requests.DEFINE_KEY_SCHEMA: self._key_schema,
            requests.DEFINE_LIST: self._list,
            requests.DEFINE_LIST_ID: self._list_id,
        }
        self._held = {
            requests.GET: reads.held_item,
            requests.QUERY: reads.held_result,
            requests.SCAN: reads.held_result,
        }

    async def stop(self) -> None:
        """End what goes on in the background."""
        await self._writes.stop()

    def at_once(self, frame: Frame) -> bytes | None:
        """Return the answer that needs no waiting, ``None`` where there is none."""
        held = self._held.get(frame.method)
        if held is None:
            return None
        try:
            answer = held(frame.arguments)
        except (DynamoError, MalformedError) as error:
            answer = self._refusal(error, frame)
        if answer is not None:
            self.requests[NAMES[frame.method]] += 1
        return answer

    async def answer(self, frame: Frame) -> bytes:
        """Return the answer to a request."""
        if frame.method in NAMES:
            self.requests[NAMES[frame.method]] += 1
        try:
            return await self._answers[frame.method](frame.arguments)
        except (errors.RegionError, UnansweredError, DynamoError, MalformedError) as error:
            return self._refusal(error, frame)

    def _refusal(self, error: Exception, frame: Frame) -> bytes:
        if frame.method in NAMES:
            self.errors[NAMES[frame.method]] += 1
        failed = errors.of(error)
        return errors.encode(failed, self._writes.reasons(failed))

    async def _key_schema(self, arguments: Arguments) -> bytes:
        schema = await self.parts.schema(name(arguments[0]))
        return OK + frames.encode(dict(zip(schema.names, schema.types, strict=True)))

    async def _list(self, arguments: Arguments) -> bytes:
        return OK + frames.encode(list(self.parts.lists.names(frames.decode(arguments[0]))))

    async def _list_id(self, arguments: Arguments) -> bytes:
        names = listed(arguments[0])
        if not all(isinstance(each, str) for each in names):
            raise MalformedError("an attribute list of what are no names")
        if len(names) > ATTRIBUTES_MAX:
            raise ValidationError(f"An item has at most {ATTRIBUTES_MAX} attributes here.")
        return OK + frames.encode(self.parts.lists.number(tuple(names)))
