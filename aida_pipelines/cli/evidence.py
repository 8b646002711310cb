"""A data protection officer's commands: report, profile."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from aida_pipelines.cli.output import JsonFlag, emit_document, emit_json, emit_table

profile = typer.Typer(
    help="De-identification profiles, and what each promises in DICOM's terms.", no_args_is_help=True
)

Out = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write to this file; default standard output.")
]


class ReportFormat(StrEnum):
    """Formats of a report."""

    HTML = "html"
    JSON = "json"


class StatementFormat(StrEnum):
    """Formats of a conformance statement."""

    HTML = "html"
    MD = "md"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(report)
    app.add_typer(profile, name="profile")


def report(
    delivery: Annotated[str, typer.Option(help="Which delivery.")],
    form: Annotated[
        ReportFormat, typer.Option("--format", help="A page to read and file, or its facts.")
    ] = ReportFormat.HTML,
    output: Out = None,
) -> None:
    """The report on a delivery's de-identification: figures, reasons, actions, verification, conformance."""
    from aida_pipelines.cli.zones import refined_zone
    from aida_pipelines.deid.evidence import read_report

    emit_document(read_report(refined_zone(), delivery, form), output)


@profile.command("list")
def list_(as_json: JsonFlag = False) -> None:
    """All profiles."""
    from aida_pipelines.contracts.load import load_contracts
    from aida_pipelines.settings import refinement_settings

    contracts = load_contracts(refinement_settings().contracts)
    used: dict[str, list[str]] = {}
    for collection in contracts.collections.values():
        used.setdefault(collection.deid_profile, []).append(collection.name)
    found = [
        {"name": name, "version": one.version, "title": one.title, "collections": sorted(used.get(name, []))}
        for name, one in sorted(contracts.profiles.items())
    ]
    if as_json:
        emit_json(found)
    else:
        emit_table([{**row, "collections": ", ".join(row["collections"])} for row in found])


@profile.command()
def show(
    name: Annotated[str, typer.Argument(help="Name from `aida profile list`.")],
    form: Annotated[StatementFormat, typer.Option("--format", help="How.")] = StatementFormat.MD,
    output: Out = None,
) -> None:
    """A profile's DICOM conformance statement: what is done to each attribute, and what is not promised."""
    from aida_pipelines.contracts.load import load_contracts
    from aida_pipelines.deid.conformance import statement
    from aida_pipelines.deid.conformance_text import statement_document
    from aida_pipelines.deid.document import as_html, as_markdown
    from aida_pipelines.deid.stage import VERSION
    from aida_pipelines.settings import refinement_settings

    contracts = load_contracts(refinement_settings().contracts)
    made = statement(contracts.profile(name), code_version=VERSION)
    match form:
        case StatementFormat.JSON:
            text = made.as_json()
        case StatementFormat.HTML:
            text = as_html(statement_document(made))
        case StatementFormat.MD:
            text = as_markdown(statement_document(made))
    emit_document(text, output)
