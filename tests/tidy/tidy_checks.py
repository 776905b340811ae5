"""The checks behind the tidy tests: pure functions from a file's text to its findings.

Each check answers with a list of sentences, one for each finding, empty where the text is tidy. They are pure so that
they can be checked themselves: ``test_tidy_checks`` shows to each a text that must be found and one that must not.

Python is judged on its syntax tree, never on its text, so that a banned word in a string or a comment is no finding.
"""

from __future__ import annotations

import ast
import builtins
import io
import re
import tokenize
from collections.abc import Iterator

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
DOCSTRING_WORDS_MIN = 4

BANNED_NAME_PARTS = frozenset(
    {"manager", "managers", "helper", "helpers", "util", "utils", "service", "services", "node", "nodes", "sync"}
)
ALLOWED_NAMES = {
    "service_model": "botocore's own word",
    "service": "the part of a SigV4 credential scope that AWS calls so",
    "SERVICES": "the services of botocore's models",
    "service_name": "the name of a parameter of every client of boto3",
    "xSync": "SQLite's own name of a method",
    "SERVICE": "AWS's own name of a namespace of errors",
    "ServiceUnavailableError": "named after AWS's ServiceUnavailable",
}
_TIME = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "sleep")
BANNED_CALLS: dict[str, tuple[str, ...]] = {
    "time": (
        *(f"time.{name}" for name in _TIME),
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.today",
        "datetime.date.today",
    ),
    "randomness": ("random.*", "secrets.*", "os.urandom", "uuid.uuid1", "uuid.uuid4"),
    "timers": ("asyncio.sleep",),
    "the machine": (
        "builtins.open",
        "builtins.input",
        "os.environ",
        "os.getenv",
        "subprocess.*",
        "threading.Thread",
        "threading.Timer",
        "concurrent.futures.*",
        "multiprocessing.*",
        "asyncio.to_thread",
        "asyncio.create_subprocess_exec",
        "asyncio.create_subprocess_shell",
    ),
}
"""What may be called in port modules only, by what it reaches for; ``.*`` stands for everything in a module."""

_DIRECTIVE = re.compile(r"#\s*(?:noqa|type:\s*ignore|pragma:|fmt:|isort:|ruff:|mypy:)", re.IGNORECASE)
_CODES = re.compile(
    r"#\s*(?:noqa(?::\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)?|type:\s*ignore(?:\[[^]]*\])?|\S+:\s*\S+)", re.IGNORECASE
)
_BLANKET = re.compile(r"#\s*(?:noqa(?!:)|type:\s*ignore(?!\[)|ruff:|mypy:)", re.IGNORECASE)
_UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
_REASON_WORDS_MIN = 2
_MACHINE = (
    (re.compile(r"(?<![\w./}-])/(?:work|root|home|Users|opt)/\w"), "a path of one machine"),
    (
        re.compile(r"registry\.npmjs\.org|pythonhosted\.org|pypi\.org/simple", re.IGNORECASE),
        "a package registry's host",
    ),
    (re.compile(r"\bcolleagues?\b|\bco-?workers?\b", re.IGNORECASE), "a word of a workplace"),
)


def file_length(text: str) -> list[str]:
    """Find a file of more than :data:`FILE_LINES_MAX` lines."""
    lines = len(text.splitlines())
    return [f"{lines} lines, more than {FILE_LINES_MAX}"] if lines > FILE_LINES_MAX else []


def function_length(text: str) -> list[str]:
    """Find functions of more than :data:`FUNCTION_LINES_MAX` lines, docstrings not counted."""
    findings = []
    for function in _functions(ast.parse(text)):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if ast.get_docstring(function) is not None:
            docstring = function.body[0]
            lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            findings.append(
                f"line {function.lineno}: {function.name} has {lines} lines, more than {FUNCTION_LINES_MAX}"
            )
    return findings


def module_docstring(text: str) -> list[str]:
    """Find a module without a docstring, or with one that says nothing."""
    docstring = ast.get_docstring(ast.parse(text)) or ""
    if not docstring:
        return ["no module docstring"]
    if len(docstring.split()) < DOCSTRING_WORDS_MIN:
        return [f"the module docstring {docstring!r} says too little"]
    return []


def banned_calls(text: str, kinds: frozenset[str]) -> list[str]:
    """Find references to functions of :data:`BANNED_CALLS` of the given kinds, however they were imported."""
    tree = ast.parse(text)
    origins = _imported_names(tree)
    findings = []
    for expression in _outermost(tree):
        dotted = _dotted(expression, origins)
        findings += [
            f"line {expression.lineno}: {dotted} reaches for {kind} past its port"
            for kind in sorted(kinds)
            if dotted and any(_matches(dotted, pattern) for pattern in BANNED_CALLS[kind])
        ]
    return findings


