"""The environment, read in one place and turned into typed settings.

Two views of it, one for each side of the legal line: ``IntakeSettings`` knows the raw zone and the key,
``RefinementSettings`` has no field for either, so that code that is handed it can't reach them by mistake.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aida_pipelines.errors import UsageError

RAW_VARIABLES = ("AIDA_RAW_STORE", "AIDA_PSEUDONYM_KEY_FILE")
"""What is taken out of the environment of any process on the refinement side."""

CHECKOUT = Path(__file__).resolve().parent.parent
SHIPPED = Path(__file__).resolve().parent / "_shipped"


def shipped_file(name: str) -> Path:
    """A file or folder that comes with the package (``dagster.yaml``, ``data_contracts``), wherever it is.

    An installed package carries them inside; a checkout has them at its top level.
    """
    inside = SHIPPED / name
    return inside if inside.exists() else CHECKOUT / name


@dataclass(frozen=True)
class ClientSettings:
    """What a downstream team needs: where curated datasets are."""

    home: Path
    curated_store: str


@dataclass(frozen=True)
class RefinementSettings:
    """What the refinement code location needs. There is no raw zone and no key here, on purpose."""

    home: Path
    contracts: Path
    refined_store: str
    curated_store: str

    @property
    def work_dir(self) -> Path:
        """Local scratch for de-identified intermediate files."""
        return self.home / "refined" / ".work"


@dataclass(frozen=True)
class IntakeSettings:
    """What the intake code location needs."""

    home: Path
    contracts: Path
    raw_store: str
    refined_store: str
    key_file: Path

    @property
    def work_dir(self) -> Path:
        """Local scratch for identifiable intermediate files: on the raw side, mode 0700, emptied after use."""
        return self.home / "raw" / ".work"


def aida_home(env: Mapping[str, str] = os.environ) -> Path:
    """``AIDA_HOME``, absolute; default ``./aida_home``."""
    return Path(env.get("AIDA_HOME") or "aida_home").expanduser().absolute()


def dagster_home(env: Mapping[str, str] = os.environ) -> Path:
    """Dagster's own storage (runs, events); holds nothing identifying."""
    return aida_home(env) / "dagster"


def contracts_dir(env: Mapping[str, str] = os.environ) -> Path:
    """``AIDA_CONTRACTS``; else ``./data_contracts``; else the ones that came with the package.

    Raises:
        UsageError: ``AIDA_CONTRACTS`` names a folder that isn't there.
    """
    named = env.get("AIDA_CONTRACTS")
    if named:
        path = Path(named).expanduser().absolute()
        if not path.is_dir():
            raise UsageError(
                f"AIDA_CONTRACTS names {named}, which is not a folder.",
                way_out="Point it at a folder with sites/, collections/, tables/, deid/ and vocabularies/.",
            )
        return path
    local = Path("data_contracts").absolute()
    return local if (local / "tables").is_dir() else shipped_file("data_contracts")


def _zone(env: Mapping[str, str], variable: str, folder: str) -> str:
    return env.get(variable) or (aida_home(env) / folder).as_uri()


def client_settings(env: Mapping[str, str] = os.environ) -> ClientSettings:
    """Settings of a downstream team, from the environment."""
    return ClientSettings(home=aida_home(env), curated_store=_zone(env, "AIDA_CURATED_STORE", "curated"))


def refinement_settings(env: Mapping[str, str] = os.environ) -> RefinementSettings:
    """Settings of the refinement side, from the environment."""
    return RefinementSettings(
        home=aida_home(env),
        contracts=contracts_dir(env),
        refined_store=_zone(env, "AIDA_REFINED_STORE", "refined"),
        curated_store=_zone(env, "AIDA_CURATED_STORE", "curated"),
    )


def intake_settings(env: Mapping[str, str] = os.environ) -> IntakeSettings:
    """Settings of the intake side, from the environment."""
    key_file = env.get("AIDA_PSEUDONYM_KEY_FILE")
    return IntakeSettings(
        home=aida_home(env),
        contracts=contracts_dir(env),
        raw_store=_zone(env, "AIDA_RAW_STORE", "raw"),
        refined_store=_zone(env, "AIDA_REFINED_STORE", "refined"),
        key_file=Path(key_file).expanduser().absolute() if key_file else aida_home(env) / "pseudonym.key",
    )
