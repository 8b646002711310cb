"""`aida demo`: the whole path once, each step the command that a person would type.

Nothing here knows more than a user does: it calls the same commands in child processes and reads their JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import typer

from aida_pipelines.cli.output import DONE, WITH_FINDINGS, remarks
from aida_pipelines.errors import AidaError
from aida_pipelines.settings import aida_home

COLLECTION = "reference-images"
SIGN_OFF = "Demo Stewardsson, DEMO-2026-1"
_ONE_SUBJECT = "SELECT min(subject) AS subject FROM reference_images.subjects"
_EXAMPLE = "SELECT modality, count(*) AS series FROM reference_images.series GROUP BY modality"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(demo)


def demo() -> None:
    """Take two made-up hospitals' deliveries through every stage to a signed, pulled and verified release."""
    from aida_pipelines.demo.deliveries import make_demo

    started = time.monotonic()
    home = aida_home()
    # The hospitals' folders hold identities, made up but treated as real: outside AIDA_HOME, gone afterwards.
    with tempfile.TemporaryDirectory(prefix="hospitals-") as folder:
        for delivery in make_demo(Path(folder)):
            _step(f"{delivery.site}: a delivery for {COLLECTION}")
            options = ["--site", delivery.site, "--collection", COLLECTION, "--id", delivery.id]
            got = _aida("deliver", str(delivery.source), *options)
            remarks.print(
                "    delivered before: nothing to do" if got["already_there"] else f"    {got['files']} files"
            )
    _step("Raw ingest, de-identification, harmonisation, quality checks, candidate")
    ran = _aida("run")
    remarks.print(
        f"    {len(ran['runs'])} Dagster runs"
        if ran["runs"]
        else "    every stage is up to date: no work was done"
    )
    _step(f"The steward signs: {SIGN_OFF}")
    released = _aida("release", COLLECTION, "--sign-off", SIGN_OFF)
    name = f"{released['name']}@{released['version']}"
    remarks.print(f"    released {name}" if released["new"] else f"    {name} stands: nothing new to release")
    _step("A downstream team pulls and verifies it")
    pulled = home / "demo" / name
    _aida("pull", name, str(pulled), "--format", "nifti")
    verified = _aida("verify", name)
    remarks.print(f"    {verified['objects']:,} objects, all as signed")
    _summary(name, pulled, time.monotonic() - started)


def _step(words: str) -> None:
    remarks.print(f"● {words}")


def _aida(*arguments: str) -> Any:
    child = subprocess.run(
        [sys.executable, "-m", "aida_pipelines.cli", *arguments, "--json"],
        stdout=subprocess.PIPE,
        check=False,
    )
    if child.returncode not in (DONE, WITH_FINDINGS):
        remarks.print(child.stdout.decode(), markup=False)
        raise AidaError(
            f"`aida {arguments[0]}` ended with {child.returncode}.", way_out="Its words above say why."
        )
    return json.loads(child.stdout)


def _summary(name: str, pulled: Path, seconds: float) -> None:
    status = _aida("status")
    outcomes = ("received", "refined", "duplicate", "rejected", "quarantined")
    total = {key: sum(row[key] for row in status["deliveries"]) for key in outcomes}
    dataset = next(d for d in _aida("datasets") if f"{d['name']}@{d['version']}" == name)
    held = ", ".join(f"{count} × {reason}" for reason, count in status["quarantine"].items())
    subject = _aida("query", _ONE_SUBJECT)[0]["subject"]
    remarks.print(
        f"""
Done in {seconds:.0f} s.
{total["received"]} files from {len(status["deliveries"])} hospitals: {total["refined"]} refined, \
{total["duplicate"]} duplicate, {total["rejected"]} rejected,
{total["quarantined"]} held for a steward ({held}).
{name}: {dataset["subjects"]} subjects, {dataset["studies"]} studies, {dataset["series"]} series, \
{dataset["instances"]} instances.

  zones, key, Dagster's records   {aida_home()}
  what the downstream team got    {pulled}

Try next (AIDA_HOME={aida_home()}):
  aida ui                         the asset graph, deliveries and checks in a browser
  aida quarantine list            what is held, and why
  aida query "{_EXAMPLE}"
  aida explain {subject}""",
        markup=False,
    )
