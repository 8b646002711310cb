"""Commands on the identifiable side: deliver, deidentify. The key's are in ``cli/key.py``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from aida_pipelines.cli.output import DONE, WITH_FINDINGS, JsonFlag, emit_json, remarks


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(deliver)
    app.command()(deidentify)


def deliver(
    src: Annotated[str, typer.Argument(help="A folder, a zip or tar file, or s3://bucket/prefix.")],
    site: Annotated[str, typer.Option(help="Who delivers: a contract in sites/.")],
    collection: Annotated[str, typer.Option(help="For which collection: a contract in collections/.")],
    delivery_id: Annotated[
        str | None, typer.Option("--id", help="Id of the delivery; default SITE_DATE_SEQ. Never identifying.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Take a folder, a zip or tar file, or an S3 prefix as one delivery into the raw zone."""
    from aida_pipelines.cli.zones import ensure_key, lacks_key, prepare_home, raw_zone, refined_zone
    from aida_pipelines.contracts.load import load_contracts
    from aida_pipelines.ingest.receive import receive
    from aida_pipelines.settings import intake_settings

    settings = intake_settings()
    contracts = load_contracts(settings.contracts)
    prepare_home()
    refined = refined_zone()
    lacks_key(settings, refined)  # a lost key is told before anything is taken
    raw = raw_zone(settings)
    raw.sweep()
    received = receive(
        src,
        site=site,
        collection=collection,
        delivery_id=delivery_id,
        raw=raw,
        contracts=contracts,
        work_dir=settings.work_dir,
        now=datetime.now(UTC),
    )
    # Not before: a delivery that is refused leaves nothing behind.
    if ensure_key(settings, refined):
        remarks.print(f"Made the pseudonym key {settings.key_file}: keep it safe, and keep it.", markup=False)
    if as_json:
        emit_json(received.model_dump(mode="json"))
    elif received.already_there:
        remarks.print(f"This was delivered before, as {received.id}: nothing was done.")
    else:
        remarks.print(
            f"Delivery {received.id}: {received.files:,} files, {received.bytes / 1e6:,.1f} MB. Next: aida run"
        )


def deidentify(
    src: Annotated[Path, typer.Argument(help="A folder with DICOM files.")],
    dst: Annotated[Path, typer.Argument(help="Where DST/SUBJECT/STUDYUID/SERIESUID/SOPUID.dcm go.")],
    profile: Annotated[
        str | None,
        typer.Option(help="A contract in deid/; default the collection's, or research-longitudinal."),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="The pseudonym key; default AIDA_PSEUDONYM_KEY_FILE.")
    ] = None,
    collection: Annotated[
        str | None,
        typer.Option(help="Give the subjects, UIDs and dates of this collection; default: those of none."),
    ] = None,
    site: Annotated[
        str | None,
        typer.Option(help="Who issued patient ids whose header doesn't say: a contract in sites/."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Folder for report.html, report.json and actions.parquet, which name nobody, and for "
            "instances.parquet and the mappings, which lead back to the patients and which only you can read."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """De-identify a folder, without zones or Dagster.

    Nothing is in DST before every file has been worked on: a study comes out as a whole, or is held as a whole when
    the verification found an identifier in one of its instances. Held files stay where they are, in SRC.
    """
    from aida_pipelines.cli.zones import ensure_key, prepare_home, refined_zone
    from aida_pipelines.contracts.load import load_contracts
    from aida_pipelines.deid.folder import NO_COLLECTION, deidentify_folder
    from aida_pipelines.reasons import REASONS
    from aida_pipelines.settings import intake_settings

    settings = intake_settings()
    contracts = load_contracts(settings.contracts)
    wanted = contracts.collection(collection) if collection else None
    issuer = contracts.site(site).issuer_of_patient_id if site else ""
    profile = profile or (wanted.deid_profile if wanted else "research-longitudinal")
    if key_file is None:
        prepare_home()
        ensure_key(settings, refined_zone())
    summary = deidentify_folder(
        src,
        dst,
        profile=contracts.profile(profile),
        contracts=contracts,
        key_file=key_file or settings.key_file,
        domain=wanted.pseudonym_domain if wanted else NO_COLLECTION,
        issuer=issuer,
        report_dir=report,
    )
    if as_json:
        emit_json(summary.model_dump(mode="json"))
    else:
        counts = ", ".join(f"{count:,} {name}" for name, count in summary.counts.items())
        remarks.print(f"{counts}.")
        for code, count in summary.reasons.items():
            remarks.print(f"  {count:,} × {code}: {REASONS[code].says}")
        if report is not None:
            remarks.print(
                f"Report: {report}. Its mappings and instances.parquet lead back to the patients.",
                markup=False,
            )
        elif summary.reasons:
            remarks.print("With --report DIR, instances.parquet says which files these are, by their hashes.")
    raise typer.Exit(WITH_FINDINGS if summary.counts.get("quarantined") else DONE)
