"""Checkers: one invariant a file, pure functions from what was observed to what is wrong with it."""
