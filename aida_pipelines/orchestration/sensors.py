"""Sensors: what starts work when something has happened outside Dagster.

The logic is in ``outstanding`` and is tested without Dagster. https://docs.dagster.io/guides/automate/sensors
"""

import dagster as dg

from aida_pipelines.orchestration.jobs import INTAKE
from aida_pipelines.orchestration.outstanding.intake import outstanding
from aida_pipelines.orchestration.partitions import DELIVERIES
from aida_pipelines.orchestration.resources import IntakeZones


@dg.sensor(
    job=INTAKE,
    minimum_interval_seconds=60,  # a tick lists deliveries; deliveries come a few a day
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def new_deliveries(context: dg.SensorEvaluationContext, zones: IntakeZones) -> dg.SensorResult:
    """Starts intake for each new delivery, and again when its contract, profile or a steward's decision changed."""
    found = list(outstanding(zones.raw(), zones.refined(), zones.contracts(), zones.key_file))
    known = set(context.instance.get_dynamic_partitions(str(DELIVERIES.name)))
    new = [item.delivery for item in found if item.delivery not in known]
    return dg.SensorResult(
        dynamic_partitions_requests=[DELIVERIES.build_add_request(new)] if new else [],
        run_requests=[
            dg.RunRequest(partition_key=item.delivery, run_key=f"{item.delivery}:{item.key}")
            for item in found
        ],
    )
