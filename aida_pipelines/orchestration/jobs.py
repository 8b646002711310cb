"""Jobs: what can be started by name, from the UI, a sensor or the command line.

https://docs.dagster.io/guides/build/jobs
"""

from __future__ import annotations

import dagster as dg

from aida_pipelines.orchestration.specs import CANDIDATE, RELEASE
from aida_pipelines.stages import Stage

INTAKE = dg.define_asset_job(
    "intake",
    selection=dg.AssetSelection.groups(Stage.RAW_INGEST, Stage.DEIDENTIFICATION),
    description="Raw ingest and de-identification of a delivery, with their checks.",
)

REFINE = dg.define_asset_job(
    "refine",
    selection=dg.AssetSelection.groups(Stage.HARMONISATION, Stage.QUALITY_CHECKS),
    description="Harmonisation and quality checks of a delivery, with their checks.",
)


CANDIDATES = dg.define_asset_job(
    "candidate",
    selection=dg.AssetSelection.assets(CANDIDATE),
    description="Build the next version of a collection's dataset, for a steward to look at and sign.",
)

RELEASES = dg.define_asset_job(
    "release",
    selection=dg.AssetSelection.assets(RELEASE),
    description="Publish a collection's candidate. Needs a steward's name and the decision's number.",
)

WAREHOUSE = dg.define_asset_job(
    "warehouse",
    selection=dg.AssetSelection.assets(dg.AssetKey(["refined", "warehouse"])),
    description="Rebuild the DuckDB warehouse.",
)
