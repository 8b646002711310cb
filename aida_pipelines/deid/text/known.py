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
from itertools import permutations, product

from aida_pipelines.deid.text.dates import ways_to_write
from aida_pipelines.deid.text.found import Found, without
from aida_pipelines.deid.text.plain import plain
from aida_pipelines.deid.text.spellings import Folded, fold, spellings

_ENDING = re.compile(r"[:'’´`]?s(?![^\W_])")
_APART = re.compile(r"[\s\-_./+:,()]{1,3}")
_SPELT_OUT = re.compile(r"(?<![^\W_])[^\W\d_](?P<sign>[ ._\-])(?:[^\W\d_](?P=sign))+[^\W\d_](?![^\W_])")
_COUNTRY = re.compile(r"(?:(?:\+|00)[\s\-/.()]{0,3}\d\d[\s\-/.]{0,3})?(?:\(0\)|0)?[\s\-/.()]{0,3}$")
_NOTHING_BETWEEN = "\0"
_WORD = re.compile(r"[^\W\d_]+")
_DATE = re.compile(r"(\d{4})[-./]?(\d{2})[-./]?(\d{2})")
_LONG_NAME = 6
"""Letters from which a name is also found within other letters."""
_MIN_ID_DIGITS, _MIN_ID = 4, 3
_LONG_ID = 6
_MIN_PHONE = 5
_MIN_STREET, _MIN_PLACE = 4, 4
_MIN_SPELT_OUT = 4
_NO_NAMES = frozenset(
    {"anonymous", "anonymized", "anonymised", "unknown", "none", "null", "okand", "dr", "md", "mr", "mrs"}
)
SIZE = 1 << 15
"""Bytes, roughly, that one person's spellings take."""
_MAX_WORDS = 6
_DUMMY_DAYS = frozenset({date(1, 1, 1), date(1900, 1, 1)})


_Place = tuple[int, int, str]


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
        for search in (self._names_in, self._dates_in, self._numbers_in, self._places_in):
            for start, stop, kind in search(folded.text):
                if stop > start:
                    yield Found(*folded.span(start, stop), kind)

    def _names_in(self, text: str) -> Iterator[_Place]:
        for name in self._words:
            for start in _places(name, text):
                stop = start + len(name)
                ending = _ENDING.match(text, stop)
                whole = not _is_letter(text, start - 1) and (ending or not _is_letter(text, stop))
                if whole or len(name) >= _LONG_NAME:
                    yield start, ending.end() if ending else stop, "name"
        for run in _SPELT_OUT.finditer(text):
            letters = run.group()[::2]
            if any(len(name) >= _MIN_SPELT_OUT and name in letters for name in self._words):
                yield run.start(), run.end(), "name"

    def _dates_in(self, text: str) -> Iterator[_Place]:
        for form in self._days:
            for start in _places(form, text):
                stop = start + len(form)
                if not _continues(text, start - 1, start) and not _continues(text, stop, stop - 1):
                    yield start, stop, "date"

    def _numbers_in(self, text: str) -> Iterator[_Place]:
        if not (self._numbers or self._subscribers):
            return
        squeezed, at = _squeezed(text)
        for number in self._numbers:
            for first in _places(number, squeezed):
                start, stop = at[first], at[first + len(number) - 1] + 1
                while number.isdigit() and text[start - 1 : start] == "0":
                    start -= 1
                if len(number) >= _LONG_ID:
                    inside = number.isdigit() and (_is_digit(text, start - 1) or _is_digit(text, stop))
                else:
                    inside = _is_letter(text, start - 1) or _is_letter(text, stop)
                if not inside:
                    yield start, stop, "number"
        for number in self._subscribers:
            for first in _places(number, squeezed):
                start, stop = at[first], at[first + len(number) - 1] + 1
                before = _COUNTRY.search(text, max(0, start - 12), start)
                yield before.start() if before else start, stop, "telephone"

    def _places_in(self, text: str) -> Iterator[_Place]:
        if self._towns is not None:
            for match in self._towns.finditer(text):
                yield match.start(), match.end(), "place"

    def without(self, text: str, instead: str = " ") -> str:
        """The text with something else for each of them."""
        return without(text, self.find(text), instead) if text else text

    @cached_property
    def _words(self) -> tuple[str, ...]:
        return tuple(sorted({word for name in self.names for word in _name(name)}))

    @cached_property
    def _days(self) -> tuple[str, ...]:
        return tuple(sorted({form for day in self.dates for form in _date(day)}))

    @cached_property
    def _numbers(self) -> tuple[str, ...]:
        return tuple(sorted({form for one in self.ids for form in _id(one)}))

    @cached_property
    def _subscribers(self) -> tuple[str, ...]:
        return tuple(sorted(set(_telephones(self.telephones))))

    @cached_property
    def _towns(self) -> re.Pattern[str] | None:
        found = sorted(
            {way for place in self.places for way in _place(place)}, key=lambda way: (-len(way), way)
        )
        return re.compile(rf"(?<![^\W_])(?:{'|'.join(found)})(?:[:'’´`]?s)?(?![^\W_])") if found else None

    @cached_property
    def _initials(self) -> re.Pattern[str] | None:
        found = set()
        for name in self.names:
            letters = [word[0].upper() for word in _WORD.findall(name)]
            for first, second in permutations(letters[:4], 2):
                found.add(rf"{first}\. ?{second}(?![^\W_])\.?")
        return re.compile(rf"(?<![^\W_])(?:{'|'.join(sorted(found))})") if found else None


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
    """``Known``, with the last ones' spellings remembered."""
    return Known(names, ids, dates, telephones, places)


