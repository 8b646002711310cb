"""The warehouse: every refined table and the releases, in one DuckDB file for analytics.

https://docs.dagster.io/guides/build/assets/defining-assets
"""

import dagster as dg

from aida_pipelines.orchestration.automation import AFTER_EACH_DELIVERY
from aida_pipelines.orchestration.failures import explained
from aida_pipelines.orchestration.metadata import records
from aida_pipelines.orchestration.resources import RefinementZones
from aida_pipelines.orchestration.specs import OWNERS, RELEASE
from aida_pipelines.warehouse import build


def warehouse_asset() -> dg.AssetsDefinition:
    """The asset."""

    @dg.asset(
        key=dg.AssetKey(["refined", "warehouse"]),
        deps=[
            dg.AssetDep(dg.AssetKey(["refined", "quality"]), partition_mapping=dg.AllPartitionMapping()),
            dg.AssetDep(RELEASE, partition_mapping=dg.AllPartitionMapping()),
        ],
        group_name="warehouse",
        owners=OWNERS["refinement"],
        kinds={"duckdb"},
        code_version=build.VERSION,
        automation_condition=AFTER_EACH_DELIVERY,
        tags={"zone": "refined"},
    )
    def warehouse(zones: RefinementZones) -> dg.MaterializeResult[None]:
        """One DuckDB file over all refined tables and all releases, for `aida query` and notebooks."""
        with explained():
            built = build.build_warehouse(
                refined=zones.refined(),
                curated=zones.curated(),
                contracts=zones.contracts(),
                work_dir=zones.work,
            )
        return dg.MaterializeResult(
            metadata={
                "tables": records([{"table": name, "rows": rows} for name, rows in built.tables.items()]),
                "bytes": built.bytes,
            },
            data_version=dg.DataVersion(built.fingerprint),
        )

    return warehouse
