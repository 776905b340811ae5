"""Triggers: the records of a table's stream handed to functions, with the semantics of Lambda's event source mappings.

What a trigger is, and what it promises, stands in ``docs/reference/triggers.md``; how it is built in ``DESIGN.md``
here. This package loads nothing by itself, because the configuration looks into it.
"""
