"""A PartiQL statement of a request with its parameters: parsed, counted, and brought to canonical form.

Hazard: the parameters are normalised in place.

Source: AWS API reference, "ExecuteStatement"; wording as DynamoDB Local sends it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from region.errors import DynamoError, ValidationError
from region.expression import Condition, Placeholders, condition_of
from region.expression.syntax import ConditionTree
from region.model import values
from region.model.table import Table
from region.model.values import AttributeValue
from region.operation.context import Context
from region.partiql import Select, Statement, parse

WRONG_COUNT: Final = "Number of parameters in request and statement don't match."
_PREFIX: Final = re.compile(r"Invalid \w+: ")
_TABLE_NAME: Final = re.compile(r"arn:.*|[a-zA-Z0-9_.-]{3,255}")


@dataclass(frozen=True, slots=True)
class Bound:
    """A statement and the values of its parameters; ``request`` is what it came in."""

    request: Mapping[str, Any]
    statement: Statement
    values: Mapping[str, AttributeValue]

    @property
    def placeholders(self) -> Placeholders:
        """The parameters as the expression language takes them."""
        placeholders = Placeholders(None, None)
        placeholders.values = self.values
        return placeholders


def normalise_parameters(request: Mapping[str, Any]) -> None:
    """Bring the parameters of a statement to canonical form.

    Raises:
        ValidationError: one is no value.
        MalformedValueError: one has the wrong JSON type.
    """
    for parameter in request.get("Parameters") or ():
        values.normalise(parameter)


def bind(request: Mapping[str, Any]) -> Bound:
    """Parse the statement of a request, whose parameters are canonical, and number them.

    Raises:
        ValidationError: the statement is none, or takes another number of parameters.
    """
    parsed = parse(request["Statement"])
    parameters = request.get("Parameters") or ()
    if len(parameters) != parsed.holes:
        raise ValidationError(WRONG_COUNT)
    return Bound(request, parsed.statement, {f":{number}": value for number, value in enumerate(parameters)})


def writes(request: Mapping[str, Any]) -> bool:
    """Whether a request's statement needs the writer; what is not understood does not."""
    try:
        return not isinstance(parse(request["Statement"]).statement, Select)
    except DynamoError:
        return False


def table_of(context: Context, name: str) -> Table:
    """Return the table that a statement names.

    Raises:
        ValidationError: the name cannot be a table's.
        ResourceNotFoundError: there is no such table.
    """
    if not _TABLE_NAME.fullmatch(name):
        raise ValidationError(
            "Table name should be within the length [3, 255] and only contain 'a-z', 'A-Z', '0-9', '-', '_', '.'."
        )
    return context.table(name)


def compile_condition(bound: Bound, tree: ConditionTree) -> Condition:
    """Compile a condition of a statement.

    Raises:
        ValidationError: it cannot be evaluated.
    """
    with plain_words():
        return condition_of(tree, placeholders=bound.placeholders)


@contextmanager
def plain_words() -> Iterator[None]:
    """Take off errors what they say of the request's parameter: a statement has no ConditionExpression."""
    try:
        yield
    except ValidationError as error:
        raise ValidationError(_PREFIX.sub("", error.message, count=1)) from None
