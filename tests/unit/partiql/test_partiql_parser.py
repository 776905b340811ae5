"""What the grammar of PartiQL takes, what it makes of it, and in which words it refuses the rest."""

import pytest

from region.errors import ValidationError
from region.expression.syntax import (
    Add,
    And,
    Arithmetic,
    Between,
    Comparison,
    Delete,
    Function,
    In,
    Literal,
    Not,
    Or,
    Parameter,
    Path,
    Remove,
    Set,
)
from region.partiql import Delete as DeleteStatement
from region.partiql import Exists, Insert, Select, Update, parse

TOO_DEEP = (
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
)
MALFORMED = "Statement wasn't well formed, can't be processed: "


def s(text: str) -> Literal:
    return Literal({"S": text})


def n(number: int) -> Literal:
    return Literal({"N": str(number)})


A, B = Path(("a",)), Path(("b",))


@pytest.mark.parametrize(
    ("clause", "tree"),
    [
        ("a = 1", Comparison("=", A, n(1))),
        ("a != 1", Comparison("<>", A, n(1))),
        ("1 < a", Comparison("<", n(1), A)),
        ("\"a\" = 'it''s'", Comparison("=", A, s("it's"))),
        ("a.b[0].\"c d\"['e'] = b", Comparison("=", Path(("a", "b", 0, "c d", "e")), B)),
        ("a = ? AND b = ?", And((Comparison("=", A, Parameter(":0")), Comparison("=", B, Parameter(":1"))))),
        (
            "a=1 and b=2 or not a=3",
            Or((And((Comparison("=", A, n(1)), Comparison("=", B, n(2)))), Not(Comparison("=", A, n(3))))),
        ),
        ("a BETWEEN 1 AND 2 AND b=1", And((Between(A, n(1), n(2)), Comparison("=", B, n(1))))),
        ("a NOT BETWEEN 1 AND 2", Not(Between(A, n(1), n(2)))),
        ("a IN [1, 2]", In(A, (n(1), n(2)))),
        ("a IN (1)", In(A, (n(1),))),
        ("a NOT IN <<1>>", Not(In(A, (n(1),)))),
        ("a IS MISSING", Function("attribute_not_exists", (A,))),
        ("a IS NOT MISSING", Not(Function("attribute_not_exists", (A,)))),
        ("a IS NULL", Comparison("=", A, Literal({"NULL": True}))),
        ("a IS STRING", Function("attribute_type", (A, s("S")))),
        ("BEGINS_WITH(a, 'x')", Function("begins_with", (A, s("x")))),
        ("contains(a, 'x') = false", Not(Function("contains", (A, s("x"))))),
        ("size(a) >= 2", Comparison(">=", Function("size", (A,)), n(2))),
        ("a = -1.50e1", Comparison("=", A, n(-15))),
        ("a = [true, null, {'b': <<2, 1>>}]", None),
        ("a = 1 -- the rest of the line\n AND b = 2", And((Comparison("=", A, n(1)), Comparison("=", B, n(2))))),
        ("((a = /* one */ 1))", Comparison("=", A, n(1))),
    ],
)
def test_a_where_clause_becomes_a_condition(clause: str, tree: object) -> None:
    statement = parse(f"SELECT * FROM t WHERE {clause}").statement
    assert isinstance(statement, Select)
    if tree is None:
        value = {"L": [{"BOOL": True}, {"NULL": True}, {"M": {"b": {"NS": ["1", "2"]}}}]}
        tree = Comparison("=", A, Literal(value))
    assert statement.where == tree


def test_select_lists_sources_and_orders_are_read() -> None:
    statement = parse('select a, b.c[1] from "my-table"."my.index" where a = 1 order by a desc, b;').statement
    assert statement == Select(
        "my-table",
        "my.index",
        (A, Path(("b", "c", 1))),
        Comparison("=", A, n(1)),
        (("a", True), ("b", False)),
    )


def test_insert_update_delete_and_exists_are_read() -> None:
    assert parse("INSERT INTO t VALUE {'a': 1, 'b': ?}").statement == Insert("t", (("a", n(1)), ("b", Parameter(":0"))))
    assert parse(
        "UPDATE t SET a = a + 1, b = list_append(b, [1]) SET c = set_add(c, <<'x'>>) REMOVE d[0] "
        "SET e = set_delete(e, ?) WHERE a = ? RETURNING MODIFIED NEW *"
    ).statement == Update(
        "t",
        (
            Set(A, Arithmetic("+", A, n(1))),
            Set(B, Function("list_append", (B, Literal({"L": [{"N": "1"}]})))),
            Add(Path(("c",)), Literal({"SS": ["x"]})),
            Remove(Path(("d", 0))),
            Delete(Path(("e",)), Parameter(":0")),
        ),
        Comparison("=", A, Parameter(":1")),
        "UPDATED_NEW",
    )
    where = Comparison("=", A, n(1))
    assert parse("DELETE FROM t WHERE a = 1 RETURNING ALL OLD *").statement == DeleteStatement("t", where, "ALL_OLD")
    assert parse("EXISTS(SELECT * FROM t WHERE a = 1)").statement == Exists(Select("t", None, (), where, ()))


