"""Days of the calendar found in text, however they are written.

Not one pattern for each way to write a given day: every date in a text is read, in all the ways that it can be
read, and compared as a day. So it costs the same for one known date as for a hundred, and a text needs to be read
once only, whoever's dates are looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

_MONTHS = {
    **{name: number for number, names in enumerate(
        ("januari january jan", "februari february febr feb", "mars march mar", "april apr", "maj may",
         "juni june jun", "juli july jul", "augusti august aug", "september sept sep", "oktober october okt oct",
         "november nov", "december dec"), 1) for name in names.split()},
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_GAP = r"[\s\-/._,:\\']{1,3}"
_SEPARATED = re.compile(rf"(?<!\d)(\d{{1,4}}){_GAP}(\d{{1,2}}){_GAP}(\d{{1,4}})(?!\d)")
_COMPACT = re.compile(r"\d{6,}")
_DAY_MONTH = re.compile(
    rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|:?[ea])?[\s\-/._,]*(?:of\s+)?({_MONTH})[\s\-/._,']*(\d{{4}}|\d{{2}})(?!\d)"
)
_MONTH_DAY = re.compile(
    rf"({_MONTH})[\s\-/._,]*(\d{{1,2}})(?:st|nd|rd|th|:?[ea])?[\s\-/._,']+(\d{{4}}|\d{{2}})(?!\d)"
)
_CTIME = re.compile(
    rf"({_MONTH})\s+(\d{{1,2}})\s+\d{{1,2}}:\d{{2}}(?::\d{{2}})?\s+(?:[a-z]{{3,4}}\s+)?(\d{{4}})(?!\d)"
)
_YEAR_MONTH = re.compile(rf"(?<!\d)(\d{{4}})[\s\-/._,]*({_MONTH})[\s\-/._,]*(\d{{1,2}})(?!\d)")
_IN_WORDS = ((_DAY_MONTH, (3, 2, 1)), (_MONTH_DAY, (3, 1, 2)), (_CTIME, (3, 1, 2)), (_YEAR_MONTH, (1, 2, 3)))
"""With months as words; and which groups are year, month and day."""

_WEEK = re.compile(r"(?<!\d)(\d{4})-?w(\d{2})-?([1-7])(?!\d)")
_ORDINAL = re.compile(r"(?<!\d)(\d{4})-(\d{3})(?!\d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def all_days(text: str) -> frozenset[str]:
    """Every day that ``text`` (folded) names, as ``YYYYMMDD``; of a year in two digits both centuries."""
    return frozenset(_days(text))


def _days(text: str) -> Iterator[str]:
    for match in _SEPARATED.finditer(text):
        first, second, third = match.groups()
        for year, month, day in ((first, second, third), (third, second, first), (third, first, second)):
            if len(month) < 3 and len(day) < 3:
                yield from _valid(year, month, day)
    for match in _COMPACT.finditer(text):
        yield from _compact(match.group())
    for pattern, (first, second, third) in _IN_WORDS:
        for match in pattern.finditer(text):
            yield from _valid(match[first], match[second], match[third])
    for match in _WEEK.finditer(text):
        try:
            yield date.fromisocalendar(*map(int, match.groups())).strftime("%Y%m%d")
        except ValueError:
            continue
    for match in _ORDINAL.finditer(text):
        year, number = int(match[1]), int(match[2])
        if year and 1 <= number <= 366:
            yield (date(year, 1, 1) + timedelta(number - 1)).strftime("%Y%m%d")


def _compact(digits: str) -> Iterator[str]:
    """A run of digits: a date at its start or end (times, counters and last digits around it), or seconds."""
    for part in {digits[:8], digits[-8:]} if len(digits) >= 8 else ():
        yield from _valid(part[:4], part[4:6], part[6:])
        yield from _valid(part[4:], part[2:4], part[:2])
        yield from _valid(part[4:], part[:2], part[2:4])
    if len(digits) == 6:
        yield from _valid(digits[:2], digits[2:4], digits[4:])
        yield from _valid(digits[4:], digits[2:4], digits[:2])
        yield from _valid(digits[4:], digits[:2], digits[2:4])
    if len(digits) in (10, 13) and digits[0] != "0":
        seconds = int(digits[:10])
        yield (_EPOCH + timedelta(seconds=seconds)).strftime("%Y%m%d")


def _valid(year: str, month: str, day: str) -> Iterator[str]:
    months = _MONTHS.get(month) or int(month)
    if not 1 <= months <= 12 or not 1 <= int(day) <= 31 or len(year) not in (2, 4):
        return
    for full in (year,) if len(year) == 4 else (f"19{year}", f"20{year}"):
        yield f"{full}{months:02}{int(day):02}"
