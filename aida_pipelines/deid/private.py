"""Private attributes: those that the standard knows to be safe, and those that a profile vouches for.

Table E.3.10-1 of PS3.15 names them by creator and element; in which block of the group they lie differs from
file to file. What stays is treated by its VR like attributes of the standard: UIDs are remapped, dates moved,
texts reduced to the allow-list, sequences gone through with the same rules for their items. Of what a profile
vouches for, texts must be one of its values, and of containers only numbers stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aida_pipelines.contracts.profile import Action, Container, DeidProfile, Option
from aida_pipelines.deid._ps3_15_e3_10_1 import SAFE
from aida_pipelines.deid.containers import rewritten
from aida_pipelines.deid.containers.number import is_number
from aida_pipelines.deid.honest import BINARY_VRS, BULK_VRS, TEMPORAL_VRS, TEXT_VRS, is_nobodys, same_family
from aida_pipelines.dicom.dictionary import private_vr
from aida_pipelines.dicom.parse import Encoding
from aida_pipelines.dicom.values import numbers

_NUMBERS = frozenset({"DS", "IS", *BINARY_VRS})


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a private attribute that stays.

    Attributes:
        vr: Its VR; empty where nothing says it.
        vouched: Whether the profile names it, and not the standard.
        values: What each value of a text must match; None where any words of the allow-list stay.
        container: How bytes are read; None where they aren't.
        fields: What is kept of them.
    """

    vr: str
    vouched: bool = False
    values: re.Pattern[bytes] | None = None
    container: Container | None = None
    fields: frozenset[str] = frozenset()


class PrivateRules:
    """The actions of one profile for private attributes.

    Args:
        profile: The profile.
    """

    def __init__(self, profile: DeidProfile) -> None:
        self._options = profile.options
        safe = SAFE if Option.RETAIN_SAFE_PRIVATE in profile.options else {}
        self._known = {
            (creator, place): _Known(vr or private_vr(creator, place >> 16, place & 0xFF))
            for creator, places in safe.items()
            for place, vr in places.items()
        }
        for rule in profile.private:
            for name in rule.attributes:
                place = rule.creator, int(name[1:5] + "00" + name[8:10], 16)
                if rule.action is Action.KEEP:
                    self._known[place] = _Known(
                        rule.vr or "", True, _one_of(rule.values), rule.container, frozenset(rule.fields)
                    )
                else:
                    self._known.pop(place, None)

    def resolve(self, creator: str, tag: int, written: str) -> tuple[Action, str]:
        """What is done to a private attribute, and the VR that its value is treated by.

        Args:
            creator: The Private Creator of its block.
            tag: ``group << 16 | element``.
            written: Its VR as written; ``UN`` in implicit VR.
        """
        known = self._known.get((creator, tag & 0xFFFF00FF))
        if known is None:
            return Action.REMOVE, written
        if written == "UN":
            vr = known.vr or "UN"
        elif not known.vr:
            vr = (
                written if written in _NUMBERS else "UN"
            )  # nothing says what it is: only numbers are harmless
        elif known.vr in ("DS", "IS") and written in TEXT_VRS:
            vr = known.vr  # numbers that are written as text
        else:
            vr = written if same_family(written, known.vr) else "UN"
        action = self._action(vr)
        return (Action.KEEP if known.values and action is Action.CLEAN_TEXT else action), vr

    def narrowed(self, creator: str, tag: int, vr: str, value: bytes, encoding: Encoding) -> bytes | None:
        """What may be kept of a value that ``resolve`` would keep; None if it can't be.

        Args:
            creator: The Private Creator of its block.
            tag: ``group << 16 | element``.
            vr: As resolved.
            value: Padding included.
            encoding: How it is written.
        """
        known = self._known[creator, tag & 0xFFFF00FF]
        if known.container:
            return rewritten(known.container, value, known.fields)
        if known.values or (known.vouched and vr in ("DS", "IS")):
            fits = known.values.fullmatch if known.values else is_number
            return value if all(fits(part.strip(b"\0 ")) for part in value.split(b"\\")) else None
        if vr in BINARY_VRS and not is_nobodys(numbers(value, vr, encoding)):
            return None
        return value

    def _action(self, vr: str) -> Action:
        if vr in _NUMBERS or vr in BULK_VRS or vr in ("SQ", "CS"):
            return Action.KEEP
        if vr in TEXT_VRS:
            return Action.CLEAN_TEXT
        if vr == "UI":
            return Action.KEEP if Option.RETAIN_UIDS in self._options else Action.REMAP_UID
        if vr in TEMPORAL_VRS:
            if Option.RETAIN_LONGITUDINAL_FULL_DATES in self._options:
                return Action.KEEP
            if Option.RETAIN_LONGITUDINAL_MODIFIED_DATES in self._options:
                return Action.SHIFT_DATE
        return Action.REMOVE


def _one_of(values: tuple[str, ...]) -> re.Pattern[bytes] | None:
    """What matches an empty text and each of these, with a short number for ``#``."""
    if not values:
        return None
    patterns = [re.escape(value).replace(r"\#", "[0-9]{1,4}") for value in values]
    return re.compile("|".join(["", *patterns]).encode("ascii"))
