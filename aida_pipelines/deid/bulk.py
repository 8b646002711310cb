"""Text that hides in bytes which should be numbers: lists of integers or floats, colour and look-up tables.

Numbers look like text by chance, names and ids look like text from end to end. How long a readable run must be
before chance is no explanation depends on how many bytes there are and on how the numbers are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from math import ceil, log
from typing import Literal

_WORD_BYTE = rb"[0-9A-Za-z \^\-+./\xc4\xc5\xd6\xe4\xe5\xf6\xe9\xfc]"  # no @: many doubles begin with it
_ALNUM = re.compile(rb"[0-9A-Za-z\xc4\xc5\xd6\xe4\xe5\xf6\xe9\xfc]")

TABLES = frozenset(
    {
        *range(0x00281200, 0x00281204), 0x00281204, *range(0x00281211, 0x00281215),
        *range(0x00281221, 0x00281225), 0x00283006,
    }
)  # fmt: skip
"""Palettes, segmented palettes and LUT Data: numbers that follow each other smoothly."""

_SHORTEST = 8
"""Bytes: no run of small integers, or of doubles of everyday size, is readable for as long as this."""

_FEWEST = 6
"""Bytes of a table that may be read as text, at least; more where the table is as rough as noise."""
_FEWEST_IN_NOISE = 9
_LONG = 64
_FEWEST_STEPS = 8
_LARGEST_STEP = 32


def hides_text(value: bytes, vr: str) -> bool:
    """Whether a list of numbers is readable for longer than chance would have it.

    Args:
        value: The value's bytes.
        vr: Its VR: of binary numbers or of bulk data.
    """
    if vr in ("FL", "OF", "OD", "OL", "OV", "OW", "OB"):
        # One byte in four is readable in a random float but for its highest, which often is; at most two lists
        # in a thousand are taken for text by mistake.
        shortest = max(_SHORTEST, ceil(log(500 * max(len(value), 1)) / 1.04))
    else:
        shortest = _SHORTEST
    return _runs(shortest).search(value) is not None


@lru_cache(maxsize=256)
def _runs(shortest: int) -> re.Pattern[bytes]:
    # As it is, or one byte in every two (UTF-16) or four (UTF-32), in either byte order.
    letter = _WORD_BYTE
    half = b"{%d,}" % max(_FEWEST, shortest // 2 + 2)
    wide = [
        before + letter + after
        for zeros in (b"\\0", b"\\0{3}")
        for before, after in ((b"", zeros), (zeros, b""))
    ]
    runs = [b"[0-9]{7,}", letter + b"{%d,}" % shortest, *(b"(?:" + one + b")" + half for one in wide)]
    return re.compile(b"|".join(runs))


def table_hides_text(table: bytes) -> bool:
    """Whether a palette or look-up table holds something readable that is no smooth part of it.

    Tables run through all values, those of letters and digits among them. What is no text about those places is
    that they go on as they came: byte by byte, or entry by entry of 16 bits in either byte order.
    """
    low, high = table[0::2], table[1::2]
    if low == high or not any(low):
        return _is_rough(high)
    if not any(high):
        return _is_rough(low)
    one_byte = not _is_noise(table)
    return (_is_rough if one_byte else _is_uneven)(table) or _is_rough(low) or _is_rough(high)


def _is_rough(entries: bytes) -> bool:
    """Entries of one byte each: whether some that can be read go up and down."""
    fewest = _FEWEST_IN_NOISE if _is_noise(entries) else _FEWEST
    return any(
        _turns(window) > 1 and not _is_in_step(entries, at, at + fewest)
        for at, window in _windows(entries, fewest)
    )


def _is_in_step(entries: bytes, start: int, stop: int) -> bool:
    """Whether a piece, with what is around it, is of shades of some colours in turn, each going one way.

    Scanners' palettes have such parts: light, less light, dark, darker, and again, all a bit darker.
    """
    for colours in (2, 3, 4):
        around = entries[max(start - colours, 0) : stop + colours]
        steps = [after - before for before, after in zip(around, around[colours:], strict=False)]
        largest = max(map(abs, steps), default=0)
        one_way = all(step > 0 for step in steps) or all(step < 0 for step in steps)
        if len(steps) >= _FEWEST_STEPS and one_way and largest <= _LARGEST_STEP:
            return True
    return False


def _is_uneven(entries: bytes) -> bool:
    """Entries of two bytes each: whether some that can be read go neither up nor down in even steps."""
    fewest = _FEWEST_IN_NOISE if _is_noise(entries[0::2]) and _is_noise(entries[1::2]) else _FEWEST
    return any(
        _turns(window) > 0
        and not any(_even(window[at:], order) for at in (0, 1) for order in ("little", "big"))
        for _, window in _windows(entries, fewest)
    )


def _windows(data: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    """Where all pieces of this size are that can be read, and the pieces."""
    for match in re.finditer(_WORD_BYTE + b"{%d,}" % size, data):
        run = match.group()
        if len(_ALNUM.findall(run)) >= size - 2:
            yield from ((match.start() + at, run[at : at + size]) for at in range(len(run) - size + 1))


def _even(window: bytes, order: Literal["little", "big"]) -> bool:
    entries = [int.from_bytes(window[at : at + 2], order) for at in range(0, len(window) - 1, 2)]
    steps = [after - before for before, after in pairwise(entries)]
    if not any(steps):
        return window[0] == window[1]  # "121212" is no plateau of a table
    sizes = [abs(step) for step in steps]
    one_way = all(step >= 0 for step in steps) or all(step <= 0 for step in steps)
    return max(sizes) <= 256 or (one_way and max(sizes) <= 3 * min(sizes) + 256)


def _turns(window: bytes) -> int:
    """How often the bytes change between rising and falling."""
    steps = [after > before for before, after in pairwise(window) if after != before]
    return sum(before != after for before, after in pairwise(steps))


def _is_noise(entries: bytes) -> bool:
    """Whether a table is long enough to tell, and goes up and down all the time."""
    return len(entries) >= _LONG and _turns(entries) > len(entries) / 10
