"""A steward's commands: status, quarantine, release."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from aida_pipelines.cli.output import JsonFlag, emit_json, emit_table, remarks

quarantine = typer.Typer(help="What is held, and a steward's decisions.", no_args_is_help=True)

By = Annotated[str, typer.Option("--by", help="Who decides.")]
Why = Annotated[str, typer.Option("--why", help="Why.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(status)
    app.add_typer(quarantine, name="quarantine")


def status(as_json: JsonFlag = False) -> None:
    """Deliveries, how far they are, what is held, what is released."""
    from aida_pipelines.cli.zones import curated_zone, raw_zone_if_any, refined_zone
    from aida_pipelines.client.catalogue import list_datasets
    from aida_pipelines.status import quarantine_counts, status_of_deliveries

    raw, refined = raw_zone_if_any(), refined_zone()
    deliveries = [row.model_dump(mode="json") for row in status_of_deliveries(raw, refined)]
    held = quarantine_counts(refined)
    releases = [f"{d.name}@{d.version}" for d in list_datasets(curated_zone())]
    if as_json:
        emit_json({"deliveries": deliveries, "quarantine": held, "releases": releases})
        return
    emit_table(
        deliveries,
        title="Deliveries",
        empty="No delivery yet. Next: aida deliver SRC --site … --collection …",
    )
    if held:
        emit_table(
            [{"held": n, "reason": code} for code, n in held.items()],
            title="\nQuarantine (aida quarantine list)",
        )
    if releases:
        emit_table([{"release": name} for name in releases], title="\nReleases (aida datasets)")


@quarantine.command("list")
def list_(as_json: JsonFlag = False) -> None:
    """Everything that is held and undecided."""
    from aida_pipelines.cli.zones import refined_zone
    from aida_pipelines.status import held_items

    items = [item.model_dump(mode="json") for item in held_items(refined_zone())]
    if as_json:
        emit_json(items)
    else:
        emit_table(items, empty="Nothing is held.")


@quarantine.command()
def show(
    item: Annotated[str, typer.Argument(help="Id from `aida quarantine list`.")], as_json: JsonFlag = False
) -> None:
    """One held item: why, what can be done, and where its bytes lie in the raw zone.

    Of a study-held one, also which findings it waits for, on a machine that has the raw zone.
    """
    from aida_pipelines.cli.zones import raw_zone_if_any, refined_zone
    from aida_pipelines.status import held_item, waits_for

    raw, refined = raw_zone_if_any(), refined_zone()
    held = held_item(refined, item)
    found = held.model_dump(mode="json")
    if raw is not None and (findings := waits_for(raw, refined, held)):
        found["waits_for"] = findings
    if as_json:
        emit_json(found)
    else:
        shown = found | {"waits_for": ", ".join(findings)} if "waits_for" in found else found
        emit_table([{"": name, "value": value} for name, value in shown.items()])


@quarantine.command()
def release(item: Annotated[str, typer.Argument()], by: By, why: Why, as_json: JsonFlag = False) -> None:
    """Let an item pass, on a person's responsibility. The next run takes it."""
    _decide(item, "release", by, why, as_json)


@quarantine.command()
def reject(item: Annotated[str, typer.Argument()], by: By, why: Why, as_json: JsonFlag = False) -> None:
    """Refuse an item for good. The next run counts it as rejected."""
    _decide(item, "reject", by, why, as_json)


def _decide(item: str, decision: str, by: str, why: str, as_json: bool) -> None:
    from aida_pipelines.cli.zones import raw_zone, refined_zone
    from aida_pipelines.ingest.decisions import decide

    made = decide(
        item, decision, by=by, why=why, raw=raw_zone(), refined=refined_zone(), now=datetime.now(UTC)
    )
    if as_json:
        emit_json(made.model_dump(mode="json"))
    else:
        remarks.print(f"{item}: {decision}, by {by}. Next: aida run", markup=False)
