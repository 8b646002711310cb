"""Stage 4, quality checks: the collection's gates, measured on every series and volume of a delivery.

https://docs.dagster.io/guides/build/assets/defining-assets
"""

import dagster as dg

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.orchestration.assets.harmonisation import TABLES
from aida_pipelines.orchestration.automation import ONCE_UPSTREAM_IS_SOUND
from aida_pipelines.orchestration.failures import explained
from aida_pipelines.orchestration.metadata import results
from aida_pipelines.orchestration.resources import RefinementZones
from aida_pipelines.orchestration.specs import table_key, table_spec
from aida_pipelines.quality import stage
from aida_pipelines.stages import Stage


def quality_checks(contracts: Contracts) -> dg.AssetsDefinition:
    """The asset of this stage."""
    spec = table_spec(
        contracts,
        "quality",
        stage=Stage.QUALITY_CHECKS,
        location="refinement",
        code_version=stage.VERSION,
        deps=[table_key(contracts, table) for table in TABLES],
        automation_condition=ONCE_UPSTREAM_IS_SOUND,
    )

    @dg.multi_asset(name="quality_checks", specs=[spec])
    def quality_checks_(
        context: dg.AssetExecutionContext, zones: RefinementZones
    ) -> dg.MaterializeResult[None]:
        with explained():
            receipt = stage.run(
                context.partition_key,
                refined=zones.refined(),
                contracts=zones.contracts(),
                work_dir=zones.work,
            )
            return next(results(receipt, {"quality": spec.key}))

    return quality_checks_
