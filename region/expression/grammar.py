"""The grammars of conditions, updates and projections: text to syntax tree.

What: recursive descent over the tokens, with groups of conditions kept on a list instead of the stack. Conditions are
one grammar for condition, filter and key condition expressions.

Invariants: a tree depends on the text alone. Every error is a :class:`ValidationError` in AWS's words, whatever the
text; for their order see ``region.expression.parser``.

Source: AWS developer guide, "Condition and filter expressions, operators, and functions", "Using update expressions",
"Using projection expressions"; precedence and wording as DynamoDB Local sends them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from region.expression import lexer
from region.expression.parser import CONDITION_FUNCTIONS, PREDICATES, UPDATE_FUNCTIONS, Parsed, Parser
from region.expression.syntax import (
    Action,
    Add,
    Arithmetic,
    Between,
    Comparison,
    ConditionTree,
    Delete,
    Function,
    In,
    Not,
    Operand,
    Path,
    Remove,
    Set,
    conjunction,
    disjunction,
)

COMPARATORS: Final = frozenset(("=", "<>", "<", "<=", ">", ">="))
SECTIONS: Final = ("SET", "REMOVE", "ADD", "DELETE")


def parse_condition(text: str, parameter: str) -> Parsed[ConditionTree]:
    """Parse a condition, filter or key condition expression; ``parameter`` is its name in the request.

    Raises:
        ValidationError: in AWS's words.
    """
    parser = Parser(text, parameter, CONDITION_FUNCTIONS)
    return parser.finish(_ConditionGrammar(parser).parse())


def parse_update(text: str) -> Parsed[tuple[Action, ...]]:
    """Parse an update expression into its actions, in the order of the text.

    Raises:
        ValidationError: in AWS's words.
    """
    parser = Parser(text, "UpdateExpression", UPDATE_FUNCTIONS)
    actions: list[Action] = []
    sections: list[str] = []
    while not sections or parser.tokens.current.kind != lexer.END:
        sections.append(_parse_section(parser, actions))
    repeated = next((section for i, section in enumerate(sections) if section in sections[:i]), None)
    if repeated:
        parser.complain(len(text), f'The "{repeated}" section can only be used once in an update expression;')
    return parser.finish(tuple(actions))


def parse_projection(text: str) -> Parsed[tuple[Path, ...]]:
    """Parse a projection expression into its document paths.

    Raises:
        ValidationError: in AWS's words.
    """
    parser = Parser(text, "ProjectionExpression", frozenset())
    paths = [parser.path()]
    while parser.tokens.accept(","):
        paths.append(parser.path())
    return parser.finish(tuple(paths))


def _parse_section(parser: Parser, actions: list[Action]) -> str:
    """Parse one section of an update, add its actions, and return its keyword."""
    tokens = parser.tokens
    section = next((keyword for keyword in SECTIONS if tokens.accept(keyword)), None)
    if section is None:
        tokens.fail()
    while True:
        path = parser.path()
        if section == "SET":
            tokens.expect("=")
            actions.append(Set(path, _parse_value(parser)))
        elif section == "REMOVE":
            actions.append(Remove(path))
        elif section == "ADD":
            actions.append(Add(path, parser.parameter()))
        else:
            actions.append(Delete(path, parser.parameter()))
        if not tokens.accept(","):
            return section


def _parse_value(parser: Parser) -> Operand | Arithmetic:
    """Parse the right-hand side of a SET action: one operand, or the sum or difference of two."""
    tokens = parser.tokens
    opened = 0
    while tokens.accept("("):
        opened += 1
    start = tokens.current.start
    left = parser.bare_operand()
    closed = 0
    while closed < opened and tokens.accept(")"):
        closed += 1
    if not (tokens.at("+") or tokens.at("-")):
        if closed < opened:
            tokens.fail()
        tokens.refuse_redundant(opened)
        return left
    tokens.refuse_redundant(closed)
    parser.operators += 1
    operator = tokens.advance().text
    parser.refuse(left, UPDATE_FUNCTIONS - {"if_not_exists"}, start)
    start = tokens.current.start
    right = parser.operand()
    parser.refuse(right, UPDATE_FUNCTIONS - {"if_not_exists"}, start)
    for _ in range(opened - closed):
        tokens.expect(")")
    tokens.refuse_redundant(opened - closed)
    return Arithmetic(operator, left, right)


@dataclass(slots=True)
class _Group:
    """What was read so far between two parentheses: alternatives, each a list of what must hold together."""

    alternatives: list[list[ConditionTree]] = field(default_factory=lambda: [[]])
    negations: int = 0
    grouped: bool = False

    @property
    def bare(self) -> bool:
        """Whether nothing was read yet."""
        return not self.negations and self.alternatives == [[]]

    def take(self, term: ConditionTree, *, grouped: bool) -> None:
        """Take the next condition, negated as often as NOT stood before it."""
        self.grouped = grouped and self.bare
        for _ in range(self.negations):
            term = Not(term)
        self.negations = 0
        self.alternatives[-1].append(term)

    def build(self) -> ConditionTree:
        """Return the condition that was read."""
        return disjunction(tuple(conjunction(tuple(parts)) for parts in self.alternatives))


class _ConditionGrammar:
    """The grammar of conditions: OR below AND below NOT below comparisons; groups on a list instead of the stack."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._tokens = parser.tokens
        self._groups = [_Group()]

    def parse(self) -> ConditionTree:
        """Parse a whole condition."""
        parser, tokens, groups = self._parser, self._tokens, self._groups
        while True:
            while tokens.accept("NOT"):
                groups[-1].negations += 1
                parser.operators += 1
            if tokens.accept("("):
                groups.append(_Group())
                continue
            term, grouped = self._comparison()
            groups[-1].take(term, grouped=grouped)
            while not self._connective():
                if len(groups) == 1:
                    return groups[0].build()
                # What follows a condition in a group is a connective or the group's end.
                tokens.expect(")")
                group = groups.pop()
                tokens.refuse_redundant(1 + group.grouped)
                groups[-1].take(group.build(), grouped=True)

    def _connective(self) -> bool:
        """Step over AND or OR, if it is there, and make room for what it connects to."""
        group = self._groups[-1]
        if self._tokens.accept("AND"):
            group.grouped = False
        elif self._tokens.accept("OR"):
            group.grouped = False
            group.alternatives.append([])
        else:
            return False
        self._parser.operators += 1
        return True

    def _comparison(self) -> tuple[ConditionTree, bool]:
        """Parse a comparison or a call, and say whether it is a call that stood in parentheses."""
        parser, tokens = self._parser, self._tokens
        start = tokens.current.start
        operand = parser.bare_operand()
        # What was taken for groups of conditions were parentheses around this operand.
        closed = 0
        while len(self._groups) > 1 and self._groups[-1].bare and tokens.accept(")"):
            self._groups.pop()
            closed += 1
        tokens.refuse_redundant(closed)
        term = self._after(operand)
        if term is None:
            if not isinstance(operand, Function):
                tokens.fail()
            parser.refuse(operand, CONDITION_FUNCTIONS - PREDICATES, start)
            return operand, closed > 0
        parser.refuse(operand, PREDICATES, start)
        parser.operators += 1
        return term, False

    def _after(self, operand: Operand) -> ConditionTree | None:
        """Parse the comparison that ``operand`` begins, if it does."""
        tokens = self._tokens
        if tokens.current.text in COMPARATORS:
            operator = tokens.advance().text
            return Comparison(operator, operand, self._right())
        if tokens.accept("BETWEEN"):
            lower = self._right()
            tokens.expect("AND")
            return Between(operand, lower, self._right())
        if tokens.accept("IN"):
            tokens.expect("(")
            candidates = [self._right()]
            while tokens.accept(","):
                candidates.append(self._right())
            tokens.expect(")")
            return In(operand, tuple(candidates))
        return None

    def _right(self) -> Operand:
        start = self._tokens.current.start
        operand = self._parser.operand()
        self._parser.refuse(operand, PREDICATES, start)
        return operand
