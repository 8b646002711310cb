"""The zones and contracts that commands work on, opened from the environment."""

from __future__ import annotations

import stat
from pathlib import Path

from aida_pipelines.errors import UsageError
from aida_pipelines.settings import (
    IntakeSettings,
    RefinementSettings,
    aida_home,
    client_settings,
    intake_settings,
    refinement_settings,
)
from aida_pipelines.storage.store import ObjectStore, open_store


def prepare_home() -> Path:
    """Make ``AIDA_HOME``, readable by its owner only.

    Not the raw zone's folder: its first delivery makes that, and a machine without one is not on the intake side.
    """
    home = aida_home()
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(stat.S_IRWXU)
    return home


def raw_zone(settings: IntakeSettings | None = None) -> ObjectStore:
    """The raw zone."""
    settings = settings or intake_settings()
    return open_store(settings.raw_store, work_dir=settings.work_dir)


def raw_zone_if_any() -> ObjectStore | None:
    """The raw zone if this machine is on the intake side, else None."""
    settings = intake_settings()
    if settings.raw_store.startswith("file:") and not (settings.home / "raw").is_dir():
        return None
    return raw_zone(settings)


def refined_zone(settings: RefinementSettings | None = None) -> ObjectStore:
    """The refined zone."""
    settings = settings or refinement_settings()
    return open_store(settings.refined_store, work_dir=settings.work_dir)


def curated_zone() -> ObjectStore:
    """The curated zone."""
    return open_store(client_settings().curated_store)


def lacks_key(settings: IntakeSettings, refined: ObjectStore) -> bool:
    """Whether there is no pseudonym key yet; changes nothing.

    Raises:
        UsageError: There is no key, but something was de-identified with one: another key would give every
            person a second pseudonym.
    """
    if settings.key_file.exists():
        return False
    if next(iter(refined.list("receipts/deidentification/")), None):
        raise UsageError(
            f"The pseudonym key {settings.key_file} is missing, and deliveries were de-identified with it.",
            way_out="Put the key back (AIDA_PSEUDONYM_KEY_FILE). A new one would give every person a second "
            "pseudonym.",
        )
    return True


def ensure_key(settings: IntakeSettings, refined: ObjectStore) -> bool:
    """Make the embedded default's key on first use; True if one was made. Raises as ``lacks_key``."""
    from aida_pipelines.deid.keys import create_key

    if not lacks_key(settings, refined):
        return False
    create_key(settings.key_file)
    return True
