"""Documents for people to read and file: composed once, rendered as HTML or Markdown.

The HTML is one file that needs nothing else: no script, no font, no picture, no address that it would fetch. It
prints as it shows. The same document gives the same bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template

Cell = str | int


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; whole numbers are set to the right and with thousands apart.

    Attributes:
        columns: Their headings.
        rows: As many cells each as there are columns.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Bullets:
    """Sentences that stand side by side."""

    lines: tuple[str, ...]


Block = str | Grid | Bullets
"""A paragraph, a table or a list."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """What is to be read.

    Attributes:
        title: Its title.
        facts: Name and value of what identifies it, shown first.
        sections: In order.
        appendix: Another document at its end, with its own title.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    appendix: Document | None = None


def as_html(document: Document) -> str:
    """One self-contained page."""
    return _template().render(document=document, kind=_kind)


def as_markdown(document: Document, *, level: int = 1) -> str:
    """GitHub's Markdown: headings, paragraphs, tables.

    Args:
        document: What.
        level: Of the title's heading.
    """
    lines = [f"{'#' * level} {_plain(document.title)}", "", *_grid(Grid(("", ""), document.facts)), ""]
    for section in document.sections:
        lines += [f"{'#' * (level + 1)} {_plain(section.title)}", ""]
        for block in section.blocks:
            match block:
                case Grid():
                    lines += _grid(block)
                case Bullets():
                    lines += [f"- {_plain(line)}" for line in block.lines]
                case _:
                    lines.append(_plain(block))
            lines.append("")
    text = "\n".join(lines)
    if document.appendix is None:
        return text.rstrip("\n") + "\n"
    return text + as_markdown(document.appendix, level=level)


def _grid(grid: Grid) -> list[str]:
    numeric = [all(isinstance(row[place], int) for row in grid.rows) for place in range(len(grid.columns))]
    return [
        _row(grid.columns),
        "|" + "|".join("---:" if grid.rows and right else "---" for right in numeric) + "|",
        *(_row(tuple(f"{cell:,}" if isinstance(cell, int) else cell for cell in row)) for row in grid.rows),
    ]


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(_plain, cells))} |"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is and in which no HTML begins."""
    text = re.sub(r"([\\`*_|\[\]])", r"\\\1", re.sub(r"\s+", " ", text))
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _kind(block: Block) -> str:
    match block:
        case Grid():
            return "grid"
        case Bullets():
            return "bullets"
        case _:
            return "paragraph"


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,  # whatever a contract says is text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("document.html.j2")
