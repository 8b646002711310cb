"""Does a table meet its contract? Structure, keys and row counts by Polars, values by Great Expectations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from aida_pipelines.contracts.table import Key, RowCount, Severity, TableContract
from aida_pipelines.quality.expectations import broken_rows


@dataclass(frozen=True)
class CheckResult:
    """What one rule of a contract found.

    Attributes:
        name: The rule.
        passed: Whether it holds.
        severity: What it means if not.
        description: The rule in words.
        observed: Counts; never a value out of the table.
    """

    name: str
    passed: bool
    severity: Severity
    description: str
    observed: dict[str, int] = field(default_factory=dict)


def check_table(contract: TableContract, frame: pl.LazyFrame) -> list[CheckResult]:
    """Check a table.

    Args:
        contract: What should hold.
        frame: The table as written.

    Returns:
        A result for every rule. If the columns or their types are wrong there are only those results: rules on
        values of a column that isn't what it should be would say nothing.

    Raises:
        ValueError: A rule can't be evaluated.
    """
    structure = list(_structure(contract, frame.collect_schema()))
    if not all(result.passed for result in structure):
        return structure
    rows = int(frame.select(pl.len()).collect(engine="streaming").item())
    results = [*structure, *_required(contract, frame), *(_key(key, frame) for key in contract.keys)]
    results += [_row_count(rule, rows) for rule in contract.row_counts]
    broken = broken_rows(frame, contract.rules)
    results += [
        CheckResult(
            rule.name,
            passed=broken[rule.name] == 0,
            severity=rule.severity,
            description=rule.description,
            observed={"rows": rows, "broken": broken[rule.name]},
        )
        for rule in contract.rules
    ]
    return results


def _structure(contract: TableContract, found: pl.Schema) -> Iterator[CheckResult]:
    wanted = contract.polars_schema
    missing = [name for name in wanted if name not in found]
    unknown = [name for name in found if name not in wanted]
    differ = [name for name in wanted if name in found and found[name] != wanted[name]]
    for name, what, names in (
        ("columns.present", "Every column of the contract is there", missing),
        ("columns.known", "No column is there that the contract doesn't name", unknown),
        ("columns.types", "Every column has its type", differ),
    ):
        words = f"{what}{': not ' + ', '.join(names) if names else ''}."
        yield CheckResult(name, not names, "error", words, {"columns": len(wanted), "broken": len(names)})


def _required(contract: TableContract, frame: pl.LazyFrame) -> Iterator[CheckResult]:
    names = contract.required
    if not names:
        return
    nulls = frame.select(pl.col(names).null_count()).collect(engine="streaming").row(0, named=True)
    for name in names:
        yield CheckResult(
            f"required.{name}",
            passed=nulls[name] == 0,
            severity="error",
            description=f"{name} has a value in every row.",
            observed={"broken": int(nulls[name])},
        )


def _key(key: Key, frame: pl.LazyFrame) -> CheckResult:
    rows = frame.select(key.columns)
    if not key.nulls_count:
        rows = rows.drop_nulls()
    repeated = (
        rows.group_by(key.columns)
        .len()
        .select((pl.col("len") - 1).sum())
        .collect(engine="streaming")
        .item()
    )
    return CheckResult(
        key.name,
        passed=not repeated,
        severity="error",
        description=f"No two rows have the same {', '.join(key.columns)}.",
        observed={"broken": int(repeated or 0)},
    )


def _row_count(rule: RowCount, rows: int) -> CheckResult:
    low = rule.minimum if rule.minimum is not None else rows
    high = rule.maximum if rule.maximum is not None else rows
    bounds = f"{rule.minimum if rule.minimum is not None else '…'} to {rule.maximum if rule.maximum is not None else '…'}"
    return CheckResult(
        rule.name, low <= rows <= high, rule.severity, f"The table has {bounds} rows.", {"rows": rows}
    )
