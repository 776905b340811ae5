"""What the tables of AWS's error sentences share: the sentences' common parts, and how a refusal is caught."""

from collections.abc import Callable

import pytest

from region.errors import ValidationError

WRONG_TYPE = "Incorrect operand type for operator or function; operator or function: "
WRONG_COUNT = "Incorrect number of operands for operator or function; operator or function: "
MISUSED = "The function is not allowed to be used this way in an expression; function: "
SAME = "The first operand must be distinct from the remaining operands for this operator or function; operator: "
NEEDS_PATH = "Operator or function requires a document path; operator or function: "
NO_NAME = "An expression attribute name used in the document path is not defined; attribute name: "
NO_VALUE = "An expression attribute value used in expression is not defined; attribute value: "
RESERVED_WORD = "Attribute name is a reserved keyword; reserved keyword: "
TYPES = "{N,BS,L,B,NULL,M,S,SS,NS,BOOL}"
TOO_MANY = "The expression contains too many operators; operator count: 301"
REDUNDANT = "The expression has redundant parentheses;"


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(ValidationError) as caught:
        action()
    return caught.value.message


def syntax(token: str, near: str) -> str:
    return f'Syntax error; token: "{token}", near: "{near}"'


def overlap(one: str, two: str, problem: str = "overlap") -> str:
    return (
        f"Two document paths {problem} with each other; must remove or rewrite one of these paths; "
        f"path one: {one}, path two: {two}"
    )
