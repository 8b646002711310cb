"""What holds for a table: columns, schemas, rules. ``odcs`` reads it from a contract's YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

Severity = Literal["error", "warn"]
Zone = Literal["raw", "refined", "curated"]

SCALARS = ("string", "integer", "number", "boolean", "date", "timestamp")
"""The standard's logical types that a column or a list's item may have; beside them ``array``."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Its name in the table.
        logical_type: ``string``, ``integer``, ``number``, ``boolean``, ``date``, ``timestamp`` or ``array``.
        item_type: Logical type of an array's items; None for other types.
        description: What it says, for a person.
        unit: UCUM unit of a quantity (``mm``, ``ms``, ``kV``); None where there is none.
        required: No row without a value.
        unique: No value twice.
        classification: Who may see it, as the contract says; None where it doesn't.
        examples: Made-up values that show the form.
        custom: The standard's customProperties.
    """

    name: str
    logical_type: str
    item_type: str | None = None
    description: str = ""
    unit: str | None = None
    required: bool = False
    unique: bool = False
    classification: str | None = None
    examples: tuple[Any, ...] = ()
    custom: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule on values, as an expectation of Great Expectations that looks at a row at a time.

    Attributes:
        name: Unique in the table: ``KIND.COLUMN``, or the name that the contract gives.
        expectation: Type of the expectation (``expect_column_values_to_be_between``).
        kwargs: Its arguments.
        columns: The columns that it reads.
        severity: What a broken rule means.
        description: The rule in words.
        items: The rule holds for each item of an array, not for the array.
    """

    name: str
    expectation: str
    kwargs: Mapping[str, Any]
    columns: tuple[str, ...]
    severity: Severity
    description: str
    items: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """Columns whose values, together, may stand in one row only; rows that lack one of them don't count.

    Attributes:
        name: ``primary_key`` or ``unique.COLUMN``.
        columns: The columns.
    """

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowCount:
    """How many rows the table may have.

    Attributes:
        name: Unique in the table.
        minimum: At least so many; None for no bound.
        maximum: At most so many; None for no bound.
        severity: What it means if not.
    """

    name: str
    minimum: int | None
    maximum: int | None
    severity: Severity


@dataclass(frozen=True)
class TableContract:
    """What holds for one table.

    Attributes:
        name: The table's name.
        version: Semantic; raised with every change.
        fingerprint: SHA-256 of the contract's bytes.
        zone: Where the table is kept.
        description: What a row is and what the table is for.
        columns: In the table's order.
        primary_key: Columns that name a row.
        order_by: Columns that give the rows their one order.
        rules: Rules on values.
        row_counts: Rules on the number of rows.
    """

    name: str
    version: str
    fingerprint: str
    zone: Zone
    description: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    order_by: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    row_counts: tuple[RowCount, ...] = ()

    @property
    def keys(self) -> tuple[Key, ...]:
        """The primary key and every other unique column."""
        primary = (Key("primary_key", self.primary_key),) if self.primary_key else ()
        unique = (c.name for c in self.columns if c.unique and (c.name,) != self.primary_key)
        return primary + tuple(Key(f"unique.{name}", (name,)) for name in unique)

    @property
    def required(self) -> tuple[str, ...]:
        """Columns without which no row may be, the primary key's included."""
        return tuple(c.name for c in self.columns if c.required or c.name in self.primary_key)

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """The schema that the table is written with; its metadata names contract and version.

        Every field is nullable: a missing value is the contract check's finding, with its count, and not a
        crash of the writer.
        """
        import pyarrow as pa

        scalar = {
            "string": pa.string(),
            "integer": pa.int64(),
            "number": pa.float64(),
            "boolean": pa.bool_(),
            "date": pa.date32(),
            "timestamp": pa.timestamp("us", tz="UTC"),
        }

        def arrow_type(column: Column) -> pa.DataType:
            return pa.list_(scalar[column.item_type]) if column.item_type else scalar[column.logical_type]

        return pa.schema(
            [pa.field(column.name, arrow_type(column)) for column in self.columns],
            metadata={"contract": self.name, "contract_version": self.version},
        )

    @cached_property
    def polars_schema(self) -> pl.Schema:
        """The same schema as Polars has it."""
        import polars as pl

        scalar: dict[str, pl.DataType] = {
            "string": pl.String(),
            "integer": pl.Int64(),
            "number": pl.Float64(),
            "boolean": pl.Boolean(),
            "date": pl.Date(),
            "timestamp": pl.Datetime("us", "UTC"),
        }
        return pl.Schema(
            {
                c.name: pl.List(scalar[c.item_type]) if c.item_type else scalar[c.logical_type]
                for c in self.columns
            }
        )

    @property
    def duckdb_columns(self) -> str:
        """The same schema as DuckDB's ``CREATE TABLE`` has it: quoted names with types."""
        scalar = {
            "string": "VARCHAR",
            "integer": "BIGINT",
            "number": "DOUBLE",
            "boolean": "BOOLEAN",
            "date": "DATE",
            "timestamp": "TIMESTAMPTZ",
        }
        return ", ".join(
            f'"{c.name}" ' + (f"{scalar[c.item_type]}[]" if c.item_type else scalar[c.logical_type])
            for c in self.columns
        )
