"""How commands speak: facts as one JSON document on standard output or as a table, remarks on standard error."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from aida_pipelines.errors import UsageError

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]

DONE, FAILED, WRONG_USE, WITH_FINDINGS = 0, 1, 2, 3
"""Exit codes: done; failed; wrong use; done, but something was quarantined or a check failed."""

remarks = Console(stderr=True, highlight=False, soft_wrap=True)
"""For people, whatever standard output is used for. Not wrapped: a path that is cut in two can't be copied."""


_WHOLE_LINES = 10_000
"""Columns where no terminal sets a limit: a hash that is cut in two can't be searched for."""


def emit_json(value: object) -> None:
    """Print the one document of a ``--json`` call, by RFC 8259: what is not a number (NaN, infinity) is null."""
    document = json.dumps(_plain(value), ensure_ascii=False, indent=2, default=str, allow_nan=False)
    sys.stdout.write(document + "\n")


def emit_document(text: str, path: Path | None) -> None:
    """Write a document: to standard output, or to a file that is whole or isn't there.

    Raises:
        UsageError: The file can't be written.
    """
    if path is None:
        sys.stdout.write(text)
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UsageError(
            f"{path} can't be written: {os.strerror(error.errno or 0)}.", way_out="Name another file."
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def _plain(value: object) -> object:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Decimal():  # what DuckDB makes of 1.5
            return _plain(float(value)) if value % 1 else int(value)
        case dict():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case _:
            return value


def emit_table(rows: Sequence[Mapping[str, object]], *, title: str = "", empty: str = "Nothing yet.") -> None:
    """Print rows of facts as a table; ``empty`` if there are none."""
    console = Console(
        highlight=False,
        markup=False,  # values are data: [b] and :b: in one are no markup
        emoji=False,
        width=None if sys.stdout.isatty() else _WHOLE_LINES,
    )
    if not rows:
        console.print(empty)
        return
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for name, value in rows[0].items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    console.print(table)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case _:
            return str(value)
