"""Clinical tables delivered as CSV: patients to pseudonyms, dates moved, by the table's contract.

A column of the contract says where it comes from and what becomes of it with two custom properties:
``sourceColumn``, the delivered column's name, and ``deid``: ``subject`` (patient id to pseudonym),
``date`` (moved as the images' dates are), ``age`` (in years; over 89 becomes 90), ``clean-text`` (free text without
what identifies, see ``text.cleaner``) or ``keep``. Columns that the contract does not name stay behind; what they
say of the row's person is looked for in its texts.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from aida_pipelines.contracts.table import Column, TableContract
from aida_pipelines.deid.engine import MAX_AGE_YEARS
from aida_pipelines.deid.pseudonym import Pseudonyms
from aida_pipelines.deid.text.cleaner import TextCleaner
from aida_pipelines.deid.text.known import NOTHING, Known
from aida_pipelines.deid.text.words import Words
from aida_pipelines.deid.timeline import Timeline
from aida_pipelines.errors import ContractError, Quarantine
from aida_pipelines.ingest.clinical import DELIMITERS, comparable

_SAMPLE = 1 << 20
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:[T ].*)?")
_TREATMENTS = frozenset({"subject", "date", "age", "clean-text", "keep"})
_MIN_ID_DIGITS = 4


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    source: str
    treatment: str
    logical_type: str
    required: bool


class ClinicalTable:
    """De-identifies the rows of one kind of clinical table.

    Args:
        contract: The table's contract.
        pseudonyms: The collection's.
        days: How its dates are moved.
        issuer: Issuer of the patient ids: the site's.
        tokens: Words that free text may keep beside ordinary ones, normalised: the descriptions' vocabulary.

    Raises:
        ContractError: The contract has no ``subject`` column, an unknown treatment, or one that can't be.
    """

    def __init__(
        self,
        contract: TableContract,
        pseudonyms: Pseudonyms,
        days: Timeline,
        *,
        issuer: str,
        tokens: Iterable[str] = (),
    ) -> None:
        self._fields = [_field(contract.name, column) for column in contract.columns if column.custom]
        subjects = [field for field in self._fields if field.treatment == "subject"]
        if len(subjects) != 1:
            raise ContractError(f"Contract {contract.name}: one column must have deid: subject.")
        self._subject = subjects[0]
        self._pseudonyms = pseudonyms
        self._days = days
        self._issuer = issuer
        has_text = any(field.treatment == "clean-text" for field in self._fields)
        self._cleaner = TextCleaner(Words(tokens)) if has_text else None

    def rows(self, path: Path) -> Iterator[dict[str, Any]]:
        """The table's rows, streamed. A row without a patient id is left out: it can't be anyone's.

        Raises:
            Quarantine: ``clinical-table-invalid``: a column that the contract asks for is missing, or the
                file is no CSV.
        """
        try:
            with _opened(path) as (names, lines):
                places = self._places(names)
                for cells in lines:
                    row = {
                        name: cells[place].strip() if place is not None and place < len(cells) else ""
                        for name, place in places.items()
                    }
                    if row[self._subject.name]:
                        yield self._deidentified(row, self._known(row, cells, places))
        except csv.Error:
            raise Quarantine("clinical-table-invalid") from None

    def _places(self, names: list[str]) -> dict[str, int | None]:
        """Where each of the contract's columns is in the file, if it is there."""
        there = {comparable(name): place for place, name in reversed(list(enumerate(names)))}
        places = {field.name: there.get(comparable(field.source)) for field in self._fields}
        if any(field.required and places[field.name] is None for field in self._fields):
            raise Quarantine("clinical-table-invalid")
        return places

    def _known(self, row: dict[str, str], cells: list[str], places: dict[str, int | None]) -> Known:
        """What the row says of its person: patient id, dates, and every cell that stays behind."""
        if self._cleaner is None:
            return NOTHING
        treated = {place for place in places.values() if place is not None}
        behind = [cell.strip() for place, cell in enumerate(cells) if place not in treated and cell.strip()]
        dates = [row[field.name] for field in self._fields if field.treatment == "date"]
        numbers = [cell for cell in behind if sum(map(str.isdigit, cell)) >= _MIN_ID_DIGITS]
        return Known(
            names=tuple(name for cell in behind for name in self._cleaner.unusual(cell)),
            ids=(row[self._subject.name], *numbers),
            dates=(*dates, *numbers),
            telephones=tuple(numbers),
            places=tuple(
                cell for cell in behind if any(map(str.isdigit, cell)) and any(map(str.isalpha, cell))
            ),
        )

    def _deidentified(self, row: dict[str, str], known: Known) -> dict[str, Any]:
        subject = self._pseudonyms.subject(self._issuer, row[self._subject.name])
        return {field.name: self._value(field, row[field.name], subject, known) for field in self._fields}

    def _value(self, field: _Field, text: str, subject: str, known: Known) -> Any:
        if field.treatment == "subject":
            return subject
        if not text:
            return None
        if field.treatment == "clean-text":
            assert self._cleaner is not None
            return self._cleaner(text, known) or None
        if field.treatment == "date":
            return self._moved(text, subject)
        value = _typed(text, field.logical_type)
        return _aggregated(value) if field.treatment == "age" else value

    def _moved(self, text: str, subject: str) -> date | None:
        match = _DATE.fullmatch(text)
        try:
            day = date(int(match[1]), int(match[2]), int(match[3])) if match else None
        except ValueError:
            return None
        return self._days.moved(day, subject) if day else None


