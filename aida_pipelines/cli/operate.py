"""An engineer's commands: run, ui; and release, which runs the job that a signature starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Annotated, Any

import typer

from aida_pipelines.cli.output import DONE, FAILED, WITH_FINDINGS, JsonFlag, emit_json, remarks
from aida_pipelines.errors import AidaError, GateError, UsageError
from aida_pipelines.settings import RAW_VARIABLES
from aida_pipelines.stages import Stage


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(run)
    app.command()(release)
    app.command()(ui)


def run(
    delivery: Annotated[
        list[str] | None, typer.Option(help="Only this delivery; may be given several times.")
    ] = None,
    until: Annotated[Stage, typer.Option(help="The last stage to run.")] = Stage.CURATED_DATASETS,
    as_json: JsonFlag = False,
) -> None:
    """Materialise what is outstanding, through Dagster, without its UI."""
    from aida_pipelines.cli.zones import ensure_key, prepare_home, raw_zone_if_any, refined_zone
    from aida_pipelines.settings import intake_settings
    from aida_pipelines.status import quarantine_counts, status_of_deliveries

    raw, refined = raw_zone_if_any(), refined_zone()
    known = {row.id for row in status_of_deliveries(raw, refined)}
    if unknown := set(delivery or ()) - known:
        raise UsageError(f"There is no delivery {', '.join(sorted(unknown))}.", way_out="See: aida status")
    if not known:
        raise UsageError(
            "There is no delivery yet.", way_out="aida deliver SRC --site SITE --collection COLLECTION"
        )
    prepare_home()
    answers = []
    if raw is not None:
        if ensure_key(intake_settings(), refined):
            remarks.print("Made the pseudonym key: keep it safe, and keep it.")
        answers.append(ask("intake", deliveries=delivery, until=until))
    if until.position >= Stage.HARMONISATION.position:
        answers.append(ask("refinement", deliveries=delivery, until=until))
    runs = [outcome for answer in answers for outcome in answer["runs"]]
    held = quarantine_counts(refined)
    if as_json:
        emit_json({"runs": runs, "quarantine": held})
    else:
        _tell(runs, held)
    if not all(outcome["success"] or outcome["failed_checks"] for outcome in runs):
        raise typer.Exit(FAILED)
    findings = bool(held) or any(outcome["failed_checks"] for outcome in runs)
    raise typer.Exit(WITH_FINDINGS if findings else DONE)


def _tell(runs: list[dict[str, Any]], held: dict[str, int]) -> None:
    if not runs:
        remarks.print("Nothing is outstanding: every stage is up to date, no work was done.")
    for outcome in runs:
        mark = "✓" if outcome["success"] else "✗"
        remarks.print(f"{mark} {outcome['job']} {outcome['partition']}", markup=False)
        for check in outcome["failed_checks"]:
            remarks.print(f"    check did not pass: {check}", markup=False)
        if outcome["error"]:
            remarks.print(f"    {outcome['error']}", markup=False)
    if held:
        remarks.print(f"{sum(held.values()):,} items are held for a steward: aida quarantine list")


def release(
    collection: Annotated[str, typer.Argument(help="Whose candidate to publish.")],
    sign_off: Annotated[str, typer.Option(help='Name and decision number: "Anna Exempelsson, 2026-117".')],
    as_json: JsonFlag = False,
) -> None:
    """Publish a collection's candidate, signed by a steward."""
    from aida_pipelines.cli.zones import curated_zone
    from aida_pipelines.client.catalogue import list_datasets
    from aida_pipelines.contracts.load import load_contracts
    from aida_pipelines.settings import refinement_settings

    load_contracts(refinement_settings().contracts).collection(collection)
    before = {(d.name, d.version) for d in list_datasets(curated_zone())}
    answer = ask("refinement", release=collection, sign_off=sign_off)
    if failed := [outcome for outcome in answer["runs"] if not outcome["success"]]:
        raise GateError(failed[0]["error"])
    after = [d for d in list_datasets(curated_zone()) if d.name == collection]
    newest = after[-1]
    fresh = (newest.name, newest.version) not in before
    if as_json:
        emit_json({"name": newest.name, "version": newest.version, "new": fresh})
    elif fresh:
        remarks.print(f"Released {newest.name}@{newest.version}, signed by {sign_off}.", markup=False)
    else:
        remarks.print(f"The candidate is the same as {newest.name}@{newest.version}: nothing new to release.")


def ask(location: str, **request: object) -> dict[str, Any]:
    """Have one code location's work done in a child process with the environment of its side.

    Raises:
        AidaError: The work could not begin.
    """
    environment = dict(os.environ)
    if location == "refinement":
        for variable in RAW_VARIABLES:
            environment.pop(variable, None)
    document = json.dumps({"location": location, **{k: v for k, v in request.items() if v is not None}})
    child = subprocess.run(
        [sys.executable, "-m", "aida_pipelines.orchestration.runner", document],
        env=environment,
        stdout=subprocess.PIPE,
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(child.stdout)
    except ValueError:
        raise AidaError(
            f"The {location} process ended with {child.returncode} before it was done.",
            way_out="Nothing half-done is visible; run the same command again.",
        ) from None
    if answer["error"]:
        raise (UsageError if answer["exit_code"] == UsageError.exit_code else GateError)(answer["error"])
    return answer


def ui(
    port: Annotated[int, typer.Option(help="Port of the UI, on this machine only.")] = 3000,
    host: Annotated[
        str, typer.Option(help="Address to listen on. The UI has no log-in of its own.")
    ] = "127.0.0.1",
) -> None:
    """Open the Dagster UI: asset graph, deliveries, checks, runs. Stop it with Ctrl-C."""
    from aida_pipelines.cli.ui import serve
    from aida_pipelines.cli.zones import prepare_home

    prepare_home()
    serve(host, port)
