"""What the grammars share: paths, operands and calls, and the complaints that wait for the syntax to be right.

What: a :class:`Parser` reads the parts that conditions, updates and projections have in common, and collects what can
be told from the text alone. AWS's order of complaints: syntax and redundant parentheses as they come, then from left to
right reserved words, functions that do not exist or do not belong there and list indexes out of range, then the number
of operators.

Invariants: parsing depends on the text alone, so that a tree can be cached by its text. Calls nest no deeper than the
number of operators allowed, so no text exhausts the interpreter's stack.

Source: AWS developer guide, "Condition and filter expressions, operators, and functions"; wording and precedence as
DynamoDB Local sends them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from region.errors import ValidationError
from region.expression import lexer
from region.expression.lexer import Tokens
from region.expression.reserved import RESERVED
from region.expression.syntax import Alias, Function, Operand, Parameter, Path
from region.model import limits

PREDICATES: Final = frozenset(("attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains"))
CONDITION_FUNCTIONS: Final = PREDICATES | {"size"}
UPDATE_FUNCTIONS: Final = frozenset(("if_not_exists", "list_append"))

_INDEX_MAX: Final = 2**31 - 1
_INDEX_DIGITS_MAX: Final = 10


Tree = TypeVar("Tree")


@dataclass(frozen=True, slots=True)
class Parsed(Generic[Tree]):
    """A syntax tree, and the placeholders in it, each once, in the order of the text."""

    tree: Tree
    aliases: tuple[str, ...]
    parameters: tuple[str, ...]


class Parser:
    """What the languages share: paths, placeholders, calls, and the complaints that wait for the syntax to be right."""

    def __init__(self, text: str, parameter: str, functions: frozenset[str]) -> None:
        self.tokens = Tokens(text, parameter)
        self.operators = 0
        self._prefix = lexer.prefix(parameter)
        self._functions = functions
        self._complaints: list[tuple[int, str]] = []
        # Dictionaries keep the order of the text and each placeholder once.
        self._aliases: dict[str, None] = {}
        self._parameters: dict[str, None] = {}

    def finish(self, tree: Tree) -> Parsed[Tree]:
        """Return the tree if the text is used up and nothing is wrong with it."""
        self.tokens.finish()
        if self._complaints:
            _, message = min(self._complaints, key=lambda complaint: complaint[0])
            raise ValidationError(self._prefix + message)
        if self.operators > limits.EXPRESSION_OPERATORS_MAX:
            self._refuse_operators()
        return Parsed(tree, tuple(self._aliases), tuple(self._parameters))

    def complain(self, position: int, message: str) -> None:
        """Note what is wrong at a position of the text; the leftmost complaint is raised when the syntax is right."""
        self._complaints.append((position, message))

    def path(self) -> Path:
        """Parse a document path."""
        tokens = self.tokens
        parts: list[str | int | Alias] = [self._name()]
        while True:
            if tokens.accept("."):
                parts.append(self._name())
            elif tokens.accept("["):
                parts.append(self._index())
                tokens.expect("]")
            else:
                return Path(tuple(parts))

    def operand(self, depth: int = 0) -> Operand:
        """Parse an operand, in parentheses or not."""
        tokens = self.tokens
        opened = 0
        while tokens.accept("("):
            opened += 1
        operand = self.bare_operand(depth)
        for _ in range(opened):
            tokens.expect(")")
        tokens.refuse_redundant(opened)
        return operand

    def bare_operand(self, depth: int = 0) -> Operand:
        """Parse a path, a value placeholder or a call."""
        tokens = self.tokens
        token = tokens.current
        if token.kind == lexer.PARAMETER:
            return self.parameter()
        if token.kind != lexer.NAME or tokens.following.text != "(":
            return self.path()
        # One call frame a level of nesting: an expression cannot exhaust the interpreter's stack.
        self.operators += 1
        if depth > limits.EXPRESSION_OPERATORS_MAX:
            self._refuse_operators()
        self._check_function(token.text, token.start)
        tokens.advance()
        tokens.expect("(")
        operands: list[Operand] = []
        while not operands or tokens.accept(","):
            start = tokens.current.start
            operand = self.operand(depth + 1)
            self.refuse(operand, PREDICATES | {"list_append"}, start)
            operands.append(operand)
        tokens.expect(")")
        return Function(token.text, tuple(operands))

    def parameter(self) -> Parameter:
        """Parse a value placeholder."""
        if self.tokens.current.kind != lexer.PARAMETER:
            self.tokens.fail()
        text = self.tokens.advance().text
        self._parameters[text] = None
        return Parameter(text)

    def refuse(self, term: object, functions: frozenset[str], position: int) -> None:
        """Complain if ``term`` is a call of one of ``functions``, which have no place there."""
        if isinstance(term, Function) and term.name in functions:
            self.complain(
                position,
                f"The function is not allowed to be used this way in an expression; function: {term.name}",
            )

    def _name(self) -> str | Alias:
        token = self.tokens.current
        if token.kind == lexer.ALIAS:
            self.tokens.advance()
            self._aliases[token.text] = None
            return Alias(token.text)
        if token.kind != lexer.NAME:
            self.tokens.fail()
        self.tokens.advance()
        if token.text.upper() in RESERVED:
            self.complain(token.start, f"Attribute name is a reserved keyword; reserved keyword: {token.text}")
        return token.text

    def _index(self) -> int:
        token = self.tokens.current
        if token.kind != lexer.INDEX:
            self.tokens.fail()
        self.tokens.advance()
        if len(token.text) > _INDEX_DIGITS_MAX or int(token.text) > _INDEX_MAX:
            self.complain(token.start, f"List index is not within the allowable range; index: [{token.text}]")
            return 0
        return int(token.text)

    def _check_function(self, name: str, position: int) -> None:
        if name in self._functions:
            return
        if name in UPDATE_FUNCTIONS:
            self.complain(position, f"The function is not allowed in a condition expression; function: {name}")
        elif name in CONDITION_FUNCTIONS:
            self.complain(position, f"The function is not allowed in an update expression; function: {name}")
        else:
            self.complain(position, f"Invalid function name; function: {name}")

    def _refuse_operators(self) -> None:
        raise ValidationError(
            f"{self._prefix}The expression contains too many operators; "
            f"operator count: {limits.EXPRESSION_OPERATORS_MAX + 1}"
        )
