"""A downstream team's commands: datasets, show, diff, verify, pull, query, explain."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aida_pipelines.cli.output import FAILED, JsonFlag, emit_json, emit_table, remarks
from aida_pipelines.errors import UsageError

if TYPE_CHECKING:
    from aida_pipelines.client.pull import Format

Name = Annotated[str, typer.Argument(help="NAME or NAME@VERSION; without a version the newest.")]


class Zone(StrEnum):
    """What `aida query` asks."""

    CURATED = "curated"
    REFINED = "refined"


class PullFormat(StrEnum):
    """What `aida pull` brings."""

    DICOM = "dicom"
    NIFTI = "nifti"
    MONAI = "monai"
    NNUNET = "nnunet"


_BUILT: dict[PullFormat, Format] = {PullFormat.DICOM: "dicom", PullFormat.NIFTI: "nifti"}
"""The other formats of the public interface are not built yet."""


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (datasets, show, diff, verify, pull, query, explain):
        app.command()(command)


def datasets(as_json: JsonFlag = False) -> None:
    """Every release there is."""
    from aida_pipelines.cli.zones import curated_zone
    from aida_pipelines.client.catalogue import list_datasets

    found = [entry.model_dump(mode="json") for entry in list_datasets(curated_zone())]
    if as_json:
        emit_json(found)
    else:
        shown = ("name", "version", "released_at", "subjects", "studies", "series", "instances", "bytes")
        emit_table([{key: row[key] for key in shown} for row in found], empty="No release yet.")


def show(name: Name, as_json: JsonFlag = False) -> None:
    """What a release is: counts, selection, approvals, who signed, tables."""
    from aida_pipelines.cli.zones import curated_zone
    from aida_pipelines.client.dataset import load

    release = load(name, store=curated_zone()).release
    if as_json:
        emit_json(release.model_dump(mode="json"))
        return
    facts = {
        "dataset": f"{release.name}@{release.version}",
        "title": release.title,
        "released": f"{release.released_at:%Y-%m-%d}, signed by {release.sign_off}",
        "licence": f"{release.licence} ({release.tier})",
        "parent": release.parent or "none: the first version",
        **{key: f"{value:,}" for key, value in release.counts.items()},
        "bytes": f"{release.bytes:,}",
    }
    emit_table([{"": key, "value": value} for key, value in facts.items()])
    steps = [step.model_dump(mode="json", exclude={"description"}) for step in release.attrition]
    emit_table(steps, title="\nSelection: what is left after each criterion")
    emit_table(
        [table.model_dump(include={"name", "rows", "bytes"}) for table in release.tables], title="\nTables"
    )


def diff(before: Name, after: Name, as_json: JsonFlag = False) -> None:
    """What changed from one release to another."""
    from aida_pipelines.cli.zones import curated_zone
    from aida_pipelines.client.compare import diff as compare

    found = compare(before, after, store=curated_zone())
    if as_json:
        emit_json(found.model_dump(mode="json"))
    elif not found:
        remarks.print("No difference.")
    else:
        emit_table(found.rows())


def verify(name: Name, as_json: JsonFlag = False) -> None:
    """Read every byte of a release and compare it with its hash. Exit 1 if anything is not as signed."""
    from aida_pipelines.cli.zones import curated_zone
    from aida_pipelines.client.dataset import load

    dataset = load(name, store=curated_zone())
    findings = [finding.model_dump(mode="json") for finding in dataset.verify()]
    objects = sum(dataset.release.counts.get(kind, 0) for kind in ("instances", "volumes"))
    if as_json:
        emit_json(
            {"name": dataset.name, "version": dataset.version, "objects": objects, "findings": findings}
        )
    elif findings:
        emit_table(findings, title=f"{dataset.name}@{dataset.version} is not as it was signed")
    else:
        remarks.print(f"{dataset.name}@{dataset.version}: {objects:,} objects and every table are as signed.")
    if findings:
        raise typer.Exit(FAILED)


def pull(
    name: Name,
    dest: Annotated[Path, typer.Argument(help="Folder to pull into; run again to go on where it stopped.")],
    form: Annotated[
        PullFormat, typer.Option("--format", help="What to pull. Not built yet: monai, nnunet.")
    ] = PullFormat.DICOM,
    where: Annotated[
        str | None, typer.Option(help="SQL condition on the series table: \"modality = 'CT'\".")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Fetch a release, or a selection of it, verified by hash."""
    from aida_pipelines.cli.zones import curated_zone
    from aida_pipelines.client.dataset import load

    if form not in _BUILT:
        raise UsageError(
            f"`aida pull --format {form.value}` is not built yet in this version. Nothing was done.",
            way_out="Use --format dicom or nifti.",
        )
    pulled = load(name, store=curated_zone()).pull(dest, format=_BUILT[form], where=where)
    if as_json:
        emit_json(pulled.model_dump(mode="json"))
    else:
        remarks.print(
            f"{pulled.files:,} files, {pulled.bytes / 1e6:,.1f} MB, in {dest} ({pulled.fetched:,} fetched now).",
            markup=False,
        )


def query(
    sql: Annotated[str, typer.Argument(help='One query: "SELECT count(*) FROM reference_images.series".')],
    zone: Annotated[Zone, typer.Option(help="The curated zone, or the refined one.")] = Zone.CURATED,
    as_json: JsonFlag = False,
) -> None:
    """Ask DuckDB. A dataset's tables are under its name with _ for -; `releases` lists all versions."""
    from aida_pipelines.cli.zones import curated_zone, refined_zone

    if zone is Zone.CURATED:
        from aida_pipelines.client.query import query as ask

        rows = ask(sql, store=curated_zone()).to_dicts()
    else:
        from aida_pipelines.warehouse.query import query as ask_refined

        rows = ask_refined(sql, store=refined_zone()).to_dicts()
    if as_json:
        emit_json(rows)
    else:
        emit_table(rows, empty="No rows.")


def explain(
    item: Annotated[
        str, typer.Argument(metavar="ID", help="A subject, study, series, instance or volume, or a SHA-256.")
    ],
    as_json: JsonFlag = False,
) -> None:
    """The chain of anything back to its delivery: release, candidate, checks, stages, delivery, site."""
    from aida_pipelines.cli.zones import curated_zone, refined_zone
    from aida_pipelines.client.explain import explain as find

    chain = find(item, refined=refined_zone(), curated=curated_zone())
    if as_json:
        emit_json(chain.model_dump(mode="json"))
    else:
        emit_table(chain.rows())
