"""Errors that a person can do something about: one sentence that says what is wrong, one that says what to do.

Exit codes of every command: 0 done, 1 it failed or the claim is false, 2 the request itself is wrong (usage,
configuration), 70 a defect of Atoll stopped a region (``EX_SOFTWARE`` of sysexits.h), 130 ended by Ctrl-C.
"""

from __future__ import annotations

from typing import Final

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_DEFECT: Final = 70
EXIT_INTERRUPTED: Final = 130


class RemedyError(Exception):
    """Something is wrong that a person can mend. ``exit_code`` is what a command ends with that meets it."""

    exit_code: int = EXIT_FAILED

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}".strip())
        self.problem = problem
        self.remedy = remedy


class StartError(RemedyError):
    """A region cannot start: a port is taken, a file is held by another process, a folder cannot be written."""


class PortTakenError(StartError):
    """A port that was asked for is in use."""


class CrashedError(StartError):
    """A region died without a word of its own; its log, which the remedy names, is kept."""


class ConfigError(RemedyError):
    """The configuration is wrong: an unknown setting, a wrong type, a value out of its range."""

    exit_code = EXIT_USAGE


class UsageError(RemedyError):
    """A command or a call was given something that makes no sense."""

    exit_code = EXIT_USAGE


class UnreachableError(RemedyError):
    """A region's admin address does not answer."""


class UnknownRegionError(RemedyError):
    """A command names a region that the cluster does not have."""

    exit_code = EXIT_USAGE
