"""Stage 5, curated datasets: the candidate of each collection, and the release that a steward signs.

https://docs.dagster.io/guides/build/partitions-and-backfills/defining-dependencies-between-partitioned-assets
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.orchestration.automation import AFTER_EACH_DELIVERY
from aida_pipelines.orchestration.failures import explained
from aida_pipelines.orchestration.metadata import counts_table, records
from aida_pipelines.orchestration.partitions import collections
from aida_pipelines.orchestration.resources import RefinementZones
from aida_pipelines.orchestration.specs import CANDIDATE, OWNERS, RELEASE
from aida_pipelines.release import candidate as candidates
from aida_pipelines.release import publish
from aida_pipelines.stages import Stage


class SignOff(dg.Config):
    """Who takes responsibility for a release."""

    sign_off: str
    """Name and decision number, as in "Anna Exempelsson, 2026-117"."""


def candidate_asset(contracts: Contracts) -> dg.AssetsDefinition:
    """The asset that waits for a signature."""

    @dg.asset(
        key=CANDIDATE,
        deps=[dg.AssetDep(dg.AssetKey(["refined", "quality"]), partition_mapping=dg.AllPartitionMapping())],
        partitions_def=collections(contracts),
        group_name=Stage.CURATED_DATASETS.value,
        owners=OWNERS["refinement"],
        kinds={"parquet", "duckdb"},
        code_version=candidates.VERSION,
        automation_condition=AFTER_EACH_DELIVERY,
        tags={"zone": "refined"},
        output_required=False,  # a collection that nothing has been delivered for has no candidate
    )
    def candidate(
        context: dg.AssetExecutionContext, zones: RefinementZones
    ) -> Iterator[dg.MaterializeResult[None]]:
        """The next version of a collection's dataset as it would be released now.

        Holds the series that meet the collection's criteria and pass its blocking gates, from every delivery
        that is checked. Rebuilt after each delivery; nothing of it is public until a steward signs.
        """
        with explained():
            refined = zones.refined()
            if not candidates.has_deliveries(context.partition_key, refined):
                context.log.info("Nothing has been delivered and checked for this collection yet.")
                return
            built = candidates.build_candidate(
                context.partition_key,
                refined=refined,
                curated=zones.curated(),
                contracts=zones.contracts(),
                work_dir=zones.work,
            )
        yield dg.MaterializeResult(
            metadata={
                "next version": built.version,
                "parent": built.parent or "none",
                "counts": counts_table(built.counts),
                "selection": records([step.model_dump(mode="json") for step in built.attrition]),
                "deliveries": records(
                    [
                        used.model_dump(mode="json", exclude={"receipts", "code_versions"})
                        for used in built.deliveries
                    ]
                ),
            },
            data_version=dg.DataVersion(built.fingerprint),
        )

    return candidate


def release_asset(contracts: Contracts) -> dg.AssetsDefinition:
    """The asset that a signature makes."""

    @dg.asset(
        key=RELEASE,
        deps=[CANDIDATE],
        partitions_def=collections(contracts),
        group_name=Stage.CURATED_DATASETS.value,
        owners=OWNERS["refinement"],
        kinds={"parquet", "s3"},
        code_version=publish.VERSION,
        tags={"zone": "curated"},
    )
    def release(
        context: dg.AssetExecutionContext, config: SignOff, zones: RefinementZones
    ) -> dg.MaterializeResult[None]:
        """A signed, immutable, versioned dataset in the curated zone.

        Made by the job "release" (its form asks for name and decision number) or by `aida release`. A
        candidate that differs in nothing from the newest release makes no new version.
        """
        with explained():
            published = publish.publish(
                context.partition_key,
                sign_off=config.sign_off,
                refined=zones.refined(),
                curated=zones.curated(),
                contracts=zones.contracts(),
                work_dir=zones.work,
                now=datetime.now(UTC),
            )
        return dg.MaterializeResult(
            metadata={
                "dataset": f"{published.name}@{published.version}",
                "signed off by": published.sign_off,
                "counts": counts_table(published.counts),
                "bytes": published.bytes,
                "folder": f"{zones.curated_store}/{published.name}/{published.version}/",
            },
            data_version=dg.DataVersion(published.fingerprint),
        )

    return release
