"""Date and time values moved by a subject's offset (PS3.15 E.3.6, option Modified Dates).

Whole days only: intervals between a subject's dates and all times of day stay as they were. A value that
isn't a complete, valid date is emptied: it can't be moved, and left as it is it might say the true one.
"""

from __future__ import annotations

import re

from aida_pipelines.deid.pseudonym import Pseudonyms
from aida_pipelines.dicom.values import parse_date

_DA = re.compile(r"\d{4}(\.?)\d{2}\1\d{2}")
_DT = re.compile(r"\d{8}(?P<rest>(\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?)?([+-]\d{4})?)")
_TM = re.compile(r"\d{2}(:?\d{2}(:?\d{2}(\.\d{1,6})?)?)?")


def shift_value(text: str, vr: str, pseudonyms: Pseudonyms, subject: str) -> str:
    """One value of VR DA or DT, moved; one of VR TM, as it is; empty if it is not what its VR says."""
    if vr == "TM":
        return text if _TM.fullmatch(text) else ""
    match = (_DA if vr == "DA" else _DT).fullmatch(text)
    day = parse_date(text) if match else None
    moved = pseudonyms.shift(day, subject) if day else None
    if match is None or moved is None:
        return ""
    # isoformat pads the year to four digits; strftime's %Y doesn't on every platform
    return moved.isoformat().replace("-", "") + (match["rest"] if vr == "DT" else "")
