"""A person's own identifiers, known from a header or a table, looked for in the texts beside them.

What is known needs no guess: it goes in every spelling, also where it is an ordinary word (a patient whose name is
Axel). Names with any accents, with Scandinavian letters as one or two, in the genitive, as initials, spelled out or
glued; ids with and without separators and century; dates in all of ``dates.ways_to_write``; telephone numbers with
and without country code; addresses and institutions as a whole and by street.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from itertools import permutations

from aida_pipelines.deid.text.dates import ways_to_write
from aida_pipelines.deid.text.found import Found, without
from aida_pipelines.deid.text.plain import plain
from aida_pipelines.deid.text.spellings import Folded, fold, spellings

_SEPARATOR = r"[\s\-_./+:,]{0,3}"
_BETWEEN_LETTERS = r"[ ._\-]"
_NO_LETTER, _NO_LETTER_AFTER = r"(?<![^\W_])", r"(?![^\W_])"
_ENDING = r"(?:[:'’´`]?s)?"
_WORD = re.compile(r"[^\W\d_]+")
_DATE = re.compile(r"(\d{4})[-./]?(\d{2})[-./]?(\d{2})")
_LONG_NAME = 6
"""Letters from which a name is also found within other letters."""
_MIN_ID_DIGITS, _MIN_ID = 4, 3
_LONG_ID = 6
_MIN_PHONE = 5
_MIN_STREET = 4
_NO_NAMES = frozenset(
    {"anonymous", "anonymized", "anonymised", "unknown", "none", "null", "okand", "dr", "md", "mr", "mrs"}
)
SIZE = 1 << 17
"""Bytes, roughly, that one person's patterns take."""
_DUMMY_DAYS = frozenset({date(1, 1, 1), date(1900, 1, 1)})


