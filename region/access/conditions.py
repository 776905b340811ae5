"""The ``Condition`` element of a statement: which operators hold of which keys of a request.

What: every operator of the element, and every key under it, must hold. ``ForAllValues:`` and ``ForAnyValue:`` say how
many of a key's values must, ``…IfExists`` that a missing key will do, ``Null`` asks for no more than whether there is
a key.

Invariants: where IAM leaves a case open, it is decided against the one who asks. Several values under an operator
without ``ForAllValues`` or ``ForAnyValue`` must all hold for an Allow, and one is enough for a Deny; a negated
operator with a variable that has no value holds for a Deny and not for an Allow.

Source: AWS IAM user guide, "IAM JSON policy elements: Condition operators", "Creating a condition that tests multiple
key values (set operations)".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from region.access import operators
from region.access.operators import Equals
from region.access.pattern import Lookup

ALL: Final = "forallvalues"
ANY: Final = "foranyvalue"
_IF_EXISTS: Final = "ifexists"
_NULL: Final = "null"


class Test(NamedTuple):
    """One key of one operator."""

    key: str
    equals: Equals
    negated: bool
    quantifier: str
    if_exists: bool

    def holds(self, lookup: Lookup, *, denying: bool) -> bool:
        """Whether the key of a request passes."""
        values = lookup(self.key)
        if not values:
            if self.quantifier == ALL or self.if_exists:
                return True
            return self.negated and self.quantifier != ANY
        found = [self._passes(self.equals(value, lookup), denying=denying) for value in values]
        if self.quantifier == ANY or (denying and self.quantifier != ALL):
            return any(found)
        return all(found)

    def _passes(self, equal: bool | None, *, denying: bool) -> bool:
        if equal is None:
            return self.negated and denying
        return equal != self.negated


class NullTest(NamedTuple):
    """Whether a key is absent, or present."""

    key: str
    absent: bool

    def holds(self, lookup: Lookup, *, denying: bool) -> bool:
        """Whether the request has the key, or lacks it, as is wanted."""
        return (not lookup(self.key)) == self.absent


Tests = tuple[Test | NullTest, ...]


def compile_conditions(condition: Any, *, variables: bool) -> Tests:
    """Return the tests of a ``Condition`` element.

    Raises:
        ValueError: it is none; the message says why.
    """
    if not isinstance(condition, Mapping):
        raise ValueError("Condition is not an object")
    tests: list[Test | NullTest] = []
    for name, keys in condition.items():
        if not isinstance(keys, Mapping):
            raise ValueError(f"Condition {name} is not an object")
        for key, given in keys.items():
            tests.append(_test(name, str(key).lower(), _values(name, given), variables=variables))
    return tuple(tests)


def _test(name: str, key: str, values: list[str], *, variables: bool) -> Test | NullTest:
    quantifier, colon, rest = name.partition(":")
    if not colon:
        quantifier, rest = "", name
    lowered, kind = quantifier.lower(), rest.lower()
    if lowered not in ("", ALL, ANY):
        raise ValueError(f"Invalid Condition type : {name}")
    if kind == _NULL and not lowered:
        wanted = {operators.truth(value) for value in values}
        if len(wanted) != 1:
            raise ValueError(f"Condition {name} of {key} is neither true nor false")
        return NullTest(key, wanted.pop())
    if_exists = kind.endswith(_IF_EXISTS)
    found = operators.operator(kind.removesuffix(_IF_EXISTS), values, variables=variables)
    if found is None:
        raise ValueError(f"Invalid Condition type : {name}")
    return Test(key, found.equals, found.negated, lowered, if_exists)


def _values(name: str, given: Any) -> list[str]:
    """Return the values of a key as texts: policies may give numbers and booleans as such."""
    values = given if isinstance(given, list) else [given]
    texts: list[str] = []
    for value in values:
        if isinstance(value, bool):
            texts.append("true" if value else "false")
        elif isinstance(value, str | int | float):
            texts.append(str(value))
        else:
            raise ValueError(f"Condition {name} has a value that is neither text, number nor boolean")
    return texts
