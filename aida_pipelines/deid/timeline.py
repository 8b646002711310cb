"""How days are moved: three ways, each a rule that needs nothing but the key, the subject and the day.

No state: a delivery that comes months after another meets the same rule, on any machine. In all three a day never
becomes itself, and what would leave the calendar (years 1 to 9999), or what a way has no room for, is not a day
any more. A profile takes one of them (``dates``).

======================  ==========================  =================================================================
way                     keeps                       gives away
======================  ==========================  =================================================================
``Shift``               intervals, times of day     Who knows one true date of a subject knows all. Who knows the
                                                    intervals between some of a patient's examinations can find the
                                                    subject by them.
``Proportional``        order, ratios of            Two true dates give all others. Ratios of three or more dates
                        intervals, times of day     can still be recognised. Ages that stay beside the dates tell
                                                    the factor within their rounding.
``Order``               order                       Which examinations were on the same day. Roughly how far apart
                                                    days are: eight of ten intervals of a day lie within a factor of
                                                    25, of a month within 11, of a year within 7, of ten years
                                                    within 5. A true date fences in those before and after it.
======================  ==========================  =================================================================

Times of day stay untouched in the first two: an element is rewritten without knowing which date belongs to it, and
decay correction and perfusion need true times within a day. An examination across midnight is therefore stretched
by ``Proportional`` (a day apart becomes one or two). ``Order`` sets times of day to midnight.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import MAXYEAR, MINYEAR, date
from functools import lru_cache

from aida_pipelines.contracts.profile import DateMode
from aida_pipelines.deid.pseudonym import Pseudonyms, Secret

MAX_SHIFT_DAYS = 3650
"""``Shift`` moves by 1 to this many days, to either side."""

MIN_STRETCH, MAX_STRETCH = 1.25, 2.0
"""``Proportional``'s factor lies between them. Below 1 two days would become one."""

_FIRST, _LAST = date(MINYEAR, 1, 1).toordinal(), date(MAXYEAR, 12, 31).toordinal()


class Timeline(ABC):
    """A way to move days.

    Args:
        pseudonyms: The domain's.

    Attributes:
        keeps_times: Whether times of day stay; else they are set to midnight.
    """

    keeps_times = True

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        # Within a series nearly all dates are the same.
        self._remembered = lru_cache(maxsize=4096)(self._ordinal)

    def moved(self, day: date, subject: str) -> date | None:
        """The day that it becomes for a subject; None where there is none."""
        ordinal = self._remembered(day.toordinal(), subject)
        return date.fromordinal(ordinal) if ordinal is not None and _FIRST <= ordinal <= _LAST else None

    @abstractmethod
    def _ordinal(self, day: int, subject: str) -> int | None:
        """The same in days since 31 December of the year 0."""


class Shift(Timeline):
    """Every day of a subject moved by the same secret number of days, never 0."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        super().__init__(pseudonyms)
        self._secret = pseudonyms.secret("date-offset")

    def offset(self, subject: str) -> int:
        """By how many days a subject's dates move."""
        return _offset(self._secret, subject)

    def _ordinal(self, day: int, subject: str) -> int:
        return day + self.offset(subject)


class Proportional(Timeline):
    """Every day of a subject's moved as by ``Shift`` and stretched by a secret factor.

    ``day' = EPOCH + offset + floor(factor * (day - EPOCH))``, from the day on whose place that would be its own
    one more. Because the factor is more than 1, different days stay different and in order, and the way that a day
    has moved never decreases: the one more keeps it from ever being 0. An interval of n days becomes factor * n,
    give or take less than 2.
    """

    EPOCH = date(2000, 1, 1).toordinal()
    _STEPS = 1 << 16

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        super().__init__(pseudonyms)
        self._offsets, self._factors = pseudonyms.secret("date-offset"), pseudonyms.secret("date-factor")

    def factor(self, subject: str) -> float:
        """By how much a subject's intervals are stretched."""
        return self._steps(subject) / self._STEPS

    def _steps(self, subject: str) -> int:
        least, most = int(MIN_STRETCH * self._STEPS), int(MAX_STRETCH * self._STEPS)
        return least + self._factors.below(most - least, subject)

    def _ordinal(self, day: int, subject: str) -> int:
        stretched = self._steps(subject) * (day - self.EPOCH) // self._STEPS
        moved = self.EPOCH + _offset(self._offsets, subject) + stretched
        return moved + (moved >= day)


class Order(Timeline):
    """Days from 1900 to 2099 become days from 2100 to 9999: in the same order, and no longer apart as they were.

    A secret staircase, found by halving: the days and the room that they have are cut in two, the days in the
    middle, the room at a secret place, until one day is left in a room of its own; there it lies at a secret
    place. Random gaps of one size added up would even out, so that years could be read from their sum; cuts at
    every scale make long intervals as uncertain as short ones. Between a quarter and three quarters of the room to
    spare goes to each half: with less, days would end up side by side, and their true intervals would show.

    Years from 2100 on so that nobody takes them for true ones.
    """

    keeps_times = False

    DAYS = range(date(1900, 1, 1).toordinal(), date(2100, 1, 1).toordinal())
    ROOM = range(date(2100, 1, 1).toordinal(), _LAST + 1)

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        super().__init__(pseudonyms)
        self._secret = pseudonyms.secret("date-order")

    def _ordinal(self, day: int, subject: str) -> int | None:
        if day not in self.DAYS:
            return None
        first, count = self.DAYS.start, len(self.DAYS)
        room_first, room = self.ROOM.start, len(self.ROOM)
        while count > 1:
            left = count // 2
            spare = room - count
            left_room = (
                left + spare // 4 + self._secret.below(spare // 2 + 1, subject, str(first), str(count))
            )
            if day < first + left:
                count, room = left, left_room
            else:
                first, count = first + left, count - left
                room_first, room = room_first + left_room, room - left_room
        return room_first + self._secret.below(room, subject, str(first), "1")


_WAYS: dict[DateMode, type[Timeline]] = {
    DateMode.SHIFT: Shift,
    DateMode.PROPORTIONAL: Proportional,
    DateMode.ORDER: Order,
}


def timeline(mode: DateMode, pseudonyms: Pseudonyms) -> Timeline:
    """The way that a profile has chosen."""
    return _WAYS[mode](pseudonyms)


def _offset(secret: Secret, subject: str) -> int:
    step = secret.below(2 * MAX_SHIFT_DAYS, subject)
    return step - MAX_SHIFT_DAYS if step < MAX_SHIFT_DAYS else step - MAX_SHIFT_DAYS + 1
