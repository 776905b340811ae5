"""The tree that the tidy tests look at: which files are committed, and which packages are the product."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("clock", "region", "replication", "chaos", "dashboard", "atoll")
BINARY = frozenset({".png", ".ico", ".woff2", ".svg", ".gz", ".zst"})


@cache
def committed_files() -> tuple[Path, ...]:
    """Return every file that is, or is about to be, under version control."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    paths = (ROOT / name for name in listing.split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file()))


def texts() -> list[Path]:
    """Return the committed files that are text."""
    return [path for path in committed_files() if path.suffix not in BINARY]


def python_files() -> list[Path]:
    """Return all committed Python files: product, tests, examples and tools."""
    return [path for path in committed_files() if path.suffix == ".py"]


def product_files() -> list[Path]:
    """Return the Python files of the product."""
    return [path for path in python_files() if path.relative_to(ROOT).parts[0] in PACKAGES]


def packages() -> list[str]:
    """Return the product's packages that exist, outermost last."""
    return [name for name in PACKAGES if (ROOT / name / "__init__.py").is_file()]


def documents() -> list[Path]:
    """Return the committed Markdown files."""
    return [path for path in committed_files() if path.suffix == ".md"]


def name(path: Path) -> str:
    """Return a file's path from the root, with forward slashes."""
    return path.relative_to(ROOT).as_posix()


def module(path: Path) -> str:
    """Return the dotted name of a Python file of the product."""
    dotted = name(path).removesuffix(".py").replace("/", ".")
    return dotted.removesuffix(".__init__")
