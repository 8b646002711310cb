"""How an asset is described, the same for all: key, group, owners, kinds, columns, from the table's contract.

https://docs.dagster.io/guides/build/assets/defining-assets
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dagster as dg

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.orchestration.metadata import column_schema
from aida_pipelines.orchestration.partitions import DELIVERIES
from aida_pipelines.stages import Stage

CANDIDATE = dg.AssetKey(["curated", "candidate"])
RELEASE = dg.AssetKey(["curated", "release"])

OWNERS = {
    "intake": ["team:data-stewards", "team:intake"],
    "refinement": ["team:data-stewards", "team:refinement"],
}
"""Who is asked about an asset: stewards for what it says, the location's engineers for how it runs."""


def table_key(contracts: Contracts, table: str) -> dg.AssetKey:
    """``ZONE/TABLE``."""
    return dg.AssetKey([contracts.table(table).zone, table])


def table_spec(
    contracts: Contracts,
    table: str,
    *,
    stage: Stage,
    location: str,
    code_version: str,
    deps: Iterable[dg.AssetDep | dg.AssetKey] = (),
    automation_condition: dg.AutomationCondition[Any] | None = None,
    skippable: bool = False,
) -> dg.AssetSpec:
    """The spec of a per-delivery table: what its contract says of it is what the UI says."""
    contract = contracts.table(table)
    return dg.AssetSpec(
        table_key(contracts, table),
        deps=list(deps),
        description=contract.description,
        group_name=stage.value,
        owners=OWNERS[location],
        kinds={"parquet", "dicom"} if location == "intake" else {"parquet", "polars"},
        code_version=code_version,
        partitions_def=DELIVERIES,
        automation_condition=automation_condition,
        metadata={
            "dagster/column_schema": column_schema(contract),
            "contract": f"{contract.name} {contract.version}",
        },
        tags={"zone": contract.zone},
        skippable=skippable,
    )


def clinical_tables(contracts: Contracts) -> list[str]:
    """Names of the refined clinical tables, in order."""
    return sorted(n for n, c in contracts.tables.items() if n.startswith("clinical_") and c.zone == "refined")
