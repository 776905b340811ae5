"""The rules of keys and indexes: what a table or an index may look like, in AWS's order and words.

What: checks of key schemas, attribute definitions, projections and index lists, shared by CreateTable and by
UpdateTable when it creates an index. Nothing here looks at data or changes anything.

Invariant: a schema that passes here can be read by :class:`region.model.table.Table`.

Source: AWS developer guide, "Core components", "Secondary indexes", "Constraints"; AWS API reference, CreateTable and
UpdateTable; messages as AWS sends them where they are public, in the same manner where they are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from region.errors import ValidationError
from region.model import limits
from region.model.values import INVALID

Element = Mapping[str, str]


def key_names(elements: Iterable[Element]) -> list[str]:
    """Return the attribute names of a ``KeySchema``, in its order."""
    return [element["AttributeName"] for element in elements]


def check_table(request: Mapping[str, Any]) -> None:
    """Check ``AttributeDefinitions``, ``KeySchema`` and both lists of indexes of a CreateTable request."""
    definitions = request["AttributeDefinitions"]
    check_definitions(definitions)
    keys = request["KeySchema"]
    _check_key_schema(keys)
    defined = key_names(definitions)
    _check_defined(key_names(keys), defined)
    local = request.get("LocalSecondaryIndexes")
    global_ = request.get("GlobalSecondaryIndexes")
    _check_local_indexes(local, keys, defined)
    _check_global_indexes(global_, defined)
    indexes = [*(local or ()), *(global_ or ())]
    _check_unique([index["IndexName"] for index in indexes])
    check_projected(indexes)
    _check_used(keys, indexes, definitions)


def check_definitions(definitions: Sequence[Element]) -> None:
    """Refuse two definitions of one attribute."""
    names = key_names(definitions)
    if len(set(names)) != len(names):
        raise ValidationError("Cannot have two attributes with the same name")


def check_global_index(index: Mapping[str, Any], defined: Sequence[str]) -> None:
    """Check one global secondary index against the attributes that are defined."""
    check_global_keys(index["KeySchema"])
    names = key_names(index["KeySchema"])
    if any(name not in defined for name in names):
        _refuse_undefined(names, defined)
    check_projection(index["Projection"])


def check_global_keys(elements: Sequence[Element]) -> None:
    """Check the key schema of a global index: up to four HASH attributes, then up to four RANGE attributes."""
    kinds = [element["KeyType"] for element in elements]
    if kinds[0] != "HASH":
        raise ValidationError("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if kinds != sorted(kinds):
        raise ValidationError(
            "Invalid KeySchema: All HASH key attributes must precede RANGE key attributes in the KeySchema"
        )
    for kind, most in (("HASH", limits.INDEX_HASH_ATTRIBUTES_MAX), ("RANGE", limits.INDEX_RANGE_ATTRIBUTES_MAX)):
        if kinds.count(kind) > most:
            raise ValidationError(
                f"Invalid KeySchema: The KeySchema exceeds the maximum allowed number of {kind} key attributes"
            )
    _check_distinct(elements)


def check_projection(projection: Mapping[str, Any]) -> None:
    """Check that the projection's type and its attributes fit."""
    kind = projection.get("ProjectionType")
    names = projection.get("NonKeyAttributes")
    if kind is None:
        raise ValidationError(f"{INVALID}Unknown ProjectionType: null")
    if kind == "INCLUDE":
        if not names:
            raise ValidationError(f"{INVALID}ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
        if len(set(names)) != len(names):
            raise ValidationError(f"{INVALID}Duplicate attributes in NonKeyAttributes")
    elif names is not None:
        raise ValidationError(f"{INVALID}ProjectionType is {kind}, but NonKeyAttributes is specified")


def check_projected(indexes: Iterable[Mapping[str, Any]]) -> None:
    """Refuse more than 100 projected attributes over all indexes; one that two indexes name counts twice."""
    total = sum(len(index["Projection"].get("NonKeyAttributes") or ()) for index in indexes)
    if total > limits.PROJECTED_ATTRIBUTES_MAX:
        raise ValidationError(
            f"{INVALID}Number of NonKeyAttributes over all indexes exceeds per-table limit of "
            f"{limits.PROJECTED_ATTRIBUTES_MAX}"
        )


def _check_key_schema(elements: Sequence[Element]) -> None:
    if elements[0]["KeyType"] != "HASH":
        raise ValidationError("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if len(elements) > 1 and elements[1]["KeyType"] != "RANGE":
        raise ValidationError("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
    if len(elements) > 2:
        raise ValidationError(
            "Invalid KeySchema: The KeySchema exceeds the maximum allowed number of RANGE key attributes"
        )
    _check_distinct(elements)


def _check_distinct(elements: Sequence[Element]) -> None:
    names = key_names(elements)
    if len(set(names)) == len(names):
        return
    if len(names) == 2 and elements[1]["KeyType"] == "RANGE":
        raise ValidationError("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    raise ValidationError("Invalid KeySchema: Two KeySchemaElements have the same name")


def _check_defined(names: Sequence[str], defined: Sequence[str]) -> None:
    if any(name not in defined for name in names):
        _refuse_undefined(names, defined)


def _refuse_undefined(names: Sequence[str], defined: Sequence[str]) -> None:
    raise ValidationError(
        f"{INVALID}Some index key attributes are not defined in AttributeDefinitions. "
        f"Keys: [{', '.join(names)}], AttributeDefinitions: [{', '.join(defined)}]"
    )


def _check_local_indexes(
    indexes: Sequence[Mapping[str, Any]] | None, keys: Sequence[Element], defined: Sequence[str]
) -> None:
    if indexes is None:
        return
    if not indexes:
        raise ValidationError(f"{INVALID}List of LocalSecondaryIndexes is empty")
    if len(keys) < 2:
        raise ValidationError(
            f"{INVALID}Table KeySchema does not have a range key, which is required when specifying a "
            "LocalSecondaryIndex"
        )
    for index in indexes:
        name = index["IndexName"]
        elements = index["KeySchema"]
        _check_key_schema(elements)
        _check_defined(key_names(elements), defined)
        if len(elements) < 2:
            raise ValidationError(f"{INVALID}Index KeySchema does not have a range key for index: {name}")
        if elements[0]["AttributeName"] != keys[0]["AttributeName"]:
            raise ValidationError(
                f"{INVALID}Index KeySchema does not have the same leading hash key as table KeySchema for index: "
                f"{name}. index hash key: {elements[0]['AttributeName']}, table hash key: {keys[0]['AttributeName']}"
            )
        check_projection(index["Projection"])
    _check_unique([index["IndexName"] for index in indexes])
    if len(indexes) > limits.LOCAL_INDEXES_MAX:
        raise ValidationError(
            f"{INVALID}Number of LocalSecondaryIndexes exceeds per-table limit of {limits.LOCAL_INDEXES_MAX}"
        )


def _check_global_indexes(indexes: Sequence[Mapping[str, Any]] | None, defined: Sequence[str]) -> None:
    if indexes is None:
        return
    if not indexes:
        raise ValidationError(f"{INVALID}List of GlobalSecondaryIndexes is empty")
    for index in indexes:
        check_global_index(index, defined)
    _check_unique([index["IndexName"] for index in indexes])
    if len(indexes) > limits.GLOBAL_INDEXES_MAX:
        raise ValidationError(
            f"{INVALID}GlobalSecondaryIndex count exceeds the per-table limit of {limits.GLOBAL_INDEXES_MAX}"
        )


def _check_unique(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValidationError(f"{INVALID}Duplicate index name: {name}")
        seen.add(name)


def _check_used(keys: Sequence[Element], indexes: Sequence[Mapping[str, Any]], definitions: Sequence[Element]) -> None:
    """Refuse definitions of attributes that are no keys."""
    defined = key_names(definitions)
    used = list(dict.fromkeys([*key_names(keys), *(n for index in indexes for n in key_names(index["KeySchema"]))]))
    if len(used) == len(defined):
        return
    if indexes:
        raise ValidationError(
            f"{INVALID}Some AttributeDefinitions are not used. "
            f"AttributeDefinitions: [{', '.join(defined)}], keys used: [{', '.join(used)}]"
        )
    raise ValidationError(
        f"{INVALID}Number of attributes in KeySchema does not exactly match number of attributes defined in "
        "AttributeDefinitions"
    )
