"""Writing a file of lines page by page, each page read and compressed in one step beside the event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

from region.archive.desk import Desk
from region.archive.packing import Packed, Packer, item_line
from region.errors import ArchiveError, KeyUnavailableError
from region.keyring import OWNED
from region.model.encryption import master_of
from region.store.port import Snapshot

PAGE: Final = 512

Pages = Iterator[Sequence[bytes]]


async def write(
    desk: Desk, name: str, table_uid: str, pages: Pages, reached: Callable[[int], None] | None = None
) -> Packed:
    """Write pages of a table's lines into a file; ``reached`` hears after each how many lines there are.

    Raises:
        ArchiveError: the vault cannot be written, or the table's master key cannot be used.
    """
    table = desk.replica.catalogue.by_uid.get(table_uid)
    master = OWNED if table is None else master_of(table, desk.replica.settings.region)
    try:
        packer = await desk.beside(lambda: Packer(desk.vault, name, master))
        return await _write(desk, packer, pages, reached)
    except KeyUnavailableError as error:
        raise ArchiveError(f"{name} cannot be written: {error.message}") from error


async def _write(desk: Desk, packer: Packer, pages: Pages, reached: Callable[[int], None] | None) -> Packed:
    done = 0
    try:
        while count := await desk.beside(lambda: _step(packer, pages)):
            done += count
            if reached is not None:
                reached(done)
        return await desk.beside(packer.finish)
    finally:
        packer.abandon()


def snapshot_pages(snapshot: Snapshot) -> Pages:
    """Iterate over the items of a snapshot, a line each."""
    after = b""
    while page := snapshot.items(after, PAGE):
        yield [item_line(image) for _, image, _ in page]
        after = page[-1][0]


def image_pages(images: Iterator[bytes]) -> Pages:
    """Iterate over images, a line each."""
    while page := [item_line(image) for image in islice(images, PAGE)]:
        yield page


def _step(packer: Packer, pages: Pages) -> int:
    page = next(pages, ())
    packer.add(page)
    return len(page)
