"""The bridge to Great Expectations: rules in, counts out.

Each expectation is built on its own, because a suite made from a dictionary drops a type that it does not know
without a word; and what was evaluated is counted, because an expectation that could not be evaluated must not pass.
Great Expectations has no Polars back end: rows come in pieces, as pandas frames of just the columns that rules read,
so memory does not grow with a table. It takes some 7 s to import and is imported here, in functions, only.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from aida_pipelines.contracts.table import Rule

_PIECE = 100_000
"""Rows a piece: some ten megabytes a column."""


def broken_rows(frame: pl.LazyFrame, rules: Sequence[Rule]) -> dict[str, int]:
    """How many values break each rule.

    Args:
        frame: The table's rows.
        rules: Rules on values, each of an expectation that looks at a row at a time.

    Returns:
        Rule's name → number of values (of an array's items, for a rule on items) that break it.

    Raises:
        ValueError: A rule names an expectation that Great Expectations doesn't have or can't evaluate.
    """
    if not rules:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        validator = _Validator()
        broken = dict.fromkeys((rule.name for rule in rules), 0)
        columns = sorted({column for rule in rules for column in rule.columns})
        for piece in frame.select(columns).collect_batches(chunk_size=_PIECE, maintain_order=False):
            for name, count in validator.count(piece, rules):
                broken[name] += count
        return broken


class _Validator:
    """An ephemeral Great Expectations context: no files, no analytics, no progress bars."""

    def __init__(self) -> None:
        logging.getLogger("great_expectations").setLevel(logging.ERROR)
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._context.enable_analytics(False)
        asset = self._context.data_sources.add_pandas("pieces").add_dataframe_asset("piece")
        self._batches = asset.add_batch_definition_whole_dataframe("piece")

    def count(self, piece: pl.DataFrame, rules: Iterable[Rule]) -> Iterable[tuple[str, int]]:
        """Broken values of one piece, rule by rule."""
        for rule in rules:
            frame = piece.select(rule.columns)
            if rule.items:
                frame = frame.explode(rule.columns[0])
            if frame.height:
                yield rule.name, self._one(frame, rule)

    def _one(self, frame: pl.DataFrame, rule: Rule) -> int:
        import great_expectations as gx
        from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

        configuration = ExpectationConfiguration(type=rule.expectation, kwargs=dict(rule.kwargs))
        suite = gx.ExpectationSuite(name=rule.name, expectations=[configuration.to_domain_obj()])
        batch = self._batches.get_batch({"dataframe": frame.to_pandas()})
        # No sample of unexpected values is asked for: they could identify, and nobody would read them here.
        form: dict[str, Any] = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
        result = batch.validate(suite, result_format=form)
        if len(result.results) != 1 or result.results[0].exception_info.get("raised_exception"):
            raise ValueError(f"Great Expectations could not evaluate {rule.expectation} for {rule.name}")
        found = result.results[0]
        count = int(found.result.get("unexpected_count") or 0)
        return count if found.success or count else 1
