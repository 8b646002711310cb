"""Dates in text: any, found by their form; and given days, in every form that somebody may write.

In a text dates go, all of them and years and months too: a date that is left beside dates that were moved would
tell by how much. What looks like a day and month alone (``12/3``) is taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

from aida_pipelines.deid.text.found import Found
from aida_pipelines.deid.text.plain import plain

_SWEDISH = (
    "januari februari mars april maj juni juli augusti september oktober november december".split()  # noqa: SIM905
)
_ENGLISH = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
_SHORT = r"jan|febr?|mar|apr|jun|jul|aug|sept?|o[kc]t|nov|dec"
_MONTH = rf"(?:{'|'.join((*_SWEDISH, *map(str.lower, _ENGLISH)))}|(?:{_SHORT})\b\.?)"
_YEAR = r"(?:1[89]|20)\d\d"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])"
_NUMBER_OF_MONTH = r"(?:1[0-2]|0?[1-9])"
_SIGN = r"\s?[-/._,:\\']\s?"
_ORDINAL = r"(?::?[ea]|st|nd|rd|th)?"
_NOT_UNIT = r"(?!\s?(?:mm|cm|ml|mg|g|kg|ms|hu|mgy|mbq|kv|ma|kr|st|gånger|ggr|%))"

_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<!\d){_YEAR}(?:{_SIGN}|\s){_NUMBER_OF_MONTH}(?:{_SIGN}|\s){_DAY}(?!\d)",
        rf"(?<!\d){_DAY}(?:{_SIGN}|\s){_NUMBER_OF_MONTH}(?:{_SIGN}|\s){_YEAR}(?!\d)",
        rf"(?<!\d){_NUMBER_OF_MONTH}(?:{_SIGN}|\s){_DAY}(?:{_SIGN}|\s){_YEAR}(?!\d)",
        rf"(?<![\d.,])\d{{2}}(?P<a>[-/.]){_NUMBER_OF_MONTH}(?P=a){_DAY}(?![\d])",
        rf"(?<![\d.,])\d\d\s(?:1[0-2]|0[1-9])\s(?:3[01]|[12]\d|0[1-9])(?![.,]?\d){_NOT_UNIT}",
        rf"(?<![\d.,]){_NUMBER_OF_MONTH}(?P<c>[-/.]){_DAY}(?P=c)\d{{2}}(?![\d])",
        rf"(?<![\d.,]){_DAY}(?P<b>[-/.]){_NUMBER_OF_MONTH}(?P=b)\d{{2}}(?![\d])",
        rf"(?<!\d){_YEAR}(?:1[0-2]|0[1-9])(?:3[01]|[12]\d|0[1-9])(?:\d{{6}})?(?!\d)",
        rf"(?<!\d)(?:3[01]|[12]\d|0[1-9])(?:1[0-2]|0[1-9]){_YEAR}(?!\d)",
        r"(?<!\d)\d\d(?:1[0-2]|0[1-9])(?:3[01]|[12]\d|0[1-9])(?!\d)",
        rf"(?<!\d){_DAY}{_ORDINAL}\s?[-/.,]?\s?(?:of\s)?{_MONTH}(?:\s?[-/.,']?\s?(?:{_YEAR}|\d\d(?!\d)))?",
        rf"(?<![^\W\d_]){_MONTH}\s?[-/.,]?\s?{_DAY}{_ORDINAL}(?![\d.,]?\d)(?:\s?[-/.,']\s?(?:{_YEAR}|\d\d)|\s{_YEAR})?",
        rf"(?<!\d){_YEAR}\s?[-/.,]?\s?{_MONTH}(?:\s?[-/.,]?\s?{_DAY})?(?![^\W_])",
        rf"(?<![^\W\d_]){_MONTH}\s?[-/.,']?\s?(?:{_YEAR}|'\d\d)(?!\d)",
        rf"(?<!\d){_YEAR}-?w\d\d(?:-?[1-7])?(?!\d)",
        r"(?<![^\W\d_])(?:vecka|week|v\.?)\s?(?:[1-4]\d|5[0-3]|[1-9])(?!\d)",
        rf"(?<![\d.,/]){_DAY}/{_NUMBER_OF_MONTH}(?:\s?-\s?(?:{_YEAR}|\d\d))?(?![\d/]|,\d)",
        rf"(?<![\d.,]){_YEAR}{_SIGN}{_NUMBER_OF_MONTH}(?!\d)",
        rf"(?<![\d.,/\-]){_YEAR}(?![\d/]|[.,]\d){_NOT_UNIT}",
        rf"(?<![^\W\d_])(?:{'|'.join((*_SWEDISH, *(m for m in _ENGLISH if m not in ('May', 'March'))))})(?![^\W_])",
        r"(?<![^\W\d_])(?:född|föddes|f\.|born)\s{0,2}(?:år\s)?[-'’]?\s?\d\d(?!\d)",
    )
)

_HIGH = r"(?:9\d|1[0-4]\d)"
_ONES = "ett?|två|tre|fyra|fem|sex|sju|åtta|nio"
_HIGH_WORD = rf"(?:nittio(?:{_ONES})|hundra(?:{_ONES}|tio)?)"
_HIGH_AGES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<![\d.,/])(?P<age>{_HIGH})(?=\s?-?\s?(?:år|åring|års|year|yr|yo\b|y/o|y\.o))",
        rf"(?<![^\W\d_])(?:ålder|åldern|aged?|årsålder)\s?(?:av|of|på|:|=|är|is)?\s?(?P<age>{_HIGH})(?![\d%/]|[.,]\d)",
        rf"(?<![^\W_])(?P<age>{_HIGH_WORD})(?=\s?-?\s?år)",
        rf"(?<!\d)0?(?P<age>{_HIGH})(?=Y(?![^\W_]))",
    )
)

_WRITTEN = (
    "{y}{m}{d}", "{y}-{m}-{d}", "{y}/{m}/{d}", "{y}.{m}.{d}", "{y} {m} {d}", "{y}:{m}:{d}", "{y}_{m}_{d}",
    "{yy}{m}{d}", "{yy}-{m}-{d}", "{yy}/{m}/{d}", "{yy}.{m}.{d}", "{yy} {m} {d}",
    "{d}{m}{y}", "{d}-{m}-{y}", "{d}/{m}/{y}", "{d}.{m}.{y}", "{d} {m} {y}", "{d}/{m}/{yy}", "{d}.{m}.{yy}",
    "{d}-{m}-{yy}", "{d}{m}{yy}", "{D}/{M}/{y}", "{D}/{M} {y}", "{D}/{M}-{yy}", "{D}/{M}", "{D}.{M}.{y}",
    "{m}{d}{y}", "{m}/{d}/{y}", "{m}-{d}-{y}", "{M}/{D}/{y}", "{m}/{d}/{yy}", "{y}-{M}-{D}", "{y}/{M}/{D}",
    "{D} {sv} {y}", "{D}:e {sv} {y}", "den {D} {sv}", "{D} {sv}", "{D} {sv3} {y}", "{D}{sv3}{y}", "{d}-{sv3}-{y}",
    "{D} {en} {y}", "{en} {D}, {y}", "{D} {en3} {y}", "{d}-{en3}-{y}", "{d}{en3}{y}", "{en3} {D} {y}", "{en} {D}",
    "{y} {sv} {D}", "{sv} {y}", "{en} {y}", "{iso}", "{iso_short}", "{ordinal}", "{epoch}",
)  # fmt: skip
"""Ways to write a day: year, month, day; the same without leading zeros; months by name in two languages."""


def dates(text: str) -> Iterator[Found]:
    """Everything in ``text`` that has the form of a date, a month or a year; places may overlap."""
    if not any(map(str.isdigit, text)):
        return
    read = plain(text)
    for pattern in _PATTERNS:
        for match in pattern.finditer(read):
            yield Found(match.start(), match.end(), "date")


_EPOCH_DIGITS = 9
"""Seconds of fewer digits, in the years around 1970, are any number."""


def high_ages(text: str) -> Iterator[Found]:
    """Ages over 89 (and 90): there are so few of them that they become 90."""
    read = plain(text)
    for pattern in _HIGH_AGES:
        for match in pattern.finditer(read):
            yield Found(match.start("age"), match.end("age"), "age")


def ways_to_write(day: date) -> Iterator[str]:
    """A day in every form of ``_WRITTEN``, in lower case."""
    swedish, english = _SWEDISH[day.month - 1], _ENGLISH[day.month - 1]
    year, week, weekday = day.isocalendar()
    parts = {
        "y": f"{day.year:04}", "yy": f"{day.year % 100:02}", "m": f"{day.month:02}", "d": f"{day.day:02}",
        "M": str(day.month), "D": str(day.day), "sv": swedish, "en": english, "sv3": swedish[:3],
        "en3": english[:3], "iso": f"{year}-W{week:02}-{weekday}", "iso_short": f"{year}W{week:02}{weekday}",
        "ordinal": f"{day:%Y-%j}",
        "epoch": str(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())),
    }  # fmt: skip
    for form in _WRITTEN:
        if form != "{epoch}" or len(parts["epoch"]) >= _EPOCH_DIGITS:
            yield form.format(**parts).lower()
