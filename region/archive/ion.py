"""Amazon Ion text for exports and imports, as DynamoDB writes and reads it.

What: an item is an Ion struct: strings, bools, decimals for numbers, blobs, nulls, lists and structs; sets are lists
with the annotations ``$dynamodb_SS``, ``$dynamodb_NS`` and ``$dynamodb_BS``. Each line begins with the version marker.

Hazard: the library is an extra (``pip install 'atolldb[ion]'``) and is loaded where it is first needed.

Source: AWS developer guide, "DynamoDB table export output format" (Ion) and "Amazon S3 import formats for DynamoDB";
https://amazon-ion.github.io/ion-docs/.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from importlib import import_module, util
from typing import Any, BinaryIO, Final

from region.errors import ArchiveError
from region.model import numbers
from region.model.values import AttributeValue, Item

MARKER: Final = "$ion_1_0 "
_SETS: Final = {"SS": "$dynamodb_SS", "NS": "$dynamodb_NS", "BS": "$dynamodb_BS"}
_KINDS: Final = {annotation: kind for kind, annotation in _SETS.items()}
_MISSING: Final = "Ion needs the package amazon.ion: install it with pip install 'atolldb[ion]'"


def installed() -> bool:
    """Whether the library is there."""
    return util.find_spec("amazon") is not None and util.find_spec("amazon.ion") is not None


def require_installed() -> None:
    """Refuse where the library is missing.

    Raises:
        ArchiveError: it is; the message says how to get it.
    """
    if not installed():
        raise ArchiveError(_MISSING)


def line(document: Mapping[str, Any]) -> bytes:
    """Return a document of Ion values as a line of text."""
    text: str = import_module("amazon.ion.simpleion").dumps(document, binary=False, omit_version_marker=True)
    return (MARKER + text).encode()


def documents(stream: BinaryIO) -> Iterator[Mapping[str, Any]]:
    """Iterate over the values of an Ion stream, text or binary.

    Raises:
        ValueError: it is no Ion.
    """
    simpleion = import_module("amazon.ion.simpleion")
    failure: type[Exception] = import_module("amazon.ion.exceptions").IonException
    try:
        for value in simpleion.load(stream, single_value=False, parse_eagerly=False):
            # The whole of an import may stand in one list.
            yield from value if isinstance(value, list) else (value,)
    except failure as error:
        raise ValueError(f"it is no Ion: {error}") from error


def struct(item: Item) -> dict[str, Any]:
    """Return an item as Ion values."""
    return {name: _value(value) for name, value in item.items()}


def item(values: Mapping[str, Any]) -> Item:
    """Return Ion values as an item in DynamoDB JSON, not yet canonical.

    Raises:
        ValueError: a value has no counterpart in DynamoDB.
    """
    return {str(name): _attribute(value) for name, value in values.items()}


def _value(attribute: AttributeValue) -> Any:
    ((kind, content),) = attribute.items()
    if kind in _SETS:
        return _annotated([_WRITERS[kind[0]](element) for element in content], _SETS[kind])
    return _WRITERS[kind](content)


def _annotated(elements: list[Any], annotation: str) -> Any:
    types = import_module("amazon.ion.simple_types")
    return types.IonPyList.from_value(import_module("amazon.ion.core").IonType.LIST, elements, (annotation,))


_WRITERS: Final[dict[str, Callable[[Any], Any]]] = {
    "S": str,
    "N": Decimal,
    "B": b64decode,
    "BOOL": bool,
    "NULL": lambda _: None,
    "L": lambda content: [_value(element) for element in content],
    "M": struct,
}


def _attribute(value: Any) -> AttributeValue:
    for annotation in getattr(value, "ion_annotations", ()):
        if kind := _KINDS.get(annotation.text):
            return {kind: [next(iter(_attribute(element).values())) for element in value]}
    if value is None or type(value).__name__ == "IonPyNull":
        return {"NULL": True}
    if isinstance(value, bool) or type(value).__name__ == "IonPyBool":
        return {"BOOL": bool(value)}
    if isinstance(value, str):
        return {"S": str(value)}
    if isinstance(value, (int, float, Decimal)):
        return {"N": numbers.from_decimal(Decimal(str(value) if isinstance(value, float) else value))}
    if isinstance(value, (bytes, bytearray)):
        return {"B": b64encode(bytes(value)).decode()}
    if isinstance(value, list):
        return {"L": [_attribute(element) for element in value]}
    if isinstance(value, Mapping):
        return {"M": item(value)}
    raise ValueError(f"an Ion value of type {type(value).__name__} has no counterpart in DynamoDB")
