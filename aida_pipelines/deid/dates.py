"""Date and time values moved along a subject's timeline (PS3.15 E.3.6, option Modified Dates).

Only what is complete and valid is moved. Everything else is emptied, for left as it is it might say the true date:
a year or a month alone (its true value could not be told from a moved one), a day or a time that does not exist, a
time that is longer than a time and may hold a date, words.
"""

from __future__ import annotations

import re

from aida_pipelines.deid.timeline import Timeline
from aida_pipelines.dicom.values import parse_date

_DA = re.compile(r"[0-9]{4}(\.?)[0-9]{2}\1[0-9]{2}")
_CLOCK = r"([01][0-9]|2[0-3])({0}[0-5][0-9]({0}([0-5][0-9]|60)(\.[0-9]{{1,6}})?)?)?"
"""Hours, minutes, seconds (60 in a leap second) and parts of them, from the right as many as are known."""
_TIME = _CLOCK.format("")
_ZONE = r"[+-](0[0-9]|1[0-4])[0-5][0-9]"
_TM = re.compile(f"{_TIME}|{_CLOCK.format(':')}")
_DT = re.compile(rf"[0-9]{{8}}(?P<time>{_TIME})?(?P<zone>{_ZONE})?")


def moved_value(text: str, vr: str, timeline: Timeline, subject: str) -> str:
    """One value of VR DA, DT or TM as it becomes for a subject; empty if it is not what its VR says.

    The zone of a DT stays: the day that moves is the one of the place.
    """
    if vr == "TM":
        return _time(text, timeline) if _TM.fullmatch(text) else ""
    match = (_DA if vr == "DA" else _DT).fullmatch(text)
    day = parse_date(text) if match else None
    moved = timeline.moved(day, subject) if day else None
    if match is None or moved is None:
        return ""
    # isoformat pads the year to four digits; strftime's %Y doesn't on every platform
    written = moved.isoformat().replace("-", "")
    if vr == "DA":
        return written
    return written + _time(match["time"] or "", timeline) + (match["zone"] or "")


def _time(text: str, timeline: Timeline) -> str:
    """A time of day, or midnight written as precisely: DICOM asks for a time in places, and 0 says nothing."""
    return text if timeline.keeps_times else re.sub(r"[0-9]", "0", text)
