"""Whether source and output still say the same: UIDs one to one, dates moved together, pixel data untouched.

Each check compares what stands in the same place before and after; none knows how a pseudonym is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from aida_pipelines.deid.verification.addresses import address_of
from aida_pipelines.deid.verification.identifiers import DUMMY_DAYS, PUBLIC_ROOTS
from aida_pipelines.deid.verification.pieces import UNDEFINED, Data
from aida_pipelines.deid.verification.traces import At

Pair = tuple[str, str]
"""A UID before and after."""


def pairs_of(before: Mapping[str, Sequence[At]], after: Mapping[str, Sequence[At]]) -> Iterator[Pair]:
    """UIDs that stand in the same place.

    Where items of a sequence were dropped, which of the rest is which can't be told: only paths at which there are
    as many values as before are compared.
    """
    for tag, there in after.items():
        here = before.get(tag, ())
        if len(here) == len(there) and all(a[0] == b[0] for a, b in zip(here, there, strict=True)):
            matched: Iterable[tuple[At, At]] = zip(here, there, strict=True)
        else:
            matched = _matched(here, there)
        for (_, old), (_, new) in matched:
            if len(old) == len(new):
                yield from zip(old, new, strict=True)


def one_to_one(pairs: Iterable[Pair]) -> tuple[list[Pair], bool]:
    """The pairs of which one was made for the other, and whether each has one partner only."""
    forth: dict[str, str] = {}
    back: dict[str, str] = {}
    true = True
    for old, new in pairs:
        if old == new:
            # Kept: right for the standard's own; any other is the search's to find.
            continue
        if not old or not new or new.startswith(PUBLIC_ROOTS):
            true = true and not new
            continue
        true = true and forth.setdefault(old, new) == new and back.setdefault(new, old) == old
    return list(forth.items()), true


@dataclass(frozen=True, slots=True)
class Moved:
    """How dates have moved.

    Attributes:
        days: By how many days, if that can be told.
        wrong: Kind (``date``: it stands where it stood; ``date-shift``: not as far as the others) and place.
    """

    days: int | None = None
    wrong: tuple[tuple[str, str], ...] = ()


def moved(before: Sequence[At], after: Sequence[At], *, together: bool) -> Moved:
    """Compare dates with those that stood in the same place.

    Args:
        before: The source's.
        after: The output's.
        together: Whether all are to move by one number of days, never 0; else none may be there.
    """
    if not together:
        return Moved(wrong=tuple(("date", place) for place in _recurring(before, after)))
    still = _unmoved(before, after)
    if still:
        return Moved(wrong=tuple(("date", place) for place in still))
    possible = _offsets(before, after)
    if possible is None:
        return Moved()
    if not possible:
        return Moved(wrong=(("date-shift", "bytes"),))
    return Moved(days=min(possible) if len(possible) == 1 else None)


def _offsets(before: Iterable[At], after: Iterable[At]) -> set[int] | None:
    """The numbers of days that explain every date of the output by one in the same place of the source.

    None if there is no date to be explained; never 0.
    """
    there: dict[str, set[int]] = {}
    for path, values in before:
        there.setdefault(path, set()).update(_ordinals(values))
    candidates: set[int] | None = None
    for path, values in after:
        for ordinal in _ordinals(values):
            possible = {ordinal - old for old in there.get(path, ())}
            candidates = possible if candidates is None else candidates & possible
    return None if candidates is None else candidates - {0}


def _unmoved(before: Iterable[At], after: Iterable[At]) -> list[str]:
    """The tags of attributes in which all of a date stands as it stood: a whole day, or what is none."""
    old = {(path, value) for path, values in before for value in values if value}
    same: dict[str, bool] = {}
    for path, values in after:
        there = [value for value in values if value and value not in DUMMY_DAYS]
        if there:
            same[path] = same.get(path, True) and all((path, value) in old for value in there)
    return sorted({path[-8:] for path, all_old in same.items() if all_old})


def _recurring(before: Iterable[At], after: Iterable[At]) -> list[str]:
    """The tags of attributes that hold a date which is anywhere in the source."""
    days = {value for _, values in before for value in values if value} - DUMMY_DAYS
    return sorted({path[-8:] for path, values in after if not days.isdisjoint(values)})


def is_pixel_data(data: Data, start: int, stop: int, *, implicit: bool, big_endian: bool) -> bool:
    """Whether there is one pixel data element from ``start`` to ``stop``, whole."""
    order = "big" if big_endian else "little"

    def number(position: int, size: int) -> int:
        return int.from_bytes(bytes(data[position : position + size]), order)  # type: ignore[arg-type]

    if number(start, 2) != 0x7FE0 or number(start + 2, 2) not in (0x0008, 0x0009, 0x0010):
        return False
    if implicit:
        value, length = start + 8, number(start + 4, 4)
    elif bytes(data[start + 4 : start + 6]) in (b"OB", b"OW", b"OF", b"OD", b"UN", b"OV", b"OL"):
        value, length = start + 12, number(start + 8, 4)
    else:
        value, length = start + 8, number(start + 6, 2)
    if length == UNDEFINED:
        return (number(stop - 8, 2), number(stop - 6, 2), number(stop - 4, 4)) == (0xFFFE, 0xE0DD, 0)
    return value + length == stop


def is_same_memory(parts: Sequence[bytes | memoryview], data: Data, start: int, stop: int) -> bool:
    """Whether parts are the source's bytes from ``start`` to ``stop`` themselves, zeros in places.

    Nothing is read of the source: a view is of the same bytes if it is at the same address.
    """
    if start == stop:
        return not any(len(part) for part in parts)
    origin, position = address_of(memoryview(data)), start
    for part in parts:
        if not len(part):
            continue
        if isinstance(part, memoryview):
            if address_of(part) != origin + position:
                return False
        elif part.count(0) != len(part):
            return False
        position += len(part)
    return position == stop


def _matched(before: Iterable[At], after: Iterable[At]) -> Iterator[tuple[At, At]]:
    here: dict[str, list[At]] = {}
    there: dict[str, list[At]] = {}
    for at in before:
        here.setdefault(at[0], []).append(at)
    for at in after:
        there.setdefault(at[0], []).append(at)
    for path, found in there.items():
        if len(here.get(path, ())) == len(found):
            yield from zip(here[path], found, strict=True)


def _ordinals(values: Iterable[str]) -> Iterator[int]:
    for value in values:
        if len(value) == 8 and value not in DUMMY_DAYS:
            try:
                yield date(int(value[:4]), int(value[4:6]), int(value[6:])).toordinal()
            except ValueError:
                continue
