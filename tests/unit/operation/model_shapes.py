"""Whether an answer fits the service model of botocore: no unknown member, no wrong type or value."""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

MODEL = botocore.session.get_session().get_service_model("dynamodb")
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "long": (int,),
    "integer": (int,),
    "boolean": (bool,),
    "timestamp": (float, int),
}


def misfits(shape: Shape, value: Any, path: str) -> list[str]:
    """Return what of a value does not fit its shape."""
    if isinstance(shape, StructureShape):
        found = [f"{path}.{name} is unknown" for name in value if name not in shape.members]
        found += [f"{path}.{name} is missing" for name in shape.required_members if name not in value]
        for name, member in value.items():
            if name in shape.members:
                found += misfits(shape.members[name], member, f"{path}.{name}")
        return found
    if isinstance(shape, ListShape):
        return [it for i, element in enumerate(value) for it in misfits(shape.member, element, f"{path}[{i}]")]
    if isinstance(shape, MapShape):
        return [it for key, element in value.items() for it in misfits(shape.value, element, f"{path}[{key}]")]
    if type(value) not in TYPES[shape.type_name]:
        return [f"{path} has type {type(value).__name__}"]
    if isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        return [f"{path} is {value}"]
    return []
