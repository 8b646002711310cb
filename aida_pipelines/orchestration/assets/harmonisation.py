"""Stage 3, harmonisation: series, studies, subjects and volumes that mean the same from every scanner.

https://docs.dagster.io/guides/build/assets/multi-assets
"""

from collections.abc import Iterator

import dagster as dg

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.harmonise import stage
from aida_pipelines.orchestration.automation import ONCE_UPSTREAM_IS_SOUND
from aida_pipelines.orchestration.failures import explained
from aida_pipelines.orchestration.metadata import pictures, results
from aida_pipelines.orchestration.resources import RefinementZones
from aida_pipelines.orchestration.specs import table_key, table_spec
from aida_pipelines.stages import Stage

TABLES = ("series", "studies", "subjects", "volumes", "unmapped_terms")


def harmonisation(contracts: Contracts) -> dg.AssetsDefinition:
    """The assets of this stage."""
    keys = {table: table_key(contracts, table) for table in TABLES}
    specs = [
        table_spec(
            contracts,
            table,
            stage=Stage.HARMONISATION,
            location="refinement",
            code_version=stage.VERSION,
            deps=[dg.AssetKey(["refined", "instances"])],
            automation_condition=ONCE_UPSTREAM_IS_SOUND,
        )
        for table in TABLES
    ]

    @dg.multi_asset(name="harmonisation", specs=specs, pool="cpu")
    def harmonisation_(
        context: dg.AssetExecutionContext, zones: RefinementZones
    ) -> Iterator[dg.MaterializeResult[None]]:
        with explained():
            refined = zones.refined()
            receipt = stage.run(
                context.partition_key, refined=refined, contracts=zones.contracts(), work_dir=zones.work
            )
            shown = pictures(refined, receipt.table("series"))
            yield from results(receipt, keys, {"series": shown})

    return harmonisation_
