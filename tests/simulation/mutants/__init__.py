"""Mutants: seeded bugs that the checkers must catch, and the hunt for them. ``make mutants`` runs all."""

from mutants import clock_mutants, interface_mutants, repair_mutants, replication_mutants, storage_mutants
from mutants.bank import MUTANTS, Mutant, planted

__all__ = [
    "MUTANTS",
    "Mutant",
    "clock_mutants",
    "interface_mutants",
    "planted",
    "repair_mutants",
    "replication_mutants",
    "storage_mutants",
]
