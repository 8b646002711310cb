"""Stage 2, de-identification: instances rewritten, verified, and put into the refined zone.

Verification comes before anything is written to ``refined``; the checks on these assets show its figures and stop
what comes next. https://docs.dagster.io/guides/build/assets/multi-assets
"""

from collections.abc import Iterator

import dagster as dg

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.deid import stage
from aida_pipelines.deid.evidence import Evidence, read_report, report_key
from aida_pipelines.orchestration.evidence import of_evidence
from aida_pipelines.orchestration.failures import explained
from aida_pipelines.orchestration.metadata import results
from aida_pipelines.orchestration.resources import IntakeZones
from aida_pipelines.orchestration.specs import clinical_tables, table_key, table_spec
from aida_pipelines.stages import Stage

TABLES = ("instances", "rejections", "deid_actions")
"""What every delivery gets; clinical tables come with some."""


def deidentification(contracts: Contracts) -> dg.AssetsDefinition:
    """The assets of this stage."""
    tables = [*TABLES, *clinical_tables(contracts)]
    keys = {table: table_key(contracts, table) for table in tables}
    specs = [
        table_spec(
            contracts,
            table,
            stage=Stage.DEIDENTIFICATION,
            location="intake",
            code_version=stage.VERSION,
            deps=[table_key(contracts, "files")],
            skippable=table.startswith("clinical_"),  # most deliveries come without clinical tables
        )
        for table in tables
    ]

    @dg.multi_asset(name="deidentification", specs=specs, pool="cpu")
    def deidentification_(
        context: dg.AssetExecutionContext, zones: IntakeZones
    ) -> Iterator[dg.MaterializeResult[None]]:
        with explained():
            refined = zones.refined()
            receipt = stage.run(
                context.partition_key,
                raw=zones.raw(),
                refined=refined,
                contracts=zones.contracts(),
                key_file=zones.key_file,
                work_dir=zones.work,
            )
            made = Evidence.model_validate_json(read_report(refined, receipt.delivery, "json"))
            facts = of_evidence(made, at=f"{refined.url}/{report_key(receipt.delivery, 'html')}")
            yield from results(receipt, keys, dict.fromkeys(TABLES, facts))

    return deidentification_
