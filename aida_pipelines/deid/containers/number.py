"""What counts as a number within a container."""

from __future__ import annotations

import re

_NUMBER = re.compile(rb"[+-]?(\d{1,7}(\.\d{0,16})?|\.\d{1,16})([eE][+-]?\d{1,2})?|0x[0-9a-fA-F]{1,6}")


def is_number(text: bytes) -> bool:
    """Whether it is a number, decimal or hexadecimal, or nothing.

    Before the point it has fewer digits than a date or a person's number.
    """
    return not text or _NUMBER.fullmatch(text) is not None
