"""AWS's words for what is wrong with a request: constraint sentences, names of JSON tokens, values as Java prints them.

What: the service's front end is written in Java and shows it: ``Value '[KeySchemaElement(attributeName=a, keyType=X)]'
at 'keySchema' failed to satisfy constraint: Member must have length less than or equal to 2``.

Invariants: the text of a value is bounded (:data:`TEXT_LENGTH_MAX`), and so is the work of making it, however large
the value is.

Source: messages of the service as quoted in public reports; Smithy's and the SDK for Java's published validators.
"""

from __future__ import annotations

from typing import Any, Final

from region.wire.service_model import Shape

TEXT_LENGTH_MAX: Final = 4096
ERRORS_MAX: Final = 10

JAVA_PACKAGE: Final = "com.amazonaws.dynamodb.v20120810."
JAVA_TYPES: Final = {
    "string": "String",
    "integer": "Integer",
    "long": "Long",
    "boolean": "Boolean",
    "double": "Double",
    "float": "Float",
    "timestamp": "Date",
}

NULL_MEMBER: Final = "Member must not be null"
START_OF_STRUCTURE: Final = "Start of structure or map found where not expected"
UNEXPECTED_FIELD: Final = "Unexpected field type"
UNEXPECTED_VALUE: Final = "Unexpected value type in payload"
UNEXPECTED_TOKEN: Final = "Unexpected token received from parser"
NOT_BASE64: Final = "Only base-64-encoded strings are convertible to bytes"
BASE64_LENGTH: Final = "Base64 encoded length is expected a multiple of 4 bytes but found: {}"
BASE64_CHARACTER: Final = "Invalid base64 character: '{}'"
BASE64_LAST: Final = "Invalid last non-pad Base64 character dectected"


def at_least(shape: Shape) -> str:
    """Return the sentence of a shape's lower bound, of its length or of its value."""
    return f"Member must have {_measure(shape)} greater than or equal to {shape.least}"


def at_most(shape: Shape) -> str:
    """Return the sentence of a shape's upper bound, of its length or of its value."""
    return f"Member must have {_measure(shape)} less than or equal to {shape.most}"


def one_of(values: tuple[str, ...]) -> str:
    """Return the sentence of an enumeration."""
    return f"Member must satisfy enum value set: [{', '.join(values)}]"


def matching(pattern: str) -> str:
    """Return the sentence of a pattern."""
    return f"Member must satisfy regular expression pattern: {pattern}"


def failure(text: str | None, path: str, constraint: str) -> str:
    """Return the sentence of one member that fails one constraint; ``text`` is its value, ``None`` for null."""
    value = "null" if text is None else f"'{text}'"
    return f"Value {value} at '{path}' failed to satisfy constraint: {constraint}"


def summary(failures: list[str]) -> str:
    """Return the message that lists all failures."""
    noun = "error" if len(failures) == 1 else "errors"
    return f"{len(failures)} validation {noun} detected: {'; '.join(failures)}"


def member_name(name: str) -> str:
    """Return a member's name as the service prints it: ``TableName`` as ``tableName``."""
    return name[:1].lower() + name[1:]


def token(value: Any) -> str:
    """Return the name of the JSON token that a scalar value was parsed from."""
    if value is True:
        return "TRUE_VALUE"
    if value is False:
        return "FALSE_VALUE"
    if type(value) is str:
        return "STRING_VALUE"
    return "NUMBER_VALUE" if type(value) is int else "DECIMAL_VALUE"


def not_convertible(value: Any, shape: Shape) -> str:
    """Return the sentence of a scalar of the wrong kind."""
    return f"{token(value)} cannot be converted to {JAVA_TYPES[shape.kind]}"


def unrecognized_collection(shape: Shape) -> str:
    """Return the sentence of a JSON array in the place of anything that is no list."""
    if shape.kind == "map":
        return f"Unrecognized collection type java.util.Map<java.lang.String, {_java_class(shape.element)}>"
    return f"Unrecognized collection type class {_java_class(shape)}"


def _java_class(shape: Shape | None) -> str:
    if shape is None or shape.kind == "string":
        return "java.lang.String"
    if shape.kind == "structure":
        return JAVA_PACKAGE + shape.name
    if shape.kind == "blob":
        return "java.nio.ByteBuffer"
    if shape.kind == "list":
        return f"java.util.List<{_java_class(shape.element)}>"
    return ("java.util." if shape.kind == "timestamp" else "java.lang.") + JAVA_TYPES.get(shape.kind, "Object")


def _measure(shape: Shape) -> str:
    return "value" if shape.kind in ("integer", "long", "double", "float") else "length"


def text_of(shape: Shape, value: Any) -> str:
    """Return a value as Java prints it, cut at :data:`TEXT_LENGTH_MAX` characters."""
    printer = _Printer()
    printer.add(shape, value)
    return "".join(printer.parts)[:TEXT_LENGTH_MAX]


class _Printer:
    """Collects the parts of a text until there are enough of them."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._room = TEXT_LENGTH_MAX

    def add(self, shape: Shape, value: Any) -> None:
        """Add a value of a shape."""
        if self._room <= 0:
            return
        if value is None:
            self._put("null")
        elif shape.kind == "structure" and type(value) is dict:
            self._structure(shape, value)
        elif shape.kind == "list" and type(value) is list and shape.element:
            self._put("[")
            for position, element in enumerate(value):
                self._put(", " if position else "")
                self.add(shape.element, element)
                if self._room <= 0:
                    return
            self._put("]")
        elif shape.kind == "map" and type(value) is dict and shape.element:
            self._put("{")
            for position, (name, element) in enumerate(value.items()):
                self._put(f"{', ' if position else ''}{name}=")
                self.add(shape.element, element)
                if self._room <= 0:
                    return
            self._put("}")
        elif shape.kind == "blob":
            size = len(value) // 4 * 3 - value.count("=")
            self._put(f"java.nio.HeapByteBuffer[pos=0 lim={size} cap={size}]")
        else:
            self._put(str(value).lower() if type(value) is bool else str(value))

    def _structure(self, shape: Shape, value: dict[str, Any]) -> None:
        self._put(shape.name + "(")
        for position, (name, member) in enumerate(shape.members.items()):
            self._put(f"{', ' if position else ''}{member_name(name)}=")
            self.add(member, value.get(name))
            if self._room <= 0:
                return
        self._put(")")

    def _put(self, text: str) -> None:
        self.parts.append(text)
        self._room -= len(text)