def _name(name: str) -> Iterator[str]:
    """The spellings of a person's names, one by one, and of two of them glued."""
    words = [word for word in _WORD.findall(name) if len(word) > 1 and fold(word) not in _NO_NAMES]
    spelt = [sorted(one for one in spellings(word) if len(one) > 1) for word in words]
    for several in spelt:
        yield from several
    for first, second in permutations(spelt[:_MAX_WORDS], 2):
        for one, other in product(first, second):
            yield one + other
            yield one[0] + other


def _id(written: str) -> Iterator[str]:
    """The forms of an id without what may stand between its characters."""
    bare = "".join(char for char in fold(written.partition("^^^")[0]) if char.isalnum())
    if len(bare) < (_MIN_ID_DIGITS if bare.isdigit() else _MIN_ID):
        return
    yield bare
    if bare.isdigit():
        if len(bare) == 12 and bare[:2] in ("18", "19", "20"):
            yield from (bare[2:], bare[-4:])
        elif len(bare) == 10:
            yield bare[-4:]
        if len(bare.lstrip("0")) >= _MIN_ID_DIGITS:
            yield bare.lstrip("0")


def _telephones(numbers: Iterable[str]) -> Iterator[str]:
    """Telephone numbers without what stands before the area code."""
    for number in numbers:
        digits = re.sub(r"\D", "", re.sub(r"^\s*(?:\+|00)\s*46", "", plain(number))).lstrip("0")
        if len(digits) >= _MIN_PHONE:
            yield digits


def _place(place: str) -> Iterator[str]:
    """Patterns for an address, its lines, and a street without its number."""
    for line in (place, *re.split(r"[\^,;\n=]+", place)):
        words = re.findall(r"[^\W_]+", fold(line))
        if sum(map(len, words)) >= _MIN_PLACE and not line.strip().isdigit():
            yield r"[\W_]{1,3}".join(map(re.escape, words))
        number = next((place for place, word in enumerate(words) if word[:1].isdigit()), 0)
        if any(len(word) > _MIN_STREET for word in words[:number]):
            yield r"[\W_]{1,3}".join(map(re.escape, words[:number]))


def _date(written: str) -> Iterator[str]:
    match = _DATE.match(written)
    try:
        day = date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return
    if day is None or day in _DUMMY_DAYS:
        return
    yield from ways_to_write(day)


def _places(needle: str, text: str) -> Iterator[int]:
    start = text.find(needle)
    while start >= 0:
        yield start
        start = text.find(needle, start + 1)


def _squeezed(text: str) -> tuple[str, list[int]]:
    """Letters and digits of a text as if only a few signs stood between them, and where they stand."""
    letters: list[str] = []
    at: list[int] = []
    last = 0
    for word in re.finditer(r"[^\W_]+", text):
        if letters and not _APART.fullmatch(text, last, word.start()):
            letters.append(_NOTHING_BETWEEN)
            at.append(last)
        letters.append(word.group())
        at += range(word.start(), word.end())
        last = word.end()
    return "".join(letters), at


def _is_letter(text: str, place: int) -> bool:
    return 0 <= place < len(text) and text[place].isalnum()


def _is_digit(text: str, place: int) -> bool:
    return 0 <= place < len(text) and text[place].isdigit()


def _continues(text: str, outside: int, inside: int) -> bool:
    """Whether a character outside a place belongs to the word or the number at its edge."""
    return _is_digit(text, outside) if text[inside].isdigit() else _is_letter(text, outside)
