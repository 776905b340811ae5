"""What an update that cannot be done complains of: first that an action's path has no place, then of its operands."""

from typing import Any

import pytest

from region.errors import ValidationError
from region.expression import Placeholders, update

NO_PLACE = "The document path provided in the update expression is invalid for update"
ABSENT = "The provided expression refers to an attribute that does not exist in the item"
WRONG = "An operand in the update expression has an incorrect data type"
ITEM: dict[str, Any] = {"s": {"S": "x"}, "m": {"M": {}}, "l": {"L": []}}
VALUES: dict[str, Any] = {":one": {"N": "1"}}


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("SET q.y = nope + :one", NO_PLACE),
        ("SET s.y = s.z + :one", NO_PLACE),
        ("SET q[0] = s + :one", NO_PLACE),
        ("SET l.y = nope + :one", NO_PLACE),
        ("SET m.y = nope + :one", ABSENT),
        ("SET l[0] = nope + :one", ABSENT),
        ("SET m.y = s + :one", WRONG),
        ("SET m.y = :one, x = nope + :one", ABSENT),
    ],
)
def test_a_path_without_a_place_is_complained_of_before_the_operands(expression: str, complaint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        update(expression, Placeholders(None, VALUES)).apply(ITEM, {})
    assert caught.value.message == complaint
