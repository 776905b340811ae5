"""Writing a file of lines page by page, each page read and compressed in one step beside the event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

from region.archive.desk import Desk
from region.archive.packing import Packed, Packer, item_line
from region.store.port import Snapshot

PAGE: Final = 512

Pages = Iterator[Sequence[bytes]]


async def write(desk: Desk, name: str, pages: Pages, reached: Callable[[int], None] | None = None) -> Packed:
    """Write pages of lines into a file; ``reached`` hears after each how many lines there are.

    Raises:
        ArchiveError: the vault cannot be written.
    """
    packer = await desk.beside(lambda: Packer(desk.vault, name))
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