@dataclass(frozen=True)
class Known:
    """What identifies a person, as it is written at the source.

    Attributes:
        names: Of the person and of others around: DICOM person names or plain ones.
        ids: Of the person, of visits and orders.
        dates: Days as ``YYYYMMDD`` or ``YYYY-MM-DD``; anything else is no day.
        telephones: Telephone numbers.
        places: Addresses and institutions.
    """

    names: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    telephones: tuple[str, ...] = ()
    places: tuple[str, ...] = ()

    def find(self, text: str) -> Iterator[Found]:
        """Each of them in ``text``; places may overlap."""
        if self._initials is not None:
            for match in self._initials.finditer(plain(text)):
                yield Found(match.start(), match.end(), "name")
        folded = Folded(text)
        for kind, pattern in self._patterns:
            for match in pattern.finditer(folded.text):
                if match.end() > match.start():
                    yield Found(*folded.span(match.start(), match.end()), kind)

    def without(self, text: str, instead: str = " ") -> str:
        """The text with something else for each of them."""
        return without(text, self.find(text), instead) if text else text

    @cached_property
    def _patterns(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        """One pattern a kind: what is found of one hides nothing of another."""
        kinds: tuple[tuple[str, Iterable[str]], ...] = (
            ("date", _dates(self.dates)),
            ("number", (*_ids(self.ids), *_telephones(self.telephones))),
            ("place", _places(self.places)),
            ("name", _names(self.names)),
        )
        return tuple(
            (kind, re.compile("|".join(sorted(ways, key=lambda way: (-len(way), way)))))
            for kind, ways in ((kind, set(found)) for kind, found in kinds)
            if ways
        )

    @cached_property
    def _initials(self) -> re.Pattern[str] | None:
        found = set()
        for name in self.names:
            letters = [word[0].upper() for word in _WORD.findall(name)]
            for first, second in permutations(letters[:4], 2):
                found.add(rf"{first}\. ?{second}{_NO_LETTER_AFTER}\.?")
        return re.compile(rf"{_NO_LETTER}(?:{'|'.join(sorted(found))})") if found else None


NOTHING = Known()


@lru_cache(maxsize=64)
def known(
    *,
    names: tuple[str, ...] = (),
    ids: tuple[str, ...] = (),
    dates: tuple[str, ...] = (),
    telephones: tuple[str, ...] = (),
    places: tuple[str, ...] = (),
) -> Known:
    """``Known``, with the last ones' patterns remembered."""
    return Known(names, ids, dates, telephones, places)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(pattern for name in names for pattern in _name(name))


def _name(name: str) -> Iterator[str]:
    words = [word for word in _WORD.findall(name) if len(word) > 1 and fold(word) not in _NO_NAMES]
    for word in words:
        for spelling in spellings(word):
            if len(spelling) < 2:
                continue
            letters = re.escape(spelling)
            if len(spelling) >= _LONG_NAME:
                yield letters + _ENDING
            else:
                yield rf"{_NO_LETTER}{letters}{_ENDING}{_NO_LETTER_AFTER}"
            if len(spelling) >= 4:
                # The same sign between all letters, or it would be found across words.
                apart = rf"(?:{'|'.join(sign.join(map(re.escape, spelling)) for sign in (' ', '-', '_', r'[.]'))})"
                yield rf"{_NO_LETTER}{apart}{_NO_LETTER_AFTER}"
    for first, second in permutations(words[:5], 2):
        for one, other in ((a, b) for a in sorted(spellings(first)) for b in sorted(spellings(second))):
            yield rf"{_NO_LETTER}{re.escape(one + other)}{_ENDING}{_NO_LETTER_AFTER}"
            yield rf"{_NO_LETTER}{re.escape(one[0] + other)}{_ENDING}{_NO_LETTER_AFTER}"


def _ids(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(pattern for one in ids for pattern in _id(one))


def _id(written: str) -> Iterator[str]:
    bare = "".join(char for char in fold(written.partition("^^^")[0]) if char.isalnum())
    if len(bare) < (_MIN_ID_DIGITS if bare.isdigit() else _MIN_ID):
        return
    forms = {bare}
    if bare.isdigit():
        if len(bare) == 12 and bare[:2] in ("18", "19", "20"):
            forms |= {bare[2:], bare[-4:]}
        elif len(bare) == 10:
            forms.add(bare[-4:])
        if len(bare.lstrip("0")) >= _MIN_ID_DIGITS:
            forms.add(bare.lstrip("0"))
    for form in sorted(forms):
        spread = _SEPARATOR.join(map(re.escape, form))
        if len(form) >= _LONG_ID:
            yield rf"(?<!\d)0*{spread}(?!\d)" if form.isdigit() else spread
        else:
            yield rf"{_NO_LETTER}{spread}{_NO_LETTER_AFTER}"


def _telephones(numbers: Iterable[str]) -> Iterator[str]:
    for number in numbers:
        digits = re.sub(r"\D", "", re.sub(r"^\s*(?:\+|00)\s*46", "", plain(number))).lstrip("0")
        if len(digits) >= _MIN_PHONE:
            yield (
                rf"(?:(?:\+|00){_SEPARATOR}\d\d{_SEPARATOR})?(?:\(0\)|0)?{_SEPARATOR}"
                + r"[\s\-/.()]{0,3}".join(digits)
            )


def _places(places: Iterable[str]) -> tuple[str, ...]:
    return tuple(pattern for place in places for pattern in _place(place))


def _place(place: str) -> Iterator[str]:
    for line in (place, *re.split(r"[\^,;\n=]+", place)):
        words = re.findall(r"[^\W_]+", fold(line))
        if sum(map(len, words)) >= _MIN_ID and not line.strip().isdigit():
            yield _NO_LETTER + r"[\W_]{1,3}".join(map(re.escape, words)) + _ENDING + _NO_LETTER_AFTER
        number = next((place for place, word in enumerate(words) if word[:1].isdigit()), 0)
        if any(len(word) > _MIN_STREET for word in words[:number]):
            yield _NO_LETTER + r"[\W_]{1,3}".join(map(re.escape, words[:number])) + _ENDING + _NO_LETTER_AFTER


def _dates(days: Iterable[str]) -> tuple[str, ...]:
    return tuple(pattern for day in days for pattern in _date(day))


def _date(written: str) -> Iterator[str]:
    match = _DATE.match(written)
    try:
        day = date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return
    if day is None or day in _DUMMY_DAYS:
        return
    for form in ways_to_write(day):
        before = r"(?<!\d)" if form[0].isdigit() else _NO_LETTER
        after = r"(?!\d)" if form[-1].isdigit() else _NO_LETTER_AFTER
        yield before + re.escape(form) + after
