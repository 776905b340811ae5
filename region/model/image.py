"""Item images: the one encoding of an item that is stored, logged, shipped and answered.

An image is the item's canonical DynamoDB JSON in UTF-8 bytes with attribute names sorted, encoded once, when the item
is written. Reads splice images into responses without decoding them, replication ships them as they are, and two
replicas hold equal items exactly when their images are equal byte for byte.

Hazard: an image is only as canonical as the item given to :func:`encode`; callers normalise first
(``region.model.values``).
"""

from __future__ import annotations

import orjson

from region.model.values import Item


def encode(item: Item) -> bytes:
    """Encode a canonical item."""
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


def decode(image: bytes) -> Item:
    """Decode an image into a fresh item that the caller may change."""
    item: Item = orjson.loads(image)
    return item


def splice(image: bytes) -> orjson.Fragment:
    """Return a value that stands for the image in a response and costs nothing to encode."""
    return orjson.Fragment(image)
