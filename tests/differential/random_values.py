"""Random keys, values and items, from small pools, so that equal values, ties and overwrites happen often."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from compared_tables import Table

NUMBERS: Final = (
    "0",
    "1",
    "-1",
    "2",
    "10",
    "-10",
    "1.5",
    "-1.5",
    "0.001",
    "1e20",
    "-1e20",
    "123456789012345678901234567890",
    "1e-100",
    "99",
    "100",
    "-0.5",
    "9",
    "11",
    "1.0",
    "007",
    "1E125",
    "-1E-130",
)
STRINGS: Final = ("a", "b", "aa", "ab", "é", "\U0001f600", "a\x00", "a\x00b", "a\x01", "z", "￿", "A" * 40)
BINARIES: Final = ("AA==", "AAA=", "AQ==", "/w==", "//8=", "YQ==", "YQA=", "AP8=", "YWI=")
POOLS: Final = {"S": STRINGS, "N": NUMBERS, "B": BINARIES}
NAMES: Final = ("x", "y", "m", "z-1")
_ORDERS: Final[dict[str, Callable[[str], Any]]] = {"S": str.encode, "N": Decimal, "B": base64.b64decode}
BROKEN_VALUES: Final[tuple[Any, ...]] = (
    {"N": "abc"},
    {"N": ""},
    {"N": "1e126"},
    {"N": "1e-131"},
    {"N": "1" * 39},
    {"N": " 1"},
    {"N": "NaN"},
    {"N": "+1"},
    {"SS": []},
    {"NS": []},
    {"BS": []},
    {"SS": ["a", "a"]},
    {"NS": ["1", "1.0"]},
    {"BS": ["AA==", "AA=="]},
    {"NULL": False},
    {},
    {"S": "a", "N": "1"},
    {"NS": ["x"]},
    {"L": [{"N": "x"}]},
    {"M": {"a": {}}},
    {"M": {"": {"S": ""}}},
)


class Values:
    """Random values of one run."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._mistake = False

    def begin(self) -> None:
        """Begin a request; one in three may hold a mistake, and never a second one."""
        self._mistake = self.rng.random() < 0.35

    def slip(self, share: float = 0.3) -> bool:
        """Whether to make a mistake here. A second one would only compare which of the two is found first."""
        made = self._mistake and self.rng.random() < share
        self._mistake = self._mistake and not made
        return made

    def ordered(self, kind: str) -> list[dict[str, Any]]:
        """Return two values of a key's type, the lesser first, unless by mistake."""
        pair = [self.rng.choice(POOLS[kind]) for _ in range(2)]
        pair.sort(key=_ORDERS[kind], reverse=self.slip())
        return [{kind: value} for value in pair]

    def scalar(self, kind: str) -> dict[str, Any]:
        """Return a value of a key's type."""
        return {kind: self.rng.choice(POOLS[kind])}

    def key(self, table: Table) -> dict[str, Any]:
        """Return a primary key of a table."""
        hash_key, *rest = table.key
        kind = table.kinds[hash_key]
        key = {hash_key: {kind: self.rng.choice(POOLS[kind][:4])}}
        return {**key, **{name: self.scalar(table.kinds[name]) for name in rest}}

    def item(self, table: Table) -> dict[str, Any]:
        """Return an item of a table; attributes of its indexes are missing at times."""
        item = self.key(table)
        for name, kind in table.kinds.items():
            if name not in table.key and self.rng.random() < 0.7:
                item[name] = self.scalar(kind)
        for name in NAMES:
            if self.rng.random() < 0.6:
                item[name] = self.value()
        return item

    def value(self, depth: int = 0) -> dict[str, Any]:
        """Return a value of any type; documents nest two deep."""
        rng = self.rng
        kind = rng.choice(
            ("N", "N", "S", "S", "B", "BOOL", "NULL", "SS", "NS", "BS", "M", "M", "L")[: 13 - 3 * (depth > 1)]
        )
        match kind:
            case "N":
                return self.scalar("N")
            case "S" | "B":
                return {kind: rng.choice(("", *POOLS[kind]))}
            case "BOOL":
                return {kind: rng.random() < 0.5}
            case "NULL":
                return {kind: True}
            case "M":
                return {kind: {rng.choice("xyz"): self.value(depth + 1) for _ in range(rng.randrange(4))}}
            case "L":
                return {kind: [self.value(depth + 1) for _ in range(rng.randrange(4))]}
        pool = [member for member in POOLS[kind[0]] if member not in ("1.0", "007")]
        return {kind: rng.sample(pool, rng.randint(1, 3))}

    def broken(self) -> Any:
        """Return a value that DynamoDB refuses."""
        return self.rng.choice(BROKEN_VALUES)
