"""What counts as a number within a container."""

from __future__ import annotations

import re

from aida_pipelines.deid.honest import is_somebodys

_NUMBER = re.compile(
    rb"[+-]?((?P<whole>\d{1,7})(\.(?P<fraction>\d{0,16}))?|\.\d{1,16})(?P<exponent>[eE][+-]?\d{1,2})?"
    rb"|0x[0-9a-fA-F]{1,6}"
)
_MAX_WHOLE = 6
"""Digits of a day of birth without its century."""


def is_number(text: bytes) -> bool:
    """Whether it is a number, decimal or hexadecimal, or nothing.

    Before the point it has fewer digits than a date or a person's number, and with a point for the hyphen or with
    an exponent it is none either.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return not text
    whole, fraction, exponent = (match[group] or b"" for group in ("whole", "fraction", "exponent"))
    runs = [(whole + fraction).decode("ascii")] if len(whole) == _MAX_WHOLE else []
    if exponent:
        runs.append(f"{float(text):.0f}")
    return not any(map(is_somebodys, runs))
