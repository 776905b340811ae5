"""What a program does to a cluster: pauses of replication, and faults that are proved by probing and can be healed.

What: :class:`Experiments` is the part of :class:`~atoll.cluster.Cluster` that breaks it. Pauses need nothing special;
faults need ``Cluster(proxied=True)``.

Invariant: every fault lasts ``seconds``, or until :meth:`Experiments.heal`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from atoll import pausing
from atoll.failure import StartError
from atoll.remote import AdminClient

if TYPE_CHECKING:
    from atoll.laboratory import Laboratory
    from chaos.faults import Fault, Mode
    from chaos.live.standing import StandingFault


class Experiments:
    """The verbs of breaking and healing."""

    regions: tuple[str, ...]
    _laboratory: Laboratory | None

    if TYPE_CHECKING:  # The rest of the cluster, as this part of it needs it.

        def admin(self, region: str) -> AdminClient:
            """Return a client of a region's admin address."""

    def pause(
        self,
        target: str,
        *,
        direction: pausing.Direction = "both",
        seconds: float | None = None,
        table: str | None = None,
    ) -> list[str]:
        """Pause replication of a region (``us-east-1``) or of a link (``us-east-1->eu-west-1``).

        ``direction`` is ``in``, ``out`` or ``both``, as that region sees it; a link has but one. The pause ends by
        itself after ``seconds``. With ``table`` only that table's changes are held back, others flow past it. Returns
        the links, as ``source->sink``.
        """
        return pausing.apply(
            self._clients(),
            pausing.parse(target),
            AdminClient.pause,
            direction=direction,
            for_ms=_ms(seconds),
            table=table,
        )

    def resume(self, target: str, *, direction: pausing.Direction = "both", table: str | None = None) -> list[str]:
        """End pauses; what waited is delivered. The parameters are those of :meth:`pause`."""
        return pausing.apply(
            self._clients(), pausing.parse(target), AdminClient.resume, direction=direction, table=table
        )

    def _clients(self) -> dict[str, AdminClient]:
        return {region: self.admin(region) for region in self.regions}

    @property
    def laboratory(self) -> Laboratory:
        """The proxies and faults of this cluster.

        Raises:
            StartError: it was made without.
        """
        if self._laboratory is None:
            raise StartError("This cluster has no proxies.", "Make it with Cluster(proxied=True).")
        return self._laboratory

    def apply(self, fault: Fault | Mapping[str, Any]) -> StandingFault:
        """Begin a fault, given as a value of :mod:`chaos.faults` or as its table; return what probes measured of it.

        Raises:
            ValueError: it makes no sense here.
            IneffectiveError: probes see nothing of it.
        """
        from chaos import faults  # noqa: PLC0415  Loaded on first use: `import atoll` stays light.

        value = faults.decode(dict(fault)) if isinstance(fault, Mapping) else fault
        return self.laboratory.standing.apply(value)

    def faults(self) -> list[StandingFault]:
        """Return the faults that stand."""
        return self.laboratory.standing.standing()

    def heal(self) -> list[int]:
        """End every fault and pause, start every region that is down, wait until links answer; return the numbers."""
        return self.laboratory.heal()

    def cut(self, link: str, mode: Mode = "blackhole", *, seconds: float | None = None) -> StandingFault:
        """Cut a link: ``refuse``, ``blackhole``, only the ``data`` or only the ``acks``; ``*`` is every region."""
        return self._apply("cut", seconds, link=link, mode=mode)

    def delay(self, link: str, ms: int, jitter_ms: int = 0, *, seconds: float | None = None) -> StandingFault:
        """Delay what a link carries by ``ms`` and up to ``jitter_ms`` more, in each direction."""
        return self._apply("delay", seconds, link=link, ms=ms, jitter_ms=jitter_ms)

    def limit(self, link: str, kb_s: float, *, seconds: float | None = None) -> StandingFault:
        """Limit a link to ``kb_s`` kilobytes a second."""
        return self._apply("bandwidth", seconds, link=link, kb_s=kb_s)

    def lose(self, link: str, share: float, *, seconds: float | None = None) -> StandingFault:
        """Lose connections of a link with this probability, those that stand once a second."""
        return self._apply("loss", seconds, link=link, share=share)

    def tear(self, link: str) -> StandingFault:
        """Break the connections of a link in the midst of a frame, once."""
        return self._apply("tear", None, link=link)

    def skew(self, region: str, ms: int = 0, *, drift_ppm: float = 0, seconds: float | None = None) -> StandingFault:
        """Set a region's clock wrong by ``ms``, or let it run fast by ``drift_ppm``."""
        if drift_ppm:
            return self._apply("clock-drift", seconds, region=region, ppm=drift_ppm)
        return self._apply("clock-offset", seconds, region=region, ms=ms)

    def jump(self, region: str, ms: int) -> StandingFault:
        """Let a region's clock jump, for good until healed."""
        return self._apply("clock-jump", None, region=region, ms=ms)

    def freeze(self, region: str, *, seconds: float | None = None) -> StandingFault:
        """Let a region's clock stand still."""
        return self._apply("clock-freeze", seconds, region=region)

    def crash(self, region: str, *, seconds: float | None = None) -> StandingFault:
        """Kill a region's process (``kill -9``); it starts again after ``seconds``, or when healed."""
        return self._apply("crash", seconds, region=region)

    def suspend(self, region: str, *, seconds: float | None = None) -> StandingFault:
        """Stop a region's process where it stands (SIGSTOP)."""
        return self._apply("suspend", seconds, region=region)

    def fill_disk(self, region: str, *, seconds: float | None = None) -> StandingFault:
        """Leave a region no room on its disk: every write fails."""
        return self._apply("disk-full", seconds, region=region)

    def slow_disk(self, region: str, ms: int, *, seconds: float | None = None) -> StandingFault:
        """Let each commit of a region take ``ms`` longer."""
        return self._apply("disk-slow", seconds, region=region, ms=ms)

    def _apply(self, kind: str, seconds: float | None, **fields: Any) -> StandingFault:
        for_ms = {} if seconds is None else {"for_ms": _ms(seconds)}
        return self.apply({"kind": kind, **fields, **for_ms})


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
