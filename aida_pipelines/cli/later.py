"""Commands of the public interface that are not built yet: they say so and exit 2, and touch nothing."""

from __future__ import annotations

import typer

from aida_pipelines.errors import UsageError

_NOT_YET = {
    "extract": "Fetch what a collection asks for from a site's PACS.",
    "review": "What a person must look at before it passes.",
    "withdraw": "Carry a person's opt-out or a region's recall through every zone.",
    "push": "Send a dataset to a PACS, for looking.",
}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for name, purpose in _NOT_YET.items():
        app.command(
            name,
            help=f"{purpose} Not built yet.",
            context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        )(_refuse(name))


def _refuse(name: str):  # type: ignore[no-untyped-def]
    def refuse(ctx: typer.Context) -> None:
        raise UsageError(f"`aida {name}` is not built yet in this version. Nothing was done.")

    return refuse
