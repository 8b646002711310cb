"""Checks that stand between the stages. They show figures and stop what comes next; they never keep bytes out.

Contract checks are made from the tables' contracts, one op for all tables of a stage, because Great Expectations
costs some seconds to import: it is imported inside the check, once a run.
Checks with partitions are in preview in Dagster 1.13; without them a check would speak of whichever delivery ran
last. https://docs.dagster.io/guides/test/asset-checks
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.orchestration.failures import explained
from aida_pipelines.orchestration.metadata import counts_table, records
from aida_pipelines.orchestration.partitions import DELIVERIES
from aida_pipelines.orchestration.resources import IntakeZones, RefinementZones
from aida_pipelines.orchestration.specs import table_key
from aida_pipelines.quality.contract_checks import CheckResult, check_table
from aida_pipelines.reasons import Outcome
from aida_pipelines.stages import Stage
from aida_pipelines.storage.receipts import Receipt, read_receipt
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import iter_rows, scan


def contract_checks(
    contracts: Contracts, *, stage: Stage, tables: Sequence[str], name: str = ""
) -> dg.AssetChecksDefinition:
    """One blocking check a table: does what the stage wrote for a delivery meet the table's contract?

    Args:
        contracts: The contracts as loaded with the code location.
        stage: The stage that writes the tables; it must write them to the refined zone.
        tables: Their names. A table that a delivery may lack needs an op of its own: Dagster skips an op when any
            one of the assets it checks was skipped, and with it the checks of all the others.
        name: The op's name, without ``_contracts``; by default the stage's.
    """
    specs = {
        table: dg.AssetCheckSpec(
            "contract",
            asset=table_key(contracts, table),
            blocking=True,
            partitions_def=DELIVERIES,
            description=f"The rows meet contract {table} {contracts.table(table).version}: columns, types, "
            "required values, keys, ranges and codes.",
        )
        for table in tables
    }

    # By resource key, not by type: the op serves both code locations, whose zones are of different classes.
    @dg.multi_asset_check(
        name=f"{name or stage}_contracts", specs=list(specs.values()), required_resource_keys={"zones"}
    )
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        zones: IntakeZones | RefinementZones = context.op_execution_context.resources.zones
        with explained():
            refined, current = zones.refined(), zones.contracts()
            receipts = [_receipt(refined, stage, delivery) for delivery in context.partition_keys]
            for table, spec in specs.items():
                found = [
                    (receipt.delivery, check_table(current.table(table), scan(refined, file.key)))
                    for receipt in receipts
                    for file in receipt.tables
                    if file.table == table
                ]
                yield _contract_result(spec, found)

    return check


def _contract_result(
    spec: dg.AssetCheckSpec, found: Sequence[tuple[str, Sequence[CheckResult]]]
) -> dg.AssetCheckResult:
    failed = [
        {"delivery": delivery, "rule": result.name, "severity": result.severity, **result.observed}
        for delivery, results in found
        for result in results
        if not result.passed
    ]
    errors = any(row["severity"] == "error" for row in failed)
    metadata: dict[str, dg.MetadataValue] = {
        "rules evaluated": dg.MetadataValue.int(sum(len(results) for _, results in found)),
        "rules broken": dg.MetadataValue.int(len(failed)),
    }
    if failed:
        metadata["broken"] = dg.MetadataValue.json(failed)
    return dg.AssetCheckResult(
        passed=not failed,
        asset_key=spec.asset_key,
        check_name=spec.name,
        severity=dg.AssetCheckSeverity.ERROR if errors else dg.AssetCheckSeverity.WARN,
        description="All rules hold." if not failed else f"{len(failed)} of the contract's rules are broken.",
        metadata=metadata,
    )


def accounted_for() -> dg.AssetChecksDefinition:
    """Every delivered file has exactly one outcome, and no undecided leak."""
    instances, rejections = (dg.AssetKey(["refined", name]) for name in ("instances", "rejections"))
    every_file = dg.AssetCheckSpec(
        "every_file_accounted_for",
        asset=instances,
        blocking=True,
        partitions_def=DELIVERIES,
        description="Received = duplicate + quarantined + rejected + refined.",
    )
    no_identifier = dg.AssetCheckSpec(
        "no_identifier_found",
        asset=rejections,
        blocking=True,
        partitions_def=DELIVERIES,
        description="The independent verification found no identifier in what was to be passed on. An instance "
        "in which it did is held and with it its study: nothing of that was written to the refined zone. The "
        "delivery waits until a steward has rejected the instance, for the finding says that a rule is missing.",
    )

    @dg.multi_asset_check(name="deidentification_outcomes", specs=[every_file, no_identifier])
    def check(context: dg.AssetCheckExecutionContext, zones: IntakeZones) -> Iterator[dg.AssetCheckResult]:
        with explained():
            refined = zones.refined()
            receipts = [
                _receipt(refined, Stage.DEIDENTIFICATION, delivery) for delivery in context.partition_keys
            ]
            yield _every_file(every_file, receipts)
            yield _no_identifier(no_identifier, refined, receipts)

    return check


def _every_file(spec: dg.AssetCheckSpec, receipts: Sequence[Receipt]) -> dg.AssetCheckResult:
    outcomes = ("duplicate", "quarantined", "rejected", "refined")
    total = {name: sum(r.counts.get(name, 0) for r in receipts) for name in ("received", *outcomes)}
    passed = total["received"] == sum(total[name] for name in outcomes)
    return dg.AssetCheckResult(
        passed=passed,
        asset_key=spec.asset_key,
        check_name=spec.name,
        description="Every file has one outcome." if passed else "Some files have no outcome, or two.",
        metadata={"counts": counts_table(total)},
    )


def _no_identifier(
    spec: dg.AssetCheckSpec, refined: ObjectStore, receipts: Sequence[Receipt]
) -> dg.AssetCheckResult:
    held = [
        {"quarantine id": str(row["id"]), "delivery": receipt.delivery}
        for receipt in receipts
        if receipt.reasons.get("verification-failed")
        for row in iter_rows(refined, receipt.table("rejections").key, ["id", "reason", "outcome"])
        if row["reason"] == "verification-failed" and row["outcome"] == Outcome.QUARANTINED
    ]
    verified = sum(receipt.counts.get("refined", 0) for receipt in receipts)
    return dg.AssetCheckResult(
        passed=not held,
        asset_key=spec.asset_key,
        check_name=spec.name,
        description=f"{verified} verified and passed on, {len(held)} held.",
        metadata={"verified and passed on": verified, "held": len(held)}
        | ({"look at": records(held)} if held else {}),
    )


def _receipt(store: ObjectStore, stage: Stage, delivery: str) -> Receipt:
    receipt = read_receipt(store, stage, delivery)
    if receipt is None:
        text = f"{delivery} has no receipt of {stage}: materialise the stage before its checks."
        raise dg.Failure(text, allow_retries=False)
    return receipt
