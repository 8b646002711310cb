"""A table against its contract. The results hold counts and the contract's own words, never a value.

Columns, types, missing values, numbers of rows and keys are looked at by Polars, in two streaming passes over
the columns concerned; rules on values by Great Expectations (``expectations``), a part of the table at a time.
Memory is one part, and 16 bytes a row while a key is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from aida_pipelines.contracts.table import Key, RowCount, Rule, Severity, TableContract
from aida_pipelines.errors import ContractError
from aida_pipelines.quality.expectations import Tally, evaluate

PART_ROWS = 200_000
"""Rows that Great Expectations sees at one time: large enough that its overhead (about 0.1 s) vanishes."""

_MAX_CANDIDATES = 100_000
"""Rows of one key that are compared exactly; more duplicates than this need not be counted to be believed."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check of a contract found.

    Attributes:
        name: ``columns``, ``types``, ``required.COLUMN``, ``primary_key``, ``unique.COLUMN``, or the rule's name.
        passed: Whether the contract holds here.
        severity: What it means if not.
        observed: Counts; never a value of the table.
        description: The rule in words, out of the contract.
    """

    name: str
    passed: bool
    severity: Severity
    observed: Mapping[str, int | float] = field(default_factory=dict)
    description: str = ""


def check_table(contract: TableContract, frame: pl.LazyFrame) -> list[CheckResult]:
    """Check a table against its contract.

    A rule on a column that is missing or of another type can't be evaluated: it is left out, and ``columns`` or
    ``types``, which fail then, say how many were.

    Args:
        contract: What should hold.
        frame: The table; nothing is collected but counts and, a part at a time, the columns that rules read.

    Returns:
        One result for each thing that the contract says, in its order. Never empty.

    Raises:
        ContractError: A rule can't be evaluated, or was not on every row.
    """
    schema = frame.collect_schema()
    wanted = contract.polars_schema
    sound = {name for name, dtype in wanted.items() if schema.get(name) == dtype}
    rules = [rule for rule in contract.rules if sound.issuperset(rule.columns)]
    keys = [key for key in contract.keys if sound.issuperset(key.columns)]
    required = [name for name in contract.required if name in schema]
    total = len(contract.rules) + len(contract.keys) + len(contract.required)
    left_out = total - len(rules) - len(keys) - len(required)

    rows, missing = _count(frame, required)
    results = [*_structure(contract, schema, left_out)]
    results += [_row_count(rule, rows) for rule in contract.row_counts]
    results += [
        CheckResult(
            f"required.{name}",
            passed=missing[name] == 0,
            severity="error",
            observed={"rows": rows, "missing": missing[name]},
            description=f"Every row has {name}.",
        )
        for name in required
    ]
    results += [_unique(key, frame, rows, contract.name) for key in keys]
    columns = sorted({column for rule in rules for column in rule.columns})
    tallies = evaluate(rules, _parts(frame, columns), table=contract.name)
    for rule in rules:
        # A rule that has not seen every row has not been evaluated, whatever it found.
        if not rule.items and tallies[rule.name].rows != rows:
            raise ContractError(
                f"Table {contract.name}, rule {rule.name}: not all {rows} rows were evaluated."
            )
    return results + [_rule(rule, tallies[rule.name]) for rule in rules]


def _structure(contract: TableContract, schema: pl.Schema, left_out: int) -> Iterator[CheckResult]:
    wanted = contract.polars_schema
    absent = [name for name in wanted if name not in schema]
    others = [name for name in schema if name not in wanted]
    wrong = [name for name, dtype in wanted.items() if name in schema and schema[name] != dtype]
    unevaluated = {"rules_not_evaluated": left_out} if left_out else {}
    yield CheckResult(
        "columns",
        passed=not absent and not others,
        severity="error",
        observed={"columns": len(schema), "missing": len(absent), "unexpected": len(others)}
        | (unevaluated if absent else {}),
        description="The table has the contract's columns and no others."
        + (f" Missing: {', '.join(absent)}." if absent else ""),
    )
    yield CheckResult(
        "types",
        passed=not wrong,
        severity="error",
        observed={"columns": len(wanted) - len(absent), "wrong": len(wrong)} | (unevaluated if wrong else {}),
        description="Every column has the contract's type."
        + (f" Wrong: {', '.join(f'{name} (wanted {wanted[name]})' for name in wrong)}." if wrong else ""),
    )


def _count(frame: pl.LazyFrame, columns: Sequence[str]) -> tuple[int, dict[str, int]]:
    """Number of rows, and of missing values in each column."""
    counts = [pl.len().alias(""), *(pl.col(name).null_count() for name in columns)]
    row = frame.select(counts).collect(engine="streaming").row(0, named=True)
    return row.pop(""), row


def _row_count(rule: RowCount, rows: int) -> CheckResult:
    low, high = rule.minimum, rule.maximum
    passed = (low is None or rows >= low) and (high is None or rows <= high)
    bounds = [
        f"{words} {bound}" for words, bound in (("at least", low), ("at most", high)) if bound is not None
    ]
    words = f"The table has {' and '.join(bounds)} rows."
    return CheckResult(rule.name, passed, rule.severity, {"rows": rows}, words)


def _unique(key: Key, frame: pl.LazyFrame, rows: int, table: str) -> CheckResult:
    """Whether no two rows share a key.

    Rows whose key has a hash that another row's has too are few; Great Expectations says which of them are
    truly the same. Only hashes, 8 bytes a row, are ever held for the whole table.
    """
    keyed = frame.select(key.columns).drop_nulls()
    hashed = pl.struct(key.columns).hash(seed=0)
    hashes = keyed.select(hashed.alias("hash")).collect(engine="streaming")["hash"].sort()
    repeated = hashes.filter(hashes == hashes.shift(1)).unique()
    duplicates = 0
    if len(repeated):
        candidates = keyed.filter(hashed.is_in(repeated.implode())).head(_MAX_CANDIDATES)
        expectation, kwargs = (
            ("expect_column_values_to_be_unique", {"column": key.columns[0]})
            if len(key.columns) == 1
            else ("expect_compound_columns_to_be_unique", {"column_list": list(key.columns)})
        )
        rule = Rule(key.name, expectation, kwargs, key.columns, "error", "")
        parts = [candidates.collect(engine="streaming")]
        duplicates = evaluate([rule], parts, table=table)[key.name].unexpected
    words = " and ".join(key.columns)
    return CheckResult(
        key.name,
        passed=duplicates == 0,
        severity="error",
        observed={"rows": rows, "unexpected": duplicates},
        description=f"No two rows have the same {words}.",
    )


def _parts(frame: pl.LazyFrame, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    if columns:
        yield from frame.select(columns).collect_batches(chunk_size=PART_ROWS, engine="streaming")


def _rule(rule: Rule, tally: Tally) -> CheckResult:
    return CheckResult(
        rule.name,
        passed=tally.within(float(rule.kwargs.get("mostly", 1))),
        severity=rule.severity,
        observed={"rows": tally.rows, "missing": tally.missing, "unexpected": tally.unexpected},
        description=rule.description,
    )
