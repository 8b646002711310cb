"""Vocabularies: CSV files that say which words mean the same. A clinician edits them, code only reads them.

One row a term: ``term,value,code,scheme,source``. ``term`` is what a header may say (in Swedish, English or a
scanner's dialect), ``value`` what the hub calls it, ``code`` and ``scheme`` its code where a standard has
one (``SCT`` for SNOMED CT), ``source`` where the row comes from (a section of the standard, a vendor).
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from aida_pipelines.errors import ContractError

COLUMNS = ("term", "value", "code", "scheme", "source")

_NOT_WORD = re.compile(r"[^0-9a-z]+")
_LETTERS = str.maketrans({"ø": "o", "æ": "a", "ß": "ss"})


@dataclass(frozen=True, slots=True)
class Term:
    """One row of a vocabulary.

    Attributes:
        term: The words that are looked for, normalised.
        value: The hub's name for what they mean.
        code: Code value of a coding scheme; empty where none applies.
        scheme: Coding scheme designator (PS3.16 chapter 8), such as ``SCT``; empty without a code.
        source: Where the row comes from.
    """

    term: str
    value: str
    code: str
    scheme: str
    source: str


def normalise(text: str) -> str:
    """Words that compare: lower case, accents folded (å and ä to a, ö to o), one space for any separators.

    >>> normalise("Huvud-Hals_2,0 ÖNH")
    'huvud hals 2 0 onh'
    """
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return _NOT_WORD.sub(" ", "".join(c for c in plain if not unicodedata.combining(c))).strip()


@dataclass(frozen=True)
class Vocabulary:
    """The terms of one file.

    Attributes:
        name: File name without extension.
        fingerprint: SHA-256 of the file's bytes.
        terms: Normalised term → row.
    """

    name: str
    fingerprint: str
    terms: Mapping[str, Term]

    @property
    def version(self) -> str:
        """A vocabulary has no version number of its own: the start of its fingerprint names it."""
        return self.fingerprint[:12]

    @cached_property
    def _longest(self) -> int:
        return max((term.count(" ") + 1 for term in self.terms), default=0)

    def exact(self, text: str) -> Term | None:
        """The row whose term is the whole of ``text``."""
        return self.terms.get(normalise(text))

    def search(self, text: str) -> Iterator[Term]:
        """Rows whose terms are whole words in ``text``, left to right; the longest at each place, no overlap.

        "ct head neck" gives *head neck*, not *head* and *neck*, if the vocabulary has the three.
        """
        words = normalise(text).split()
        at = 0
        while at < len(words):
            for size in range(min(self._longest, len(words) - at), 0, -1):
                if found := self.terms.get(" ".join(words[at : at + size])):
                    yield found
                    at += size
                    break
            else:
                at += 1


def load_vocabulary(path: Path) -> Vocabulary:
    """Read and check one CSV file.

    Raises:
        ContractError: Not UTF-8, other columns than ``COLUMNS``, a row without term, value or source, a code
            without a scheme (or the reverse), a term that is there twice.
    """
    data = path.read_bytes()
    try:
        lines = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        header = tuple(next(lines, ()))
        if header != COLUMNS:
            raise _wrong(path, 1, "header", f"columns are {','.join(COLUMNS)}")
        terms: dict[str, Term] = {}
        for cells in lines:
            row = _row(path, lines.line_num, cells)
            if row is None:
                continue
            if row.term in terms:
                raise _wrong(
                    path,
                    lines.line_num,
                    "term",
                    f"'{row.term}' is there twice (case, accents and separators don't count)",
                )
            terms[row.term] = row
    except UnicodeDecodeError:
        raise _wrong(path, 1, "file", "the text is not UTF-8") from None
    except csv.Error as error:
        raise _wrong(path, lines.line_num, "row", str(error)) from None
    return Vocabulary(path.stem, hashlib.sha256(data).hexdigest(), terms)


def _row(path: Path, line: int, cells: list[str]) -> Term | None:
    if not any(cell.strip() for cell in cells):
        return None
    if len(cells) != len(COLUMNS):
        raise _wrong(path, line, "row", f"{len(cells)} cells instead of {len(COLUMNS)}")
    term, value, code, scheme, source = (cell.strip() for cell in cells)
    for name, cell in (("term", normalise(term)), ("value", value), ("source", source)):
        if not cell:
            raise _wrong(path, line, name, "is empty")
    if bool(code) != bool(scheme):
        raise _wrong(path, line, "code" if scheme else "scheme", "code and scheme come together")
    return Term(normalise(term), value, code, scheme, source)


def _wrong(path: Path, line: int, field: str, what: str) -> ContractError:
    return ContractError(
        f"{path.parent.name}/{path.name}, line {line}, {field}: {what}.",
        way_out="Mend the row in the vocabulary and run again.",
    )
