"""Numbers that identify a person in Swedish health care, as they are written and as they are misread.

| kind | form | check |
|---|---|---|
| ``personal-number`` | ``[yy]yymmdd[-+]nnnc`` | calendar, Luhn |
| ``coordination-number`` | the same, day + 60 | calendar, Luhn |
| ``interim-number`` | ``[yy]yymmdd-Annn`` | calendar |
| ``reserve-number`` | Stockholm ``99yyyynnnnnc`` | Luhn over the last eight |
| | Västra Götaland, Värmland, Skåne ``yyyymmdd`` + four with a letter | calendar |
| | Inera ``yyyymmddnnnc``, day 32 to 59 | Luhn |
| | national ``XXyymmddLLnC``, XX 00 or from 20 | letters without I, O, Q, V, W |

Between the characters may stand blanks, dashes, points and invisible characters; around them any letter
(``pnr191212121212``), but no further digit. Letters that are read for digits (O for 0, l for 1, S for 5) are taken
for digits where at least half of the number are digits and no letter stands beside it but ``pnr`` and the like.

Sources: SKV 704 (personal and coordination numbers), Inera's list of local reserve numbers and the format of the
national one, as summarised by the regions that issue them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from aida_pipelines.deid.luhn import luhn
from aida_pipelines.deid.text.found import Found
from aida_pipelines.deid.text.plain import INVISIBLE, plain

_BETWEEN = rf"[ \t\r\n\-+_.,:/'{INVISIBLE}]{{0,4}}"
_ONE = rf"[ \-.{INVISIBLE}]?"
_LOOKALIKE = "OoQDIiLl|!ZzSsGbTBgq"
_MISREAD = str.maketrans(_LOOKALIKE, "00001111112255667899")


def _spread(*parts: str) -> str:
    """A pattern whose characters may have something between them."""
    return _BETWEEN.join(parts)


_TEN = _spread(*[r"\d"] * 10)
_TWELVE = _spread(*[r"\d"] * 12)
_DIGITS = re.compile(rf"(?<!\d)(?=({_TWELVE})(?!\d)|)(?=({_TEN})(?!\d)|)\d")
_ODD = rf"[\d{re.escape(_LOOKALIKE)}]"
_ALONE = r"(?:(?<![^\W_])|(?<=[Pp][Nn][Rr])|(?<=nummer)|(?<=\b[Ii][Dd]))"
_CONFUSED = re.compile(
    rf"{_ALONE}(?=({_spread(*[_ODD] * 12)})(?![^\W_])|)(?=({_spread(*[_ODD] * 10)})(?![^\W_])|){_ODD}"
)
_LETTERED = re.compile(
    rf"(?<!\d)({_spread(*[chr(92) + 'd'] * 8)}{_BETWEEN}(?=(?:\d{_ONE}){{0,3}}[A-Za-z])(?=(?:[A-Za-z]{_ONE}){{0,3}}\d)"
    rf"[A-Za-z\d](?:{_ONE}[A-Za-z\d]){{3}})(?![^\W_])"
)
_INTERIM = re.compile(
    rf"(?<!\d)({_spread(*[chr(92) + 'd'] * 6)}{_BETWEEN}[A-Za-z]{_BETWEEN}\d{_ONE}\d{_ONE}\d)(?![^\W_])"
)
_NATIONAL = re.compile(
    rf"(?<!\d)((?:0{_ONE}0|2{_ONE}\d){_BETWEEN}{_spread(*[chr(92) + 'd'] * 6)}{_BETWEEN}"
    rf"[A-HJ-NPR-UX-Za-hj-npr-ux-z]{_ONE}[A-HJ-NPR-UX-Za-hj-npr-ux-z]{_BETWEEN}\d{_BETWEEN}[A-Za-z\d])(?![^\W_])"
)
_CENTURIES = ("18", "19", "20")
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def swedish_numbers(text: str) -> Iterator[Found]:
    """Every number of the kinds above, wherever in ``text``; places may overlap."""
    read = plain(text)
    for match in _DIGITS.finditer(read):
        yield from _of_digits(match, read)
    for match in _CONFUSED.finditer(read):
        yield from _confused(match)
    for pattern, kind in ((_LETTERED, _lettered), (_INTERIM, _interim), (_NATIONAL, _national)):
        for match in pattern.finditer(read):
            if name := kind(_bare(match[1]).upper()):
                yield Found(match.start(1), match.end(1), name)


def _bare(text: str) -> str:
    return re.sub(r"[\W_]", "", text)


def _of_digits(match: re.Match[str], text: str) -> Iterator[Found]:
    for group in (1, 2):
        if match[group] and (kind := _kind(_bare(match[group]))):
            yield Found(match.start(group), match.end(group), kind)
            return


def _confused(match: re.Match[str]) -> Iterator[Found]:
    for group in (1, 2):
        if not match[group]:
            continue
        bare = "".join(char for char in match[group] if char.isalnum() or char in "|!")
        digits = sum(char.isdigit() for char in bare)
        if digits < len(bare) and digits * 2 >= len(bare) and (kind := _kind(bare.translate(_MISREAD))):
            yield Found(match.start(group), match.end(group), kind)
            return


def _kind(digits: str) -> str:
    """What ten or twelve digits are; empty if nothing."""
    if len(digits) == 12:
        if digits[:2] == "99":
            return "reserve-number" if digits[2:4] in _CENTURIES and luhn(digits[4:]) else ""
        if digits[:2] not in _CENTURIES:
            return ""
    month, day = int(digits[-8:-6]), int(digits[-6:-4])
    if not luhn(digits[-10:]) or not 1 <= month <= 12:
        return ""
    days = _MONTH_DAYS[month - 1]
    if 1 <= day <= days:
        return "personal-number"
    if 61 <= day <= 60 + days:
        return "coordination-number"
    return "reserve-number" if 32 <= day <= 59 and len(digits) == 12 else ""


def _lettered(bare: str) -> str:
    if len(bare) != 12 or bare[:2] not in _CENTURIES or not _is_day(bare[4:8]):
        return ""
    # Västra Götaland's has a check digit. With a wrong one it is still what Skåne and Värmland write.
    return "reserve-number"


def _interim(bare: str) -> str:
    return "interim-number" if len(bare) == 10 and _is_day(bare[2:6]) else ""


def _national(bare: str) -> str:
    if bare[:2] == "00":
        return "reserve-number" if 20 <= int(bare[4:6]) <= 99 and 40 <= int(bare[6:8]) <= 59 else ""
    return "reserve-number" if _is_day(bare[4:8]) else ""


def _is_day(month_and_day: str) -> bool:
    month, day = int(month_and_day[:2]), int(month_and_day[2:])
    return 1 <= month <= 12 and 1 <= day <= _MONTH_DAYS[month - 1]
