"""botocore's service model of DynamoDB and DynamoDB Streams: which operations there are, and the shape of each request.

What: the two models are read once, when the endpoint is made, and turned into :class:`OperationSpec` and
:class:`Shape`. They are botocore's own files, read where botocore is installed, so Atoll speaks of exactly the shapes
that its users' SDK speaks of.

Why not ``botocore.loaders``: importing it brings in urllib3 and costs a region a quarter of its start-up budget; the
files are plain JSON, and reading them takes 5 ms. A test holds what is read here against what botocore itself loads.

Hazard: shapes refer to each other and may be recursive (``AttributeValue``); never walk them without a value at hand.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from region.errors import OperatingError
from region.wire import codec

SERVICES: Final = ("dynamodb", "dynamodbstreams")


class Shape:
    """A shape of the model: its type, its constraints, and the shapes inside it.

    ``kind`` is the model's type: structure, map, list, string, integer, long, double, boolean, blob or timestamp.
    ``least`` and ``most`` bound a length or a value. ``members`` are a structure's, ``element`` is a list's member or
    a map's value, ``key`` a map's key.
    """

    __slots__ = ("element", "enum", "key", "kind", "least", "members", "most", "name", "pattern", "required")

    def __init__(self, name: str, definition: Mapping[str, Any]) -> None:
        self.name = name
        self.kind: str = definition["type"]
        self.least: int | None = definition.get("min")
        self.most: int | None = definition.get("max")
        self.pattern: str | None = definition.get("pattern")
        self.enum: tuple[str, ...] = tuple(definition.get("enum", ()))
        self.required: tuple[str, ...] = tuple(definition.get("required", ()))
        self.members: dict[str, Shape] = {}
        self.element: Shape | None = None
        self.key: Shape | None = None

    def but(self, **constraints: Any) -> Shape:
        """Return this shape with other constraints; the inner shapes are shared."""
        twin = Shape.__new__(Shape)
        for slot in Shape.__slots__:
            setattr(twin, slot, constraints.get(slot, getattr(self, slot)))
        return twin


class OperationSpec:
    """One operation of the model: its name, its target on the wire, the shape of its input, its declared errors."""

    __slots__ = ("errors", "input", "name", "target")

    def __init__(self, name: str, target: str, input_shape: Shape, errors: tuple[str, ...]) -> None:
        self.name = name
        self.target = target
        self.input = input_shape
        self.errors = errors


@cache
def load() -> Mapping[str, OperationSpec]:
    """Return the operations of both services by their target, such as ``DynamoDB_20120810.GetItem``; read once.

    Raises:
        OperatingError: botocore is not installed, or its data files are not where it keeps them.
    """
    return {spec.target: spec for name in SERVICES for spec in _operations(read(name))}


def read(service: str) -> Mapping[str, Any]:
    """Return the newest model of a service, as botocore's file has it."""
    package = find_spec("botocore")
    if package is None or not package.submodule_search_locations:
        raise OperatingError("botocore is not installed; Atoll takes the shapes of DynamoDB's requests from it")
    folder = Path(package.submodule_search_locations[0]) / "data" / service
    files = sorted(folder.glob("*/service-2.json*"))
    if not files:
        raise OperatingError(f"botocore's service model of {service} is missing in {folder}; reinstall botocore")
    data = files[-1].read_bytes()
    model: dict[str, Any] = codec.decode(gzip.decompress(data) if files[-1].suffix == ".gz" else data)
    return model


def _operations(model: Mapping[str, Any]) -> Iterator[OperationSpec]:
    shapes = _shapes(model["shapes"])
    nothing = Shape("Nothing", {"type": "structure"})
    prefix = model["metadata"]["targetPrefix"]
    for name, operation in model["operations"].items():
        input_shape = shapes[operation["input"]["shape"]] if "input" in operation else nothing
        errors = tuple(error["shape"] for error in operation.get("errors", ()))
        yield OperationSpec(name, f"{prefix}.{name}", input_shape, errors)


def _shapes(definitions: Mapping[str, Mapping[str, Any]]) -> dict[str, Shape]:
    shapes = {name: Shape(name, definition) for name, definition in definitions.items()}
    for name, definition in definitions.items():
        shape = shapes[name]
        if shape.kind == "structure":
            shape.members = {member: shapes[inner["shape"]] for member, inner in definition["members"].items()}
        elif shape.kind == "list":
            shape.element = shapes[definition["member"]["shape"]]
        elif shape.kind == "map":
            shape.key = shapes[definition["key"]["shape"]]
            shape.element = shapes[definition["value"]["shape"]]
    return shapes