def banned_names(text: str, module: str) -> list[str]:
    """Find words of :data:`BANNED_NAME_PARTS` in the names that a module defines, its own name included."""
    names = [(0, part) for part in module.split(".")] + _defined_names(ast.parse(text))
    findings = []
    for line, name in names:
        found = BANNED_NAME_PARTS.intersection(_parts(name)) if name not in ALLOWED_NAMES else ()
        findings += [f"line {line}: {name} holds the word {part!r}" for part in sorted(found)]
    return findings


def excuses(text: str) -> list[str]:
    """Find blanket suppressions, suppressions without a reason in words, and marks of unfinished work.

    The reason stands behind the directive, or is the comment on the line above it.
    """
    findings = []
    comments: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, comment = token.start[0], token.string
        comments[line] = comment
        if _UNFINISHED.search(comment):
            findings.append(f"line {line}: unfinished: {comment}")
        if not _DIRECTIVE.search(comment):
            continue
        if _BLANKET.search(comment):
            findings.append(f"line {line}: a blanket suppression: {comment}")
        reason = _CODES.sub("", comment) + (" " + comments[line - 1] if line - 1 in comments else "")
        if len(re.findall(r"[A-Za-z']{2,}", reason)) < _REASON_WORDS_MIN:
            findings.append(f"line {line}: no reason given: {comment}")
    return findings


def machine_words(text: str) -> list[str]:
    """Find paths, hosts and words that belong to one machine or one workplace."""
    return [
        f"line {number}: {what}: {match[0]}"
        for number, line in enumerate(text.splitlines(), 1)
        for pattern, what in _MACHINE
        if (match := pattern.search(line))
    ]


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for element in ast.walk(tree):
        if isinstance(element, ast.FunctionDef | ast.AsyncFunctionDef):
            yield element


def _imported_names(tree: ast.AST) -> dict[str, str]:
    """Return what each name of the module stands for, as a dotted path from its origin."""
    origins = {name: f"builtins.{name}" for name in dir(builtins)}
    for element in ast.walk(tree):
        if isinstance(element, ast.Import):
            for alias in element.names:
                # `import a.b` binds `a`; `import a.b as c` binds `a.b`.
                bound = alias.name if alias.asname else alias.name.split(".")[0]
                origins[alias.asname or bound] = bound
        elif isinstance(element, ast.ImportFrom) and element.module and not element.level:
            for alias in element.names:
                origins[alias.asname or alias.name] = f"{element.module}.{alias.name}"
    return origins


def _outermost(tree: ast.AST) -> Iterator[ast.Name | ast.Attribute]:
    """Iterate over the loaded names and attribute chains that are no part of a longer chain."""
    for element in ast.iter_child_nodes(tree):
        if isinstance(element, ast.Name | ast.Attribute) and isinstance(element.ctx, ast.Load):
            yield element
        if isinstance(element, ast.Attribute):
            inner: ast.AST = element
            while isinstance(inner, ast.Attribute):
                inner = inner.value
            yield from _outermost(inner)
        else:
            yield from _outermost(element)


def _dotted(expression: ast.expr, origins: dict[str, str]) -> str | None:
    names = []
    while isinstance(expression, ast.Attribute):
        names.append(expression.attr)
        expression = expression.value
    if not isinstance(expression, ast.Name) or expression.id not in origins:
        return None
    return ".".join([origins[expression.id], *reversed(names)])


def _matches(dotted: str, pattern: str) -> bool:
    if pattern.endswith(".*"):
        return dotted.startswith(pattern[:-1])
    return dotted == pattern or dotted.startswith(pattern + ".")


def _defined_names(tree: ast.AST) -> list[tuple[int, str]]:
    names = []
    for element in ast.walk(tree):
        if isinstance(element, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append((element.lineno, element.name))
        elif isinstance(element, ast.arg):
            names.append((element.lineno, element.arg))
        elif isinstance(element, ast.Name) and isinstance(element.ctx, ast.Store):
            names.append((element.lineno, element.id))
        elif isinstance(element, ast.Attribute) and isinstance(element.ctx, ast.Store):
            names.append((element.lineno, element.attr))
        elif isinstance(element, ast.alias) and element.asname:
            names.append((element.lineno, element.asname))
    return names


def _parts(name: str) -> list[str]:
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
