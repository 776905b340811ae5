"""Random expressions of every language, valid and invalid, with the placeholders that they use."""

from __future__ import annotations

import random
from typing import Any, Final

from broken_expressions import BROKEN_CONDITIONS, BROKEN_KEY_CONDITIONS, BROKEN_UPDATES
from compared_tables import Index, Table
from random_values import Values

PATHS: Final = ("x", "y", "m", "m.x", "m.y", "m.x.y", "y[0]", "x[1]", "m.z[0]", "y.x", "#z", "#z.x")
ALIASES: Final = {"#z": "z-1"}
COMPARATORS: Final = ("=", "<>", "<", "<=", ">", ">=")
TYPES: Final = ("S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M")


class Expressions:
    """The expressions of one request, and its placeholders."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._rng: random.Random = values.rng
        self._placeholders: dict[str, Any] = {}
        self._texts: list[str] = []

    def fields(self) -> dict[str, Any]:
        """Return the request's members for the placeholders that its expressions use; at times one too many."""
        said = " ".join(self._texts)
        names = {alias: name for alias, name in ALIASES.items() if alias in said}
        placeholders = {name: value for name, value in self._placeholders.items() if f"{name} " in f"{_spaced(said)} "}
        if self._values.slip(0.05):
            names["#unused"] = "unused"
        if self._values.slip(0.05):
            placeholders[":unused"] = {"S": "unused"}
        fields: dict[str, Any] = {}
        if names:
            fields["ExpressionAttributeNames"] = names
        if placeholders:
            fields["ExpressionAttributeValues"] = placeholders
        return fields

    def condition(self, table: Table) -> str:
        """Return a condition; by mistake, none."""
        return self._said(self._condition(table))

    def update(self, table: Table) -> str:
        """Return an update; by mistake, none."""
        return self._said(self._update(table))

    def key_condition(self, table: Table, index: Index) -> str:
        """Return a key condition on an index; by mistake, none."""
        return self._said(self._key_condition(table, index))

    def projection(self) -> str:
        """Return a projection; by mistake, none."""
        return self._said(self._projection())

    def _said(self, expression: str) -> str:
        self._texts.append(expression)
        return expression

    def place(self, value: Any) -> str:
        """Return a placeholder for a value."""
        name = f":v{len(self._placeholders)}"
        self._placeholders[name] = value
        return name

    def path(self, *more: str) -> str:
        """Return a document path."""
        return self._rng.choice((*PATHS, *more))

    def _condition(self, table: Table, depth: int = 0) -> str:
        rng = self._rng
        if depth == 0 and self._values.slip():
            return rng.choice(BROKEN_CONDITIONS)
        plain = [name for name in table.kinds if name not in table.key]
        kind = rng.randrange(14 if depth < 3 else 10)
        path = self.path(*plain)
        match kind:
            case 0 | 1 | 2:
                return self._compared(path)
            case 3:
                return f"attribute_exists({path})"
            case 4:
                return f"attribute_not_exists({path})"
            case 5:
                return f"contains({path}, {self.place(self._values.value(1))})"
            case 6:
                return f"size({path}) {rng.choice(COMPARATORS)} {self.place({'N': str(rng.randrange(5))})}"
            case 7:
                return (
                    f"attribute_type({path}, {self.place({'S': rng.choice(('X',) if self._values.slip() else TYPES)})})"
                )
            case 8:
                return f"{path} IN ({self.place(self._values.value(2))}, {self.place(self._values.value(2))})"
            case 9:
                return self._ranged(path)
            case 10:
                return f"({self._condition(table, depth + 1)}) AND {self._condition(table, depth + 1)}"
            case 11:
                return f"{self._condition(table, depth + 1)} OR ({self._condition(table, depth + 1)})"
            case 12:
                return f"NOT {self._condition(table, depth + 1)}"
        other = self.path(*plain)
        if other == path and not self._values.slip():
            return self._compared(path)
        return f"{path} {rng.choice(COMPARATORS)} {other}"

    def _compared(self, path: str) -> str:
        comparator = self._rng.choice(COMPARATORS)
        any_type = comparator in ("=", "<>") or self._values.slip()
        operand = self._values.value(2) if any_type else self._values.scalar(self._rng.choice("SNB"))
        return f"{path} {comparator} {self.place(operand)}"

    def _ranged(self, path: str) -> str:
        if self._rng.random() < 0.5:
            prefix = self._values.value(2) if self._values.slip() else self._values.scalar(self._rng.choice("SB"))
            return f"begins_with({path}, {self.place(prefix)})"
        low, high = self._values.ordered(self._rng.choice("SNB"))
        return f"{path} BETWEEN {self.place(low)} AND {self.place(high)}"

    def _update(self, table: Table) -> str:
        rng = self._rng
        if self._values.slip():
            return rng.choice(BROKEN_UPDATES)
        sections: dict[str, list[str]] = {"SET": [], "REMOVE": [], "ADD": [], "DELETE": []}
        plain = [name for name in table.kinds if name not in table.key]
        chosen = rng.sample((*PATHS, *plain), rng.randint(1, 3))
        if not self._values.slip():
            chosen = [name for name in chosen if not any(_overlap(name, other) for other in chosen if other != name)]
        for name in chosen or ["x"]:
            if name in plain:
                assigned = self.place(self._values.scalar(table.kinds[name]))
                sections["SET"].append(f"{name} = {assigned}")
                continue
            section = rng.choice(("SET", "SET", "SET", "REMOVE", "ADD", "DELETE"))
            sections[section].append(self._action(section, name))
        return " ".join(f"{word} {', '.join(actions)}" for word, actions in sections.items() if actions)

    def _action(self, section: str, path: str) -> str:
        rng = self._rng
        if section == "REMOVE":
            return path
        if section == "ADD":
            addend = rng.choice(({"N": "1"}, {"N": "1e30"}, {"SS": ["a", "q"]}, {"NS": ["1"]}))
            if self._values.slip():
                addend = self._values.value(2)
            return f"{path} {self.place(addend)}"
        if section == "DELETE":
            removed = rng.choice(({"SS": ["a", "b"]}, {"NS": ["1", "2"]}, {"BS": ["AA=="]}))
            if self._values.slip():
                removed = self._values.value(2)
            return f"{path} {self.place(removed)}"
        match rng.randrange(5):
            case 0 | 1:
                return f"{path} = {self.place(self._values.value())}"
            case 2:
                return f"{path} = if_not_exists({self.path()}, {self.place(self._values.value())})"
            case 3:
                return f"{path} = {self.path()} {rng.choice('+-')} {self.place(self._values.scalar('N'))}"
        appended = self._values.value(2) if self._values.slip() else {"L": [self._values.value(2)]}
        return f"{path} = list_append({self.path()}, {self.place(appended)})"

    def _key_condition(self, table: Table, index: Index) -> str:
        rng = self._rng
        if self._values.slip():
            return rng.choice(BROKEN_KEY_CONDITIONS)
        equal = self._values.key(table).get(index.hash_key) or self._values.scalar(table.kinds[index.hash_key])
        first = f"{index.hash_key} = {self.place(equal)}"
        name = index.range_key
        if name is None or rng.random() < 0.3:
            return first
        kind = table.kinds[name]
        pair = self._values.ordered(kind)
        low = self.place(pair[0])
        match rng.randrange(8 if kind != "N" or self._values.slip() else 6):
            case 5:
                second = f"{name} BETWEEN {low} AND {self.place(pair[1])}"
            case 6 | 7:
                second = f"begins_with({name}, {low})"
            case number:
                second = f"{name} {('=', '<', '<=', '>', '>=')[number]} {low}"
        return f"{first} AND {second}" if rng.random() < 0.9 else f"{second} AND {first}"

    def _projection(self) -> str:
        rng = self._rng
        if self._values.slip():
            return rng.choice(
                ("", ",", "x,", "x, x", "x, x.y", "x y", "size(x)", ":a", "#missing", "x[0], x", "name", "x[-1]")
            )
        chosen = list(dict.fromkeys(self.path("pk", "g", "absent") for _ in range(rng.randint(1, 3))))
        if not self._values.slip():
            chosen = [path for path in chosen if not any(_overlap(path, other) for other in chosen if other != path)]
        return ", ".join(chosen or ["x"])


def _spaced(text: str) -> str:
    """Return a text with spaces for its punctuation, so that whole placeholders can be found in it."""
    return text.translate(str.maketrans("(),", "   "))


def _overlap(path: str, other: str) -> bool:
    """Whether one document path leads through the other, or through a list where the other leads through a map."""
    shorter, longer = sorted((path, other), key=len)
    return (
        longer.startswith(shorter)
        or path.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0]
        == other.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0]
    )
