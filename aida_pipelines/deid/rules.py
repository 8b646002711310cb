"""From a profile to one action for each attribute.

Three things decide, the later over the earlier: table E.1-1 with the profile's options; for attributes
that the table does not list, their VR; the profile's own rules and the layers that hold for the instance.

Compound actions of the table (``X/Z/D``) leave a choice that depends on the attribute's type in the
instance's IOD. Without looking at the IOD the safe choice is the one that is valid in all of them: a dummy
where the table offers one, else an empty value, else removal. None of the three lets the original value
through.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pydicom._dicom_dict import DicomDictionary

from aida_pipelines.contracts.profile import Action, AttributeRule, DeidProfile, Layer, Option
from aida_pipelines.deid._ps3_15_e1_1 import ROWS, Row
from aida_pipelines.dicom.parse import vr_of

_DATE_VRS = frozenset({"DA", "DT"})
_LONG_TEXT = frozenset({"LT", "ST", "UT", "UC"})

# Valid in every IOD, in this order: see the module's docstring.
_SAFEST_FIRST = (("U", Action.REMAP_UID), ("D", Action.DUMMY), ("Z", Action.EMPTY), ("X", Action.REMOVE))

# Where options disagree about an attribute, the one that lets less through.
_CAREFUL_FIRST = (Action.SHIFT_DATE, Action.CLEAN_TEXT, Action.KEEP)

_UNLISTED: dict[str, Action] = {
    "PN": Action.EMPTY,
    "AE": Action.REMOVE,
    "UR": Action.REMOVE,
    "UI": Action.REMAP_UID,
    # Bytes of any kind may hold text; what images need is in the profiles' rules.
    "OB": Action.REMOVE,
    "UN": Action.REMOVE,
    **dict.fromkeys(("LO", "SH", *sorted(_LONG_TEXT)), Action.CLEAN_TEXT),
}


class Rules:
    """The actions for one kind of instance: a profile and the layers that apply.

    Args:
        profile: The profile.
        layers: Those of its layers that hold for the instance.
    """

    def __init__(self, profile: DeidProfile, layers: tuple[Layer, ...] = ()) -> None:
        self._options = profile.options
        self._listed = {tag: row for row in ROWS if (tag := _tag(row.tag)) is not None}
        self._own: dict[int, Action] = {}
        for rule in (*profile.rules, *(rule for layer in layers for rule in layer.rules)):
            self._own.update((tag, rule.action) for tag in rule_tags(rule))
        self._cache: dict[tuple[int, str], Action] = {}

    def action(self, tag: int, vr: str) -> Action:
        """What is done to an attribute.

        Args:
            tag: ``group << 16 | element``.
            vr: As written in the data set. Where it says less than the dictionary's, the dictionary's counts.
        """
        try:
            return self._cache[tag, vr]
        except KeyError:
            return self._cache.setdefault((tag, vr), self._resolved(tag, vr))

    def _resolved(self, tag: int, written: str) -> Action:
        row, known = self._listed.get(tag), vr_of(tag)
        vr = known if written == "UN" or known == "SQ" else written
        # A VR that is still unknown: in the table, but neither the file nor the dictionary says what it is.
        if _never_kept(tag) or (row is None and tag not in DicomDictionary) or vr == "UN":
            return Action.REMOVE
        if (own := self._own.get(tag)) is not None:
            return own
        return self._by_vr(vr, known) if row is None else self._by_table(row, vr)

    def _by_table(self, row: Row, vr: str) -> Action:
        offered = {
            _option_action(row.options[option], option, vr)
            for option in self._options
            if option in row.options
        }
        for action in _CAREFUL_FIRST:
            if action in offered:
                return action
        action = next(action for code, action in _SAFEST_FIRST if code in row.basic)
        if vr == "SQ" and action is Action.DUMMY:
            return Action.EMPTY
        return action

    def _by_vr(self, written: str, known: str) -> Action:
        if written != known and known in _UNLISTED and written not in _UNLISTED:
            written = known  # a text that calls itself a number is still treated as text
        if written in _DATE_VRS or written == "TM":
            if Option.RETAIN_LONGITUDINAL_FULL_DATES in self._options:
                return Action.KEEP
            shifted = Option.RETAIN_LONGITUDINAL_MODIFIED_DATES in self._options
            return Action.SHIFT_DATE if shifted else Action.EMPTY
        return _UNLISTED.get(written, Action.KEEP)


class RuleBook:
    """A profile's rules for any instance.

    Args:
        profile: The profile.
    """

    def __init__(self, profile: DeidProfile) -> None:
        self.profile = profile
        self._rules = lru_cache(maxsize=64)(lambda layers: Rules(profile, layers))

    def rules_for(self, modality: str, manufacturer: str) -> Rules:
        """The rules for an instance of this modality by this manufacturer."""
        maker = manufacturer.casefold()
        layers = tuple(
            layer
            for layer in self.profile.layers
            if (not layer.modalities or modality in layer.modalities)
            and (not layer.manufacturers or any(name.casefold() in maker for name in layer.manufacturers))
        )
        return self._rules(layers)


def rule_tags(rule: AttributeRule) -> list[int]:
    """The tags that a rule names."""
    from pydicom.datadict import tag_for_keyword

    tags = [_tag(name) if name.startswith("(") else tag_for_keyword(name) for name in rule.attributes]
    return [tag for tag in tags if tag is not None]


def _never_kept(tag: int) -> bool:
    """Attributes that no profile can keep.

    Private ones, commands, file meta, media directories, group lengths; curves and overlay planes whole (a
    plane's geometry is of no use without its bits); pixel data of a nested data set; signatures of what is no
    longer the same; padding.
    """
    group = tag >> 16
    return (
        group % 2 == 1
        or group in (0x0000, 0x0002, 0x0004, 0x7FE0, 0xFFFA, 0xFFFC, 0xFFFE)
        or group & 0xFF00 in (0x5000, 0x6000)
        or not tag & 0xFFFF
    )


def _tag(text: str) -> int | None:
    match = re.fullmatch(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)", text)
    return int(match[1] + match[2], 16) if match else None


def _option_action(code: str, option: str, vr: str) -> Action | None:
    """What an option's K (keep) or C (clean) means for a VR; None where that can't be cleaned."""
    if code == "K" or vr == "SQ":
        return Action.KEEP  # a sequence that is kept is gone through item by item
    if option == Option.RETAIN_LONGITUDINAL_MODIFIED_DATES:
        if vr in ("DA", "DT", "TM"):
            return Action.SHIFT_DATE
        # The offset from UTC says nothing about when, and without it DT values can't be compared.
        return Action.KEEP if vr == "SH" else None
    return Action.CLEAN_TEXT if vr in _LONG_TEXT | {"LO", "SH", "CS", "AE"} else None
