"""Entry point: the commands, and what every command has in common when something goes wrong."""

from __future__ import annotations

import sys

import typer

from aida_pipelines.cli import datasets, demo, evidence, intake, key, later, operate, steward
from aida_pipelines.cli.output import FAILED, remarks
from aida_pipelines.errors import AidaError

app = typer.Typer(
    name="aida",
    help="From hospitals' imaging deliveries to versioned, de-identified datasets for AI.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback with local variables would print patients' data
    rich_markup_mode=None,
)
for module in (demo, intake, key, operate, steward, evidence, datasets, later):
    module.register(app)


def main() -> None:
    """Run ``aida``; exit with 0 done, 1 failed, 2 wrong use, 3 done with findings."""
    try:
        app(prog_name="aida")
    except AidaError as error:
        remarks.print(f"aida: {error}", markup=False)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "aida_pipelines":
            raise
        remarks.print(
            f"aida: this command needs {error.name}, which is not installed.\n"
            "  → pip install 'aida-pipelines[pipeline]'",
            markup=False,
        )
        sys.exit(FAILED)
    except KeyboardInterrupt:
        remarks.print("aida: stopped; run the same command again to go on.")
        sys.exit(130)
