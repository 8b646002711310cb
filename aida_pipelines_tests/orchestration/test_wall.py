"""The legal line: the refinement side has no way to the raw zone, and domain code knows nothing of Dagster."""

import json
import os
import subprocess
import sys

import pytest

from aida_pipelines.settings import RAW_VARIABLES, RefinementSettings

DOMAIN = [
    "contracts",
    "dicom",
    "ingest",
    "deid",
    "harmonise",
    "quality",
    "release",
    "warehouse",
    "client",
    "storage",
    "status",
    "demo",
]
INTAKE_ONLY = ("aida_pipelines.ingest", "aida_pipelines.deid")


def modules_after(program: str, env: dict[str, str] | None = None) -> set[str]:
    """Names of the modules that are loaded after ``program`` has run in a fresh interpreter."""
    code = f"{program}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, env=env)
    return set(json.loads(out.stdout.splitlines()[-1]))


IMPORT_ALL = """
import importlib, pkgutil, aida_pipelines.{package} as package
for found in pkgutil.walk_packages(getattr(package, "__path__", []), package.__name__ + "."):
    importlib.import_module(found.name)
"""


@pytest.mark.parametrize("package", DOMAIN)
def test_domain_packages_never_import_dagster(package):
    assert "dagster" not in modules_after(IMPORT_ALL.format(package=package))


def test_refinement_location_loads_nothing_of_intake(tmp_path):
    env = {k: v for k, v in os.environ.items() if k not in RAW_VARIABLES} | {"AIDA_HOME": str(tmp_path)}
    loaded = modules_after(
        "from aida_pipelines.orchestration.refinement import defs; import dagster as dg\n"
        "dg.Definitions.validate_loadable(defs())",
        env,
    )
    assert not [name for name in loaded if name.startswith(INTAKE_ONLY)]


def test_neither_location_pays_for_great_expectations_or_simpleitk_when_it_loads(tmp_path):
    env = dict(os.environ) | {"AIDA_HOME": str(tmp_path)}
    for location in ("intake", "refinement"):
        loaded = modules_after(f"from aida_pipelines.orchestration.{location} import defs; defs()", env)
        assert not {"great_expectations", "SimpleITK", "pandas"} & loaded


def test_refinement_settings_have_no_field_for_the_raw_zone_or_the_key():
    assert not [name for name in RefinementSettings.__dataclass_fields__ if "raw" in name or "key" in name]
