"""What the UI shows of a receipt: counts, reasons, tables, a picture, in a steward's words.

Metadata is not access-controlled: nothing identifying may pass here, so everything comes from receipts and from
tables and previews of the refined zone. https://docs.dagster.io/guides/build/assets/metadata-and-tags
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from aida_pipelines.contracts.table import TableContract
from aida_pipelines.reasons import REASONS
from aida_pipelines.storage.objects import object_key
from aida_pipelines.storage.receipts import Receipt
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import TableFile, iter_rows

_PICTURES = 6
"""Previews shown for a delivery: enough to see what came, few enough for the event log (some 30 kB each)."""


def column_schema(contract: TableContract) -> dg.TableSchema:
    """A table's columns as its contract describes them."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                name=column.name,
                type=column.logical_type,
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=not column.required, unique=column.unique),
            )
            for column in contract.columns
        ]
    )


def reasons_table(reasons: Mapping[str, int]) -> dg.MarkdownMetadataValue:
    """Items that were not passed on, by reason, with what can be done."""
    if not reasons:
        return dg.MetadataValue.md("Everything was passed on.")
    lines = ["| items | outcome | reason | what to do |", "|---:|---|---|---|"]
    for code, items in sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0])):
        reason = REASONS[code]
        lines.append(f"| {items} | {reason.outcome} | {reason.says} (`{code}`) | {reason.advice} |")
    return dg.MetadataValue.md("\n".join(lines))


def counts_table(counts: Mapping[str, int]) -> dg.MarkdownMetadataValue:
    """Items by outcome, as one row."""
    names = list(counts)
    return dg.MetadataValue.md(
        "\n".join(
            (
                "| " + " | ".join(names) + " |",
                "|" + "---:|" * len(names),
                "| " + " | ".join(f"{counts[name]:,}" for name in names) + " |",
            )
        )
    )


def of_table(file: TableFile) -> dict[str, Any]:
    """Facts about one table as written."""
    return {
        "dagster/row_count": file.rows,
        "table's bytes": dg.MetadataValue.int(file.bytes),
        "table's object": dg.MetadataValue.text(file.key),
        "table's sha256": dg.MetadataValue.text(file.sha256),
    }


def of_receipt(receipt: Receipt) -> dict[str, Any]:
    """Facts about what a stage did with a delivery."""
    facts: dict[str, Any] = {
        "site": receipt.site,
        "collection": receipt.collection,
        "received on": receipt.received_on.isoformat(),
        "code version": receipt.code_version,
    }
    if receipt.counts:
        facts["counts"] = counts_table(receipt.counts)
    if receipt.reasons:
        facts["not passed on"] = reasons_table(receipt.reasons)
    # Whole numbers as such: "41861" reads as a count, "41861.0" as a measurement.
    facts.update(
        {name: int(value) if value == int(value) else float(value) for name, value in receipt.figures.items()}
    )
    return facts


def results(
    receipt: Receipt,
    keys: Mapping[str, dg.AssetKey],
    extra: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[dg.MaterializeResult[None]]:
    """One result for each table of a receipt that is an asset.

    The data version is the hash of the table's bytes: a run that writes the same bytes again makes nothing
    downstream stale.
    """
    for file in receipt.tables:
        if file.table in keys:
            yield dg.MaterializeResult(
                asset_key=keys[file.table],
                metadata={**of_receipt(receipt), **(extra or {}).get(file.table, {}), **of_table(file)},
                data_version=dg.DataVersion(file.sha256),
            )


def pictures(store: ObjectStore, series: TableFile) -> dict[str, Any]:
    """Contact sheets of a delivery's first series, as the series table names them."""
    shown: list[str] = []
    for row in iter_rows(store, series.key, ["preview_sha256", "modality"]):
        sha256 = row["preview_sha256"]
        if sha256 and len(shown) < _PICTURES:
            png = base64.b64encode(store.get(object_key(sha256, "png"))).decode()
            shown.append(f"![{row['modality']} series](data:image/png;base64,{png})")
    return {"pictures": dg.MetadataValue.md(" ".join(shown))} if shown else {}


def records(rows: Sequence[Mapping[str, str | int | float | bool | None]]) -> dg.TableMetadataValue:
    """A small table of facts."""
    return dg.MetadataValue.table([dg.TableRecord(dict(row)) for row in rows])