def _field(table: str, column: Column) -> _Field:
    source, treatment = column.custom.get("sourceColumn"), column.custom.get("deid")
    if not isinstance(source, str) or treatment not in _TREATMENTS:
        raise ContractError(
            f"Contract {table}, column {column.name}: needs sourceColumn, and deid with one of "
            f"{', '.join(sorted(_TREATMENTS))}."
        )
    if treatment == "age" and column.logical_type not in ("integer", "number"):
        raise ContractError(f"Contract {table}, column {column.name}: an age is an integer or a number.")
    if treatment == "clean-text" and column.logical_type != "string":
        raise ContractError(f"Contract {table}, column {column.name}: free text is a string.")
    if treatment in ("date", "keep") and "birth" in column.name:
        # Beside a date that is moved alike it would tell an age over 89.
        raise ContractError(
            f"Contract {table}, column {column.name}: deliver an age (deid: age), no birth date."
        )
    return _Field(column.name, source, str(treatment), column.logical_type, column.required)


def _aggregated(age: Any) -> Any:
    return MAX_AGE_YEARS + 1 if age is not None and age > MAX_AGE_YEARS else age


def _typed(text: str, logical_type: str) -> str | int | float | bool | None:
    if logical_type == "string":
        return text
    try:
        if logical_type == "boolean":
            return {"1": True, "true": True, "0": False, "false": False}[text.casefold()]
        number = float(text.replace(",", "."))
        return int(number) if logical_type == "integer" else number
    except (KeyError, ValueError, OverflowError):
        return None


@contextmanager
def _opened(path: Path) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """Column names and the rows of a CSV in UTF-8 or Windows-1252, whatever is between its columns."""
    with path.open("rb") as file:
        encoding = "utf-8-sig" if _is_utf8(file.read(_SAMPLE)) else "cp1252"
        file.seek(0)
        with TextIOWrapper(file, encoding, newline="", errors="replace") as text:
            first = text.readline()
            delimiter = max(DELIMITERS, key=first.count)
            yield next(csv.reader([first], delimiter=delimiter), []), csv.reader(text, delimiter=delimiter)


def _is_utf8(sample: bytes) -> bool:
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        return (
            error.start >= len(sample) - 3 and len(sample) == _SAMPLE
        )  # a character cut by the sample's end
    return True
