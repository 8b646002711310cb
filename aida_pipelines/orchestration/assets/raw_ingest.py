"""Stage 1, raw ingest: what was delivered, file by file. Identifiable, raw zone.

https://docs.dagster.io/guides/build/assets/defining-assets
"""

import dagster as dg

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.ingest import stage
from aida_pipelines.orchestration.failures import explained
from aida_pipelines.orchestration.metadata import results
from aida_pipelines.orchestration.resources import IntakeZones
from aida_pipelines.orchestration.specs import table_key, table_spec
from aida_pipelines.stages import Stage


def raw_ingest(contracts: Contracts) -> dg.AssetsDefinition:
    """The asset of this stage."""
    spec = table_spec(
        contracts, "files", stage=Stage.RAW_INGEST, location="intake", code_version=stage.VERSION
    )

    @dg.multi_asset(name="raw_ingest", specs=[spec], pool="cpu")
    def raw_ingest_(context: dg.AssetExecutionContext, zones: IntakeZones) -> dg.MaterializeResult[None]:
        with explained():
            receipt = stage.run(
                context.partition_key, raw=zones.raw(), contracts=zones.contracts(), work_dir=zones.work
            )
            return next(results(receipt, {"files": table_key(contracts, "files")}))

    return raw_ingest_
