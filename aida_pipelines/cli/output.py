"""How commands speak: facts as one JSON document on standard output or as a table, remarks on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]

DONE, FAILED, WRONG_USE, WITH_FINDINGS = 0, 1, 2, 3
"""Exit codes: done; failed; wrong use; done, but something was quarantined or a check failed."""

remarks = Console(stderr=True, highlight=False, soft_wrap=True)
"""For people, whatever standard output is used for. Not wrapped: a path that is cut in two can't be copied."""


def emit_json(value: object) -> None:
    """Print the one document of a ``--json`` call."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def emit_table(rows: Sequence[Mapping[str, object]], *, title: str = "", empty: str = "Nothing yet.") -> None:
    """Print rows of facts as a table; ``empty`` if there are none."""
    console = Console(highlight=False)
    if not rows:
        console.print(empty)
        return
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for name, value in rows[0].items():
        table.add_column(name, justify="right" if isinstance(value, int | float) else "left", overflow="fold")
    for row in rows:
        table.add_row(
            *(f"{v:,}" if isinstance(v, int) else "" if v is None else str(v) for v in row.values())
        )
    console.print(table)
