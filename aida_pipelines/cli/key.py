"""The pseudonym key's commands: new, show, rotate. None of them ever prints the key."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from aida_pipelines.cli.output import JsonFlag, emit_json, emit_table, remarks
from aida_pipelines.errors import UsageError

key = typer.Typer(help="The pseudonym key: make it, look at its facts, replace it.", no_args_is_help=True)

KeyPath = Annotated[
    Path | None, typer.Argument(help="The key's file; default AIDA_PSEUDONYM_KEY_FILE.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(key, name="key")


@key.command()
def new(path: KeyPath = None, as_json: JsonFlag = False) -> None:
    """Make a key. A file that is there is never touched."""
    from aida_pipelines.cli.zones import lacks_key, prepare_home, refined_zone
    from aida_pipelines.deid.keys import create_key
    from aida_pipelines.settings import intake_settings

    settings = intake_settings()
    target = path or settings.key_file
    if target.absolute() == settings.key_file:
        lacks_key(settings, refined_zone())  # a lost key is put back, not replaced
        if settings.key_file.parent == settings.home:
            prepare_home()
    create_key(target)
    facts = _facts(target)
    if as_json:
        emit_json(facts)
    else:
        remarks.print(
            f"Made the key {facts['key_id']} in {target}.\n"
            "Keep it safe, and keep it: back it up apart from the zones (docs/operations.md).",
            markup=False,
        )


@key.command()
def show(path: KeyPath = None, as_json: JsonFlag = False) -> None:
    """Which key it is, its file's mode, what was made with it, and which keys came before it."""
    from aida_pipelines.settings import intake_settings

    facts, by_key = _facts(path or intake_settings().key_file), _deliveries()
    facts["deliveries"] = by_key.pop(facts["key_id"], 0)
    facts["deliveries_of_other_keys"] = dict(sorted(by_key.items()))
    if as_json:
        emit_json(facts)
    else:
        emit_table([{"": name.replace("_", " "), "value": _words(value)} for name, value in facts.items()])


@key.command()
def rotate(
    path: KeyPath = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask: I know what it means.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put a new key in the old one's place. Everybody gets new pseudonyms with the next run.

    The old key is kept beside it, as PATH.KEYID. Releases made with it stay as they are, and nothing links them to
    later ones.
    """
    from aida_pipelines.deid.keys import key_id, load_key, rotate_key
    from aida_pipelines.settings import intake_settings

    in_use = intake_settings().key_file
    target = path or in_use
    old = key_id(load_key(target))
    if not yes:
        _confirm(old, _deliveries().get(old, 0))
    kept = rotate_key(target)
    facts = {**_facts(target), "replaced": old, "kept": str(kept)}
    if as_json:
        emit_json(facts)
    else:
        follows = " Next: aida run, which does every delivery again." if target.absolute() == in_use else ""
        remarks.print(
            f"The key {facts['key_id']} is in {target}; {old} is kept in {kept}.\nBack up both.{follows}",
            markup=False,
        )


def _confirm(old: str, deliveries: int) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            "Nobody is there to be asked; the key was left as it is.",
            way_out="Say --yes if every person shall get a new pseudonym.",
        )
    remarks.print(
        f"The key {old} will be replaced. Deliveries de-identified with it: {deliveries:,}; the next `aida run` does "
        "them again. Every person gets a new pseudonym, every UID and date another value, and nothing links "
        "releases that were made before to those that come."
    )
    typer.confirm("Replace it?", abort=True, err=True)


def _facts(path: Path) -> dict[str, Any]:
    """What can be said of a key without saying it."""
    from aida_pipelines.deid.keys import key_id, load_key, retired_keys

    return {
        "path": str(path.absolute()),
        "key_id": key_id(load_key(path)),
        "mode": f"{stat.S_IMODE(path.stat().st_mode):04o}",
        "kept_keys": {name: str(there) for name, there in retired_keys(path).items()},
    }


def _deliveries() -> dict[str, int]:
    """Deliveries in the refined zone by the key that they were de-identified with."""
    from collections import Counter

    from aida_pipelines.cli.zones import refined_zone
    from aida_pipelines.stages import Stage
    from aida_pipelines.storage.receipts import list_receipts

    return Counter(
        receipt.inputs.get("key", "") for receipt in list_receipts(refined_zone(), Stage.DEIDENTIFICATION)
    )


def _words(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {inner}" for name, inner in value.items()) or "none"
    return value
