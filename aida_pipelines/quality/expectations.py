"""The bridge to Great Expectations: a contract's rules in, numbers out.

Great Expectations 1.24 has four habits that this module keeps away from the rest:

* it imports for seconds, so it is imported when the first rows arrive;
* it drops an expectation of unknown type with a log line, so each is constructed here, and what was evaluated is
  counted against what was declared;
* it has no backend for Polars or DuckDB, so rows come as Arrow-backed pandas frames, a part of the table at a
  time: memory is that of one part. That is why a rule looks at one row; the counts of the parts add up;
* its results and logs quote the values that broke a rule, so only counts are asked for and its logger is silent.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from aida_pipelines.contracts.table import Rule
from aida_pipelines.errors import ContractError

_COUNTS_ONLY = {"result_format": "SUMMARY", "partial_unexpected_count": 0}


@dataclass(slots=True)
class Tally:
    """What a rule found, over all parts of a table.

    Attributes:
        rows: Values looked at, missing ones included.
        missing: Values that are missing; a rule on values says nothing of them.
        unexpected: Values that break the rule.
    """

    rows: int = 0
    missing: int = 0
    unexpected: int = 0

    def within(self, mostly: float) -> bool:
        """Whether at least the share ``mostly`` of the values that are there keeps the rule."""
        there = self.rows - self.missing
        return there - self.unexpected >= mostly * there


def evaluate(rules: Sequence[Rule], parts: Iterable[pl.DataFrame], *, table: str) -> dict[str, Tally]:
    """Evaluate rules on a table that comes in parts.

    Args:
        rules: What to evaluate; their columns are in every part. A rule on ``items`` sees each item of a list
            as a row.
        parts: The table's rows.
        table: Its name, for errors.

    Returns:
        For each rule's name what it found. Zero rows: zeros, and Great Expectations is not imported.

    Raises:
        ContractError: A rule can't be evaluated: wrong arguments, or a column of a type that it can't look at.
    """
    tallies = {rule.name: Tally() for rule in rules}
    suites: list[_Suite] | None = None
    for part in parts:
        if part.is_empty() or not rules:
            continue
        if suites is None:
            suites = _suites(rules, table)
        for suite in suites:
            suite.add(part, tallies)
    return tallies


def _suites(rules: Sequence[Rule], table: str) -> list[_Suite]:
    """A suite for the rules on one column, one for each pair of columns, one for each list's items."""
    groups: dict[tuple[str, ...], list[Rule]] = {}
    for rule in rules:
        kind = "items" if rule.items else "pair" if len(rule.columns) > 1 else "rows"
        groups.setdefault((kind,) if kind == "rows" else (kind, *rule.columns), []).append(rule)
    context = _context()
    return [_Suite(context, group, kind=kind, table=table) for (kind, *_), group in groups.items()]


def _context() -> Any:
    """A context that keeps nothing, sends nothing and draws no progress bars."""
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
        from great_expectations.data_context.types.base import (
            DataContextConfig,
            InMemoryStoreBackendDefaults,
            ProgressBarsConfig,
        )

        config = DataContextConfig(
            analytics_enabled=False,
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=ProgressBarsConfig(globally=False),
        )
        return gx.get_context(mode="ephemeral", project_config=config)


class _Suite:
    """Rules that see the same rows: ``rows`` as they are, a ``pair`` of columns, or the ``items`` of a list."""

    def __init__(self, context: Any, rules: Sequence[Rule], *, kind: str, table: str) -> None:
        import great_expectations as gx

        self.rules = {rule.name: rule for rule in rules}
        self.columns = sorted({column for rule in rules for column in rule.columns})
        self.kind = kind
        self.table = table
        name = "-".join((kind, *self.columns)) if kind != "rows" else kind
        asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
        self.batches = asset.add_batch_definition_whole_dataframe(name)
        self.suite = gx.ExpectationSuite(name=name, expectations=[self._expectation(rule) for rule in rules])

    def add(self, part: pl.DataFrame, tallies: Mapping[str, Tally]) -> None:
        """Evaluate one part and add what was found to ``tallies``."""
        frame = part.select(self.columns)
        incomplete = 0
        if self.kind == "items":
            frame = frame.explode(self.columns[0], empty_as_null=True)
        elif self.kind == "pair":
            # It compares missing values as if they were some, and fails where it can't.
            frame = frame.drop_nulls()
            incomplete = part.height - frame.height
        else:
            # Its rules on lengths measure the text of a value. Only they look at whole lists: a sign for each item.
            lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
            frame = frame.with_columns(
                pl.lit("·").repeat_by(pl.col(name).list.len()).list.join("").alias(name) for name in lists
            )
        for name in self.rules if incomplete else ():
            tallies[name].rows += incomplete
            tallies[name].missing += incomplete
        if frame.is_empty():
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pandas = frame.to_pandas(use_pyarrow_extension_array=True)
            batch = self.batches.get_batch({"dataframe": pandas})
            results = batch.validate(self.suite, result_format=_COUNTS_ONLY).results
        evaluated = [result.expectation_config.meta["rule"] for result in results]
        if sorted(evaluated) != sorted(self.rules):
            raise ContractError(
                f"Table {self.table}: {len(self.rules)} rules are declared, {len(evaluated)} were evaluated."
            )
        for name, result in zip(evaluated, results, strict=True):
            found = result.result
            if "unexpected_count" not in found:  # Great Expectations tells of its own exceptions by silence
                raise self._not_evaluable(name)
            tally = tallies[name]
            tally.rows += found["element_count"]
            tally.missing += found.get("missing_count", 0)
            tally.unexpected += found["unexpected_count"]

    def _expectation(self, rule: Rule) -> Any:
        from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

        try:
            return ExpectationConfiguration(
                type=rule.expectation, kwargs=dict(rule.kwargs), meta={"rule": rule.name}
            ).to_domain_obj()
        except Exception as error:  # its errors share no base: unknown type, pydantic v1's, TypeError
            raise self._not_evaluable(rule.name) from error

    def _not_evaluable(self, rule: str) -> ContractError:
        expectation = self.rules[rule].expectation
        return ContractError(
            f"Table {self.table}, rule {rule}: {expectation} can't be evaluated with these arguments and columns.",
            way_out=f"Mend the rule in data_contracts/tables/{self.table}.odcs.yaml; the expectation's page says "
            f"what it takes: https://greatexpectations.io/expectations/{expectation}",
        )
