"""Numbers that name a person: Swedish personal and coordination numbers, telephone numbers, numeric ids."""

from __future__ import annotations

import re
from collections.abc import Iterator

_RUN = re.compile(r"(?<!\d)\d(?:[ \t\-/+().]{0,2}\d){9,11}(?!\d)")


def personal_numbers(text: str) -> Iterator[str]:
    """The ten digits of each personal or coordination number in a text, however it is written."""
    for match in _RUN.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if len(digits) == 12 and digits[:2] in ("18", "19", "20"):
            digits = digits[2:]
        if len(digits) == 10 and _is_one(digits):
            yield digits


def birth_days(digits: str) -> Iterator[str]:
    """The days of birth (``YYYYMMDD``) that a number's ten digits can mean, one a century."""
    day = int(digits[4:6])
    for century in ("19", "20"):
        yield f"{century}{digits[:4]}{day - 60 if day > 60 else day:02}"


def subscriber(telephone: str) -> str:
    """A telephone number without country code and leading zeros; empty if it is too short to tell anyone."""
    digits = re.sub(r"\D", "", telephone)
    digits = re.sub(r"^(?:0046|46|0)0*", "", digits)
    return digits if len(digits) >= 7 and len(set(digits)) > 2 else ""


def _is_one(digits: str) -> bool:
    month, day = int(digits[2:4]), int(digits[4:6])
    if not 1 <= month <= 12 or not (1 <= day <= 31 or 61 <= day <= 91):
        return False
    if len(set(digits)) < 3:
        return False
    total = 0
    for index, digit in enumerate(digits):
        product = int(digit) * (2 if index % 2 == 0 else 1)
        total += product - 9 if product > 9 else product
    return total % 10 == 0