def test_the_same_text_is_parsed_once() -> None:
    assert parse("SELECT * FROM once") is parse("SELECT * FROM once")


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "   ",
        "SELECT",
        "SELEC * FROM t",
        "SELECT * FROM",
        "SELECT * FROM t WHERE",
        "SELECT * FROM t WHERE a =",
        "SELECT * FROM t WHERE a = 'x",
        "SELECT * FROM t WHERE (a = 1",
        "SELECT * FROM t WHERE a = 1)",
        "SELECT * FROM t;;",
        "SELECT *, a FROM t",
        "SELECT date FROM t",
        "SELECT a.value FROM t",
        "SELECT value FROM t",
        "SELECT * FROM t RETURNING ALL OLD *",
        "SELECT * FROM t WHERE a IS 1",
        "INSERT INTO t VALUES {'a': 1}",
        "INSERT INTO t VALUE {'a': 1} ON CONFLICT DO NOTHING",
        "UPDATE t WHERE a = 1",
        "UPDATE t SET a WHERE a = 1",
        "UPDATE t REMOVE a, b WHERE a = 1",
        "UPDATE t ADD a 1 WHERE a = 1",
        "UPDATE t SET a = 1 WHERE a = 1 RETURNING ALL FOO *",
        "DELETE * FROM t",
        "EXISTS(UPDATE t SET a = 1 WHERE a = 1)",
        "SELECT * FROM t WHERE " + "(" * 100 + "a = 1" + ")" * 100,
        "SELECT * FROM t WHERE " + "NOT " * 1000 + "a = 1",
    ],
)
def test_a_statement_that_is_not_well_formed_is_quoted(statement: str) -> None:
    with pytest.raises(ValidationError) as raised:
        parse(statement)
    assert raised.value.message == MALFORMED + statement


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT a AS b FROM t", "Aliasing is not supported"),
        ("SELECT * FROM t x", "Aliasing is not supported"),
        ("UPDATE t AS x SET a = 1", "Aliasing is not supported"),
        ("SELECT VALUE a FROM t", "Select projection doesn't support value or pivot keywords"),
        ("SELECT DISTINCT a FROM t", "Unsupported token in expression: DISTINCT"),
        ("SELECT size(a) FROM t", "Unexpected path component at 1:8:4"),
        ("SELECT a+1 FROM t", "Unexpected path component at 1:9:1"),
        ("SELECT\n  count(*) FROM t", "Unexpected path component at 2:3:5"),
        ("SELECT a.* FROM t", "Changing item's hierarchy while reading isn't supported"),
        ("SELECT a[-1] FROM t", "List index is not within the allowable range; index: [-1] at 1:10:1"),
        ('SELECT "" FROM t', "Path component cannot be an empty string"),
        ("SELECT * FROM t, u", "Only select from a single table or index is supported."),
        ("SELECT * FROM t JOIN u ON a = b", "Only select from a single table or index is supported."),
        ("SELECT * FROM t.u.v", "A path may contain at most 2 components in the FROM clause"),
        ("SELECT * FROM 't'", "Unexpected from source"),
        ("SELECT * FROM a-b", "Unexpected from source"),
        ("SELECT * FROM t GROUP BY a", "Unsupported clause: GROUP BY"),
        ("SELECT * FROM t WHERE a=1 LIMIT 1", "Unsupported clause: LIMIT at 1:33:1"),
        ("SELECT * FROM t ORDER BY a", "Must have WHERE clause in the statement when using ORDER BY clause."),
        (
            "SELECT * FROM t WHERE a=1 ORDER BY a.b",
            "Argument to ORDER BY must be of type VariableReference. Type: PATH",
        ),
        ("SELECT * FROM t WHERE a", "WHERE clause must contain an expression that resolves to a boolean"),
        ("SELECT * FROM t WHERE size(a)", "WHERE clause must contain an expression that resolves to a boolean"),
        ("SELECT * FROM t WHERE a = 1 + 1", "Unsupported operator in Condition Expression. Operator: +"),
        ("SELECT * FROM t WHERE a LIKE 'x'", "Unsupported operator in Condition Expression. Operator: like"),
        ("SELECT * FROM t WHERE a = MISSING", "MISSING must be compared using IS operator"),
        ("SELECT * FROM t WHERE nofunc(a)", "Unrecognized function: nofunc"),
        ("SELECT * FROM t WHERE count(a) = 1", "Unsupported token in expression: count at 1:23:5"),
        ("SELECT * FROM t WHERE EXISTS(SELECT * FROM t)", "Unsupported token in expression: SELECT at 1:30:6"),
        (
            "SELECT * FROM t WHERE if_not_exists(a, 1) = 1",
            "The function is not allowed in a condition expression; function: if_not_exists",
        ),
        (
            "SELECT * FROM t WHERE a IN 'x'",
            "IN operator must have a left hand argument of type Variable Reference and right hand argument of type Seq "
            "with at least one member",
        ),
        ("SELECT * FROM t WHERE a.*.b = 1", "Unpivot path component like a.*.b are not supported at 1:25:1"),
        ("SELECT * FROM t WHERE a = `x`", "Ion Literals are not supported: SYMBOL under key root at 1:27:3"),
        ("SELECT * FROM t WHERE a = <<>>", "Empty bags are not supported at 1:27:2"),
        (
            "SELECT * FROM t WHERE a = <<'x',1>>",
            "Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags at 1:33:1",
        ),
        ("SELECT * FROM t WHERE a = <<1,1.0>>", "Input collection contains duplicates"),
        (f"SELECT * FROM t WHERE a = {'1' * 39}", "DynamoDB only supports precision up to 38 digits"),
        (
            "SELECT * FROM t WHERE a = 1e126",
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        (
            "SELECT * FROM t WHERE a = " + "[" * 40 + "]" * 40,
            "Nesting Levels have exceeded supported limits: "
            "Attributes in the item have nested levels beyond supported limit",
        ),
        (
            "INSERT INTO t.u VALUE {'a': 1}",
            "FROM clause may only contain a single table name in data manipulation statements",
        ),
        ("INSERT INTO t << {'a': 1} >>", "Unsupported operation: InsertOp"),
        (
            "INSERT INTO t VALUE ?",
            "Unsupported format in item expression. Please use struct format {...} to express item values for insert "
            "statement. at 1:21:1",
        ),
        ("INSERT INTO t VALUE {'a': 1} RETURNING ALL OLD *", "RETURNING is not supported in INSERT"),
        (
            'INSERT INTO t VALUE {"a": 1}',
            "Tuple keys must be of type String. Actual type: VariableReference under root at 1:22:3",
        ),
        ("INSERT INTO t VALUE {'a': 1, 'a': 2}", "Duplicate keys in tuple. Key: a under root at 1:30:3"),
        ("INSERT INTO t VALUE {'a': b}", "Unsupported data type: b under key root at 1:27:1"),
        ("INSERT INTO t VALUE {'a': 1+1}", "Unsupported data type: + under key root at 1:28:1"),
        (
            "INSERT INTO t VALUE {'a': [{'x': b}]}",
            "Unsupported data type: VariableReference under key root.0.x at 1:34:1",
        ),
        ("INSERT INTO t VALUE {'a': [?]}", "Unsupported data type: Parameter under key root.0 at 1:28:1"),
        ("UPDATE t.u SET a = 1 WHERE a = 1", "This operation is not supported on an index"),
        ("UPDATE t SET a = b * 2", "Unsupported operator in Update Expression. Operator: *"),
        ("UPDATE t SET a = size(b)", "The function is not allowed in an update expression; function: size"),
        ("UPDATE t SET a = nofunc(b)", "Unrecognized function: nofunc"),
        ("UPDATE t SET a = set_add(b, <<1>>)", "The first argument to SET_ADD must equal the assignment value"),
        (
            "UPDATE t SET a = set_add(a, 1)",
            "The second argument to SET_ADD must be a value with type SET at 1:26:1",
        ),
        ("UPDATE t SET a = set_delete(a)", "SET_DELETE must have exactly two arguments at 1:18:10"),
        (
            "UPDATE t SET a = 1 RETURNING ALL NEW a",
            "Expected '*' after ( MODIFIED | ALL ) ( NEW | OLD ) in RETURNING clause",
        ),
        (
            "UPDATE t SET a = 1 RETURNING ALL OLD *, ALL NEW *",
            "Invalid syntax with multiple returning elements in RETURNING clause",
        ),
        (
            "DELETE FROM t RETURNING MODIFIED OLD *",
            "Invalid returning clause: RETURNING MODIFIED OLD *. "
            "Only RETURNING ALL OLD * is allowed in DELETE statements.",
        ),
        ("CREATE TABLE t", "Unsupported operation: CreateTable"),
        ("bogus", "Unsupported operation: VariableReference"),
        ("a.b", "Unsupported operation: Path"),
        ("1 + 1", "EXISTS can only be used in ExecuteTransaction write requests."),
    ],
)
def test_what_dynamodb_does_not_have_is_refused_by_name(statement: str, message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        parse(statement)
    assert raised.value.message == message
