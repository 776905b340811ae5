"""PartiQL, the SQL-like language of DynamoDB, compiled to the expression language. Pure, and free of I/O.

:func:`parse` turns a statement's text into a :class:`Select`, :class:`Insert`, :class:`Update`, :class:`Delete` or
:class:`Exists`; :func:`key_plan` finds out what of a table a WHERE clause needs; :func:`selection` is the SELECT list.
"""

from region.partiql.parser import parse
from region.partiql.plan import KeyPlan, full_key, key_plan
from region.partiql.selection import Selection, selection
from region.partiql.statements import Delete, Exists, Insert, Parsed, Select, Statement, Update, Write
from region.partiql.updates import check_sets

__all__ = [
    "Delete",
    "Exists",
    "Insert",
    "KeyPlan",
    "Parsed",
    "Select",
    "Selection",
    "Statement",
    "Update",
    "Write",
    "check_sets",
    "full_key",
    "key_plan",
    "parse",
    "selection",
]
