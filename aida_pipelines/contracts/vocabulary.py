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

from aida_pipelines.contracts.documents import Problem, Problems, UnusableFileError, decode, read_bytes

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
    plain = text.casefold()
    if not plain.isascii():
        decomposed = unicodedata.normalize("NFKD", plain.translate(_LETTERS))
        plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _NOT_WORD.sub(" ", plain).strip()


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
        ContractError: It can't be read, isn't UTF-8, has other columns than ``COLUMNS``, a row without term, value
            or source, a code without a scheme (or the reverse), or a term that is there twice; every such row is
            named.
    """
    problems = Problems()
    vocabulary = read_vocabulary(path, path.name, problems)
    problems.raise_any()
    assert vocabulary is not None
    return vocabulary


def read_vocabulary(path: Path, shown: str, problems: Problems) -> Vocabulary | None:
    """Read one CSV file; None, with every reason in ``problems``, if it is wrong.

    Args:
        path: The file.
        shown: How to name it to people.
        problems: Where to note what is wrong.
    """
    noted = len(problems.found)
    try:
        data = read_bytes(path)
        lines = csv.reader(io.StringIO(decode(data), newline=""), strict=True)
    except UnusableFileError as error:
        problems.add_file(shown, error.message, line=error.line)
        return None
    terms: dict[str, Term] = {}
    try:
        if tuple(next(lines, ())) != COLUMNS:
            problems.found.append(Problem(shown, 1, "header", f"columns are {','.join(COLUMNS)}."))
            return None
        for cells in lines:
            wrong = _wrong(cells, terms)
            if wrong:
                problems.found.append(Problem(shown, lines.line_num, *wrong))
            elif any(map(str.strip, cells)):
                row = Term(normalise(cells[0]), *(cell.strip() for cell in cells[1:]))
                terms[row.term] = row
    except csv.Error as error:
        problems.found.append(Problem(shown, lines.line_num, "row", f"{error}."))
    if len(problems.found) > noted:
        return None
    return Vocabulary(path.stem, hashlib.sha256(data).hexdigest(), terms)


def _wrong(cells: list[str], terms: Mapping[str, Term]) -> tuple[str, str] | None:
    """Field and message of what is wrong with a row; None if nothing is. A blank line is no row."""
    if not any(cell.strip() for cell in cells):
        return None
    if len(cells) != len(COLUMNS):
        return "row", f"{len(cells)} cells instead of {len(COLUMNS)}."
    term, value, code, scheme, source = (cell.strip() for cell in cells)
    term = normalise(term)
    for name, cell in (("term", term), ("value", value), ("source", source)):
        if not cell:
            return name, "is empty."
    if bool(code) != bool(scheme):
        return "code" if scheme else "scheme", "code and scheme come together."
    if term in terms:
        return "term", f"'{term}' is there twice (case, accents and separators don't count)."
    return None
