"""Private attributes: those that the standard knows to be safe, and those that a profile vouches for.

Table E.3.10-1 of PS3.15 names them by creator and element; in which block of the group they lie differs from
file to file. What stays is treated by its VR like attributes of the standard: UIDs are remapped, dates moved,
texts reduced to the allow-list, sequences gone through with the same rules for their items.
"""

from __future__ import annotations

from aida_pipelines.contracts.profile import Action, DeidProfile, Option
from aida_pipelines.deid._ps3_15_e3_10_1 import SAFE
from aida_pipelines.deid.honest import BINARY_VRS, BULK_VRS, TEMPORAL_VRS, TEXT_VRS, same_family
from aida_pipelines.dicom.dictionary import private_vr

_NUMBERS = frozenset({"DS", "IS", *BINARY_VRS})


class PrivateRules:
    """The actions of one profile for private attributes.

    Args:
        profile: The profile.
    """

    def __init__(self, profile: DeidProfile) -> None:
        self._options = profile.options
        safe = SAFE if Option.RETAIN_SAFE_PRIVATE in profile.options else {}
        self._vrs: dict[tuple[str, int], str] = {
            (creator, place): vr or private_vr(creator, place >> 16, place & 0xFF)
            for creator, places in safe.items()
            for place, vr in places.items()
        }
        for rule in profile.private:
            for name in rule.attributes:
                place = rule.creator, int(name[1:5] + "00" + name[8:10], 16)
                if rule.action is Action.KEEP:
                    self._vrs[place] = rule.vr or ""
                else:
                    self._vrs.pop(place, None)
        self.creators = frozenset(creator for creator, _ in self._vrs)
        """Creators of which anything stays."""

    def resolve(self, creator: str, tag: int, written: str) -> tuple[Action, str]:
        """What is done to a private attribute, and the VR that its value is treated by.

        Args:
            creator: The Private Creator of its block.
            tag: ``group << 16 | element``.
            written: Its VR as written; ``UN`` in implicit VR.
        """
        known = self._vrs.get((creator, tag & 0xFFFF00FF))
        if known is None:
            return Action.REMOVE, written
        if written == "UN":
            vr = known or "UN"
        elif not known:
            vr = (
                written if written in _NUMBERS else "UN"
            )  # nothing says what it is: only numbers are harmless
        else:
            vr = written if same_family(written, known) else "UN"
        return self._action(vr), vr

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
