"""Reading Markdown: the links and anchors of a page, and the names that it documents."""

from __future__ import annotations

import re
from pathlib import Path

_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|!\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")
_EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def prose(text: str) -> str:
    """Return a page without its fenced code blocks."""
    return _FENCE.sub("", text)


def code_blocks(text: str, language: str) -> list[str]:
    """Return the fenced code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, formed as the usual renderers form them."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = base = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        repeat = 0
        while slug in found:
            repeat += 1
            slug = f"{base}-{repeat}"
        found.add(slug)
    return found


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page that may not exist."""
    return anchors(page.read_text()) if page.is_file() else set()


def broken_links(path: Path, text: str) -> list[str]:
    """Return the internal links of a page that lead nowhere: no such file, or no such heading in it."""
    broken = []
    for groups in _LINK.findall(prose(text)):
        link = groups[0] or groups[1]
        if _EXTERNAL.match(link):
            continue
        target, _, anchor = link.partition("#")
        page = (path.parent / target).resolve() if target else path.resolve()
        missing_anchor = (
            bool(anchor)
            and page.suffix == ".md"
            and anchor not in (anchors(text) if page == path.resolve() else anchors_of(page))
        )
        if missing_anchor or not (page.exists() or page == path.resolve()):
            broken.append(link)
    return broken


def table_names(text: str) -> set[str]:
    """Return what stands in code style in the first column of a page's tables."""
    return {name for row in _rows(text) for name in _CODE.findall(row[0])}


def table_column(text: str, title: str) -> dict[str, tuple[str, ...]]:
    """Return what stands in code style in one column of a page's tables, by the name in the row's first column."""
    found: dict[str, tuple[str, ...]] = {}
    position: int | None = None
    for row in _rows(text):
        names = _CODE.findall(row[0])
        if names and position is not None:
            found |= {name: tuple(_CODE.findall(row[position])) for name in names}
        elif not names and set(row[0]) - set("-: "):
            position = row.index(title) if title in row else None
    return found


def _rows(text: str) -> list[list[str]]:
    lines = [line.strip() for line in prose(text).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")] for line in lines]
