"""Code location ``refinement``: the de-identified side. No raw zone, no key, here or in its environment."""

from __future__ import annotations

import dagster as dg

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.orchestration import checks, jobs
from aida_pipelines.orchestration.assets.curated_datasets import candidate_asset, release_asset
from aida_pipelines.orchestration.assets.harmonisation import TABLES, harmonisation
from aida_pipelines.orchestration.assets.quality_checks import quality_checks
from aida_pipelines.orchestration.assets.warehouse import warehouse_asset
from aida_pipelines.orchestration.automation import REFINEMENT_AUTOMATION
from aida_pipelines.orchestration.resources import RefinementZones
from aida_pipelines.settings import RefinementSettings, refinement_settings
from aida_pipelines.stages import Stage


def build_defs(settings: RefinementSettings) -> dg.Definitions:
    """The location's definitions; tests and production share this one assembly."""
    contracts = load_contracts(settings.contracts)
    return dg.Definitions(
        assets=[
            harmonisation(contracts),
            quality_checks(contracts),
            candidate_asset(contracts),
            release_asset(contracts),
            warehouse_asset(),
        ],
        asset_checks=[
            checks.contract_checks(contracts, stage=Stage.HARMONISATION, tables=TABLES),
            checks.contract_checks(contracts, stage=Stage.QUALITY_CHECKS, tables=["quality"]),
        ],
        jobs=[jobs.REFINE, jobs.CANDIDATES, jobs.RELEASES, jobs.WAREHOUSE],
        sensors=[REFINEMENT_AUTOMATION],
        resources={"zones": RefinementZones.of(settings)},
        executor=dg.in_process_executor,  # see intake
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads."""
    return build_defs(refinement_settings())
