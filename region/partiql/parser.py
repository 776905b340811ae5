"""The grammar of statements: text to compiled statements, remembered by text.

What: recursive descent. What PartiQL has and DynamoDB has not (aliases, joins, GROUP BY, LIMIT, several tables, table
definitions) is recognised and refused by name, as DynamoDB does.

Invariants: parsing depends on the text alone. The only error is :class:`ValidationError`, whatever the text.

Source: AWS developer guide, "PartiQL select statements for DynamoDB" and its siblings for UPDATE, INSERT and DELETE;
wording as DynamoDB Local sends it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from region.errors import ValidationError
from region.expression.syntax import Action, ConditionTree, Path, Remove
from region.partiql import lexer, literals
from region.partiql.conditions import Conditions
from region.partiql.expressions import Expressions
from region.partiql.lexer import Tokens
from region.partiql.statements import Delete, Exists, Insert, Parsed, Select, Statement, Update
from region.partiql.terms import Call, Name, Operation, Struct, Wild, kind_of, located
from region.partiql.updates import Updates

CACHED_STATEMENTS: Final = 1024
CACHED_STATEMENT_MAX: Final = 2048

_CLAUSES: Final = ("limit", "offset", "having")
_JOINS: Final = frozenset((",", "join", "inner", "left", "right", "outer", "full", "cross"))
_RETURNING: Final = {
    ("all", "old"): "ALL_OLD",
    ("all", "new"): "ALL_NEW",
    ("modified", "old"): "UPDATED_OLD",
    ("modified", "new"): "UPDATED_NEW",
}
_EXISTS_ONLY: Final = "EXISTS can only be used in ExecuteTransaction write requests."


def parse(statement: str) -> Parsed:
    """Return a statement's compiled form.

    Raises:
        ValidationError: in DynamoDB's words.
    """
    return _parse_cached(statement) if len(statement) <= CACHED_STATEMENT_MAX else _parse(statement)


def _parse(text: str) -> Parsed:
    parser = _Parser(text)
    return Parsed(parser.statement(), parser.holes)


_parse_cached: Final = lru_cache(CACHED_STATEMENTS)(_parse)


class _Parser:
    """Parses one statement."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = Tokens(text)
        self._expressions = Expressions(self._tokens)
        self._conditions = Conditions(text)

    @property
    def holes(self) -> int:
        """How many parameters were met so far."""
        return self._expressions.holes

    def statement(self) -> Statement:
        """Parse the statement."""
        statement = self._statement()
        self._tokens.finish()
        return statement

    def _statement(self) -> Statement:
        tokens = self._tokens
        if tokens.accept("select"):
            return self._select()
        if tokens.accept("insert", "into"):
            return self._insert()
        if tokens.accept("update"):
            return self._update()
        if tokens.accept("delete", "from"):
            return self._delete()
        if tokens.accept("exists", "(", "select"):
            select = self._select()
            tokens.expect(")")
            return Exists(select)
        raise self._unsupported()

    def _unsupported(self) -> ValidationError:
        """Return the error of a statement that PartiQL has and DynamoDB has not, or that nobody has."""
        tokens = self._tokens
        for verb in ("create", "drop"):
            for thing in ("table", "index"):
                if tokens.at(verb, thing):
                    return ValidationError(f"Unsupported operation: {verb.title()}{thing.title()}")
        term = self._expressions.expression()
        tokens.finish()
        if isinstance(term, Operation | Call):
            return ValidationError(_EXISTS_ONLY)
        return ValidationError(f"Unsupported operation: {kind_of(term)}")

    def _select(self) -> Select:
        tokens = self._tokens
        if tokens.current.text in ("value", "pivot") and tokens.following.text not in ("from", ","):
            raise ValidationError("Select projection doesn't support value or pivot keywords")
        if tokens.accept("distinct"):
            raise ValidationError("Unsupported token in expression: DISTINCT")
        paths = () if tokens.accept("*") else self._projection()
        tokens.expect("from")
        table, index = self._source()
        if tokens.current.text in _JOINS and tokens.current.kind in (lexer.SYMBOL, lexer.KEYWORD):
            raise ValidationError("Only select from a single table or index is supported.")
        self._refuse_alias()
        where = self._where()
        if tokens.at("group"):
            raise ValidationError("Unsupported clause: GROUP BY")
        order = self._order()
        if order and where is None:
            raise ValidationError("Must have WHERE clause in the statement when using ORDER BY clause.")
        for clause in _CLAUSES:
            if tokens.current.text.lower() == clause and tokens.current.kind in (lexer.KEYWORD, lexer.NAME):
                tokens.advance()
                place = self._expressions.expression().place
                raise located(self._text, place, f"Unsupported clause: {clause.upper()}")
        return Select(table, index, paths, where, order)

    def _projection(self) -> tuple[Path, ...]:
        paths: list[Path] = []
        while True:
            term = self._expressions.expression()
            if isinstance(term, Wild):
                raise ValidationError("Changing item's hierarchy while reading isn't supported")
            if not isinstance(term, Name):
                raise located(self._text, term.place, "Unexpected path component")
            self._refuse_alias()
            paths.append(Path(term.parts))
            if not self._tokens.accept(","):
                return tuple(paths)

    def _order(self) -> tuple[tuple[str, bool], ...]:
        tokens = self._tokens
        if not tokens.accept("order", "by"):
            return ()
        order: list[tuple[str, bool]] = []
        while True:
            term = self._expressions.expression()
            if not isinstance(term, Name) or len(term.parts) > 1:
                kind = kind_of(term).upper()
                raise ValidationError(f"Argument to ORDER BY must be of type VariableReference. Type: {kind}")
            descending = tokens.accept("desc")
            if not descending:
                tokens.accept("asc")
            order.append((str(term.parts[0]), descending))
            if not tokens.accept(","):
                return tuple(order)

    def _insert(self) -> Insert:
        tokens = self._tokens
        table, index = self._source()
        if index is not None:
            raise ValidationError("FROM clause may only contain a single table name in data manipulation statements")
        if not tokens.accept("value"):
            if tokens.accept("values"):
                tokens.expect("(")
            elif not tokens.at("{") and not tokens.at("<<"):
                raise tokens.malformed()
            raise ValidationError("Unsupported operation: InsertOp")
        term = self._expressions.expression()
        if not isinstance(term, Struct):
            raise located(
                self._text,
                term.place,
                "Unsupported format in item expression. Please use struct format {...} to express item values for "
                "insert statement.",
            )
        if tokens.at("returning"):
            raise ValidationError("RETURNING is not supported in INSERT")
        return Insert(table, literals.item(self._text, term))

    def _update(self) -> Update:
        tokens = self._tokens
        table, index = self._source()
        self._refuse_alias()
        actions: list[Action] = []
        while True:
            if tokens.accept("set"):
                self._set(actions)
            elif tokens.accept("remove"):
                actions.append(Remove(self._target()))
            else:
                break
        if not actions:
            raise tokens.malformed()
        where = self._where()
        returning = self._returning()
        _refuse_index(index)
        return Update(table, tuple(actions), where, returning)

    def _set(self, actions: list[Action]) -> None:
        updates = Updates(self._text)
        while True:
            path = self._target()
            self._tokens.expect("=")
            actions.append(updates.assignment(path, self._expressions.expression()))
            if not self._tokens.accept(","):
                return

    def _target(self) -> Path:
        path = self._expressions.path()
        if isinstance(path, Wild):
            raise located(self._text, path.place, "Unpivot path component like a.*.b are not supported")
        return Path(path.parts)

    def _delete(self) -> Delete:
        table, index = self._source()
        self._refuse_alias()
        where = self._where()
        returning = self._returning()
        if returning not in (None, "ALL_OLD"):
            words = " ".join(next(words for words, value in _RETURNING.items() if value == returning)).upper()
            raise ValidationError(
                f"Invalid returning clause: RETURNING {words} *. "
                "Only RETURNING ALL OLD * is allowed in DELETE statements."
            )
        _refuse_index(index)
        return Delete(table, where, returning)

    def _where(self) -> ConditionTree | None:
        if not self._tokens.accept("where"):
            return None
        return self._conditions.condition(self._expressions.expression())

    def _returning(self) -> str | None:
        tokens = self._tokens
        if not tokens.accept("returning"):
            return None
        words = (tokens.advance().text, tokens.advance().text)
        if words not in _RETURNING:
            raise tokens.malformed()
        if not tokens.accept("*"):
            if tokens.current.kind in (lexer.NAME, lexer.QUOTED):
                raise ValidationError("Expected '*' after ( MODIFIED | ALL ) ( NEW | OLD ) in RETURNING clause")
            raise tokens.malformed()
        if tokens.at(","):
            raise ValidationError("Invalid syntax with multiple returning elements in RETURNING clause")
        return _RETURNING[words]

    def _source(self) -> tuple[str, str | None]:
        """Parse a table's name and perhaps an index's."""
        if self._tokens.current.kind not in (lexer.NAME, lexer.QUOTED):
            if self._tokens.current.kind in (lexer.STRING, lexer.NUMBER) or self._tokens.current.text in ("?", "["):
                raise ValidationError("Unexpected from source")
            raise self._tokens.malformed()
        path = self._expressions.path()
        if self._tokens.at("-"):
            raise ValidationError("Unexpected from source")
        names = [] if isinstance(path, Wild) else [part for part in path.parts if isinstance(part, str)]
        if isinstance(path, Wild) or len(names) != len(path.parts):
            raise ValidationError("Unexpected from source")
        if len(names) > 2:
            raise ValidationError("A path may contain at most 2 components in the FROM clause")
        return names[0], names[1] if len(names) == 2 else None

    def _refuse_alias(self) -> None:
        tokens = self._tokens
        if tokens.accept("as"):
            if tokens.advance().kind not in (lexer.NAME, lexer.QUOTED):
                raise tokens.malformed()
        elif tokens.current.kind == lexer.QUOTED or (
            tokens.current.kind == lexer.NAME and tokens.current.text.lower() not in _CLAUSES
        ):
            tokens.advance()
        else:
            return
        raise ValidationError("Aliasing is not supported")


def _refuse_index(index: str | None) -> None:
    if index is not None:
        raise ValidationError("This operation is not supported on an index")
