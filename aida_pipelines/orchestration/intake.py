"""Code location ``intake``: the identifiable side. Has the raw zone and the pseudonym key.

A hospital may run this location alone, inside its own walls.
"""

from __future__ import annotations

import dagster as dg

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.orchestration import checks, jobs, sensors
from aida_pipelines.orchestration.assets.deidentification import TABLES, deidentification
from aida_pipelines.orchestration.assets.raw_ingest import raw_ingest
from aida_pipelines.orchestration.resources import IntakeZones
from aida_pipelines.orchestration.specs import clinical_tables
from aida_pipelines.settings import IntakeSettings, intake_settings
from aida_pipelines.stages import Stage


def build_defs(settings: IntakeSettings) -> dg.Definitions:
    """The location's definitions; tests and production share this one assembly."""
    contracts = load_contracts(settings.contracts)
    stage = Stage.DEIDENTIFICATION
    return dg.Definitions(
        assets=[raw_ingest(contracts), deidentification(contracts)],
        asset_checks=[
            checks.accounted_for(),
            checks.contract_checks(contracts, stage=stage, tables=TABLES),
            *(
                checks.contract_checks(contracts, stage=stage, tables=[table], name=table)
                for table in clinical_tables(contracts)
            ),
        ],
        jobs=[jobs.INTAKE],
        sensors=[sensors.new_deliveries],
        resources={"zones": IntakeZones.of(settings)},
        # A run is one delivery in one process; the stages spread instances over processes of their own.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads."""
    return build_defs(intake_settings())
