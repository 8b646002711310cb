"""A downstream team's commands: datasets, show, diff, verify, pull, query, explain. Only the light installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from aida_pipelines.cli.output import DONE, FAILED, JsonFlag, emit_json, emit_table, remarks

Name = Annotated[str, typer.Argument(help="NAME or NAME@VERSION; without a version the newest.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (datasets, show, diff, verify, pull, query, explain):
        app.command()(command)
