"""Clinical tables among the delivered files, known by the columns that their contracts name.

A contract's columns say in ``sourceColumn`` what they are called in the file. A delimited text whose first
line names any of them is taken to be meant as that table; it is valid if it names all that are required.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aida_pipelines.contracts.models import Contracts

HEAD_BYTES = 64 << 10
"""Bytes of a file in which its first line is looked for."""

DELIMITERS = ";,\t|"


@dataclass(frozen=True, slots=True)
class Recognised:
    """A clinical table.

    Attributes:
        table: Name of the contract.
        valid: Whether all required columns are there.
    """

    table: str
    valid: bool


class ClinicalTables:
    """The clinical tables that a collection asks for.

    Args:
        columns: Table → source column, as ``comparable`` has it → whether it is required.
    """

    def __init__(self, columns: dict[str, dict[str, bool]]) -> None:
        self._columns = columns

    @classmethod
    def of(cls, contracts: Contracts, collection: str) -> ClinicalTables:
        """Those that the collection's contract names."""
        return cls(
            {
                name: {
                    comparable(str(column.custom["sourceColumn"])): column.required
                    for column in contracts.table(name).columns
                    if "sourceColumn" in column.custom
                }
                for name in contracts.collection(collection).clinical_tables
            }
        )

    def table_of(self, head: bytes) -> Recognised | None:
        """The table that a file is meant to be, from its first bytes; None if it is none of them.

        Where several share columns with the file, the one that shares most, then the first by name.
        """
        found = set(first_line(head))
        shared = {name: len(found & columns.keys()) for name, columns in self._columns.items()}
        best = max(sorted(shared), key=shared.__getitem__, default=None)
        if best is None or not shared[best]:
            return None
        required = {column for column, needed in self._columns[best].items() if needed}
        return Recognised(best, valid=required <= found)


def comparable(column: str) -> str:
    """A column's name without what people vary: case, blanks, hyphens and underscores."""
    return re.sub(r"[\s_-]+", "", column).casefold()


def first_line(head: bytes) -> list[str]:
    """The fields of a delimited text's first line, ``comparable``; an empty list for what is no such text."""
    if b"\0" in head:
        return []
    line, end, _ = head[:HEAD_BYTES].partition(b"\n")
    if not end and len(head) >= HEAD_BYTES:
        return []
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = line.decode("cp1252", "replace")  # what Swedish spreadsheets write without asking
    delimiter = max(DELIMITERS, key=text.count)
    fields = next(csv.reader([text.strip("\r")], delimiter=delimiter), [])
    return [comparable(field) for field in fields]
