"""From a profile to one action for each attribute.

Three things decide, the later over the earlier: table E.1-1 with the profile's options; for attributes
that the table does not list, their VR; the profile's own rules and the layers that hold for the instance.

Compound actions of the table (``X/Z/D``) leave a choice that depends on the attribute's type in the
instance's IOD: what must be there stays as a dummy (type 1) or empty (type 2), what need not be there goes
(type 3). Where the type isn't known (nested data sets, attributes that the IOD does not name, SOP classes
younger than the tables) the choice is the one that is valid in every IOD: a dummy where the table offers one,
else an empty value, else removal. None of the three lets the original value through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from aida_pipelines.contracts.profile import Action, AttributeRule, DeidProfile, Layer, Option
from aida_pipelines.deid._ps3_3_types import TYPES
from aida_pipelines.deid._ps3_15_e1_1 import ROWS, Row
from aida_pipelines.deid.codes import CODE_TAGS
from aida_pipelines.deid.content import ContentRules
from aida_pipelines.deid.honest import TEMPORAL_VRS, TEXT_VRS, same_family
from aida_pipelines.deid.private import PrivateRules
from aida_pipelines.dicom.dictionary import DicomDictionary, tag_for_keyword
from aida_pipelines.dicom.parse import vr_of

_ACTIONS = {"X": Action.REMOVE, "Z": Action.EMPTY, "D": Action.DUMMY, "U": Action.REMAP_UID}

# What to look for first in a compound action, by the attribute's type; without one, what is valid in every IOD.
_BY_TYPE = {1: "UDZX", 2: "ZUDX", 3: "XZUD"}
_VALID_EVERYWHERE = "UDZX"

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
    **dict.fromkeys(sorted(TEXT_VRS), Action.CLEAN_TEXT),
}

_CLEANABLE = TEXT_VRS | {"CS", "AE"}
_WRITES_TEXT = frozenset({Action.CLEAN_TEXT, Action.CLEAN_DEVICE, Action.PSEUDONYM})

_NEVER_KEPT = frozenset(
    {
        0x00080300,  # says which private attributes are safe, of a data set that is no longer this one
        0x00080304,
        # What another de-identification said of itself: at the top level ours stands in its place, and in an
        # item it would contradict ours.
        0x00120062,
        0x00120063,
        0x00120064,
        0x00280303,
    }
)


_ONLY_AT_THE_TOP = frozenset(
    {
        0x00280301,  # Burned In Annotation and Recognizable Visual Features speak of the whole instance:
        0x00280302,  # in an item they are out of place and might contradict it
    }
)


class Rules:
    """The actions for one kind of instance: a profile, the layers that apply, the types in its IOD.

    Args:
        profile: The profile.
        layers: Those of its layers that hold for the instance.
        types: Types of attributes at the top level, by tag; see ``_ps3_3_types``.

    Attributes:
        private: The rules for private attributes.
        content: The rules for content items of structured reports.
    """

    def __init__(
        self,
        profile: DeidProfile,
        layers: tuple[Layer, ...] = (),
        types: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        if profile.extends:
            raise ValueError("a profile that extends another is loaded with it: contracts.load")
        self._options = profile.options
        self._types = types
        self._listed = {tag: row for row in ROWS if (tag := _tag(row.tag)) is not None}
        self._own: dict[int, Action] = {}
        for rule in (*profile.rules, *(rule for layer in layers for rule in layer.rules)):
            self._own.update((tag, rule.action) for tag in rule_tags(rule))
        self._cache: dict[tuple[int, str, bool], Action] = {}
        self.private = PrivateRules(profile)
        self.content = ContentRules(profile)

    def action(self, tag: int, vr: str, *, top_level: bool = False) -> Action:
        """What is done to an attribute of the standard; private ones are ``private``'s.

        Args:
            tag: ``group << 16 | element``.
            vr: As written in the data set. Where it says less than the dictionary's, the dictionary's counts.
            top_level: Whether it is in the data set itself and not in a sequence's item.
        """
        try:
            return self._cache[tag, vr, top_level]
        except KeyError:
            if tag in _ONLY_AT_THE_TOP and not top_level:
                action = Action.REMOVE
            else:
                action = self._resolved(tag, vr, self._types.get(tag) if top_level else None)
            return self._cache.setdefault((tag, vr, top_level), action)

    def _resolved(self, tag: int, written: str, iod_type: int | None) -> Action:
        row, known = self._listed.get(tag), vr_of(tag)
        vr = known if written == "UN" or known == "SQ" else written
        # A VR that is still unknown: in the table, but neither the file nor the dictionary says what it is.
        if _never_kept(tag) or (row is None and tag not in DicomDictionary) or vr == "UN":
            return Action.REMOVE
        if (own := self._own.get(tag)) is not None:
            action = own
        elif row is None:
            action = self._by_vr(tag, vr, known)
        else:
            action = self._by_table(row, vr, iod_type)
        if action is Action.KEEP and tag in DicomDictionary and not same_family(vr, DicomDictionary[tag][0]):
            # It would be kept for what the standard says that it is, and it says that it is something else.
            return Action.CLEAN_TEXT if vr in TEXT_VRS else Action.REMOVE
        if action in _WRITES_TEXT and vr not in _CLEANABLE and vr not in ("SQ", "UR"):
            return Action.REMOVE
        return action

    def _by_table(self, row: Row, vr: str, iod_type: int | None) -> Action:
        offered = {
            _option_action(row.options[option], option, vr)
            for option in self._options
            if option in row.options
        }
        for action in _CAREFUL_FIRST:
            if action in offered:
                return action
        order = _VALID_EVERYWHERE if iod_type is None else _BY_TYPE[iod_type]
        action = next(_ACTIONS[code] for code in order if code in row.basic)
        if vr == "SQ" and action is Action.DUMMY:
            return Action.EMPTY
        return action

    def _by_vr(self, tag: int, written: str, known: str) -> Action:
        if known == "UI" or (written != known and known in _UNLISTED and written not in _UNLISTED):
            # A text that calls itself a number is still treated as text, a UID always as a UID.
            written = known
        if tag in CODE_TAGS and written in TEXT_VRS | {"UR"}:
            return Action.KEEP  # as far as they are codes of a public scheme; see ``codes``
        if written in TEMPORAL_VRS:
            return temporal_action(self._options)
        if written == "UI" and Option.RETAIN_UIDS in self._options:
            return Action.KEEP
        return _UNLISTED.get(written, Action.KEEP)


class RuleBook:
    """A profile's rules for any instance.

    Args:
        profile: The profile.
    """

    def __init__(self, profile: DeidProfile) -> None:
        self.profile = profile
        self._rules = lru_cache(maxsize=256)(
            lambda layers, sop_class: Rules(profile, layers, TYPES.get(sop_class, {}))
        )

    def rules_for(self, modality: str, manufacturer: str, sop_class: str = "") -> Rules:
        """The rules for an instance of this modality by this manufacturer, of this SOP class."""
        maker = manufacturer.casefold()
        layers = tuple(
            layer
            for layer in self.profile.layers
            if (not layer.modalities or modality in layer.modalities)
            and (not layer.manufacturers or any(name.casefold() in maker for name in layer.manufacturers))
        )
        return self._rules(layers, sop_class)


def rule_tags(rule: AttributeRule) -> list[int]:
    """The tags that a rule names."""
    tags = [_tag(name) if name.startswith("(") else tag_for_keyword(name) for name in rule.attributes]
    return [tag for tag in tags if tag is not None]


def temporal_action(options: frozenset[Option]) -> Action:
    """What is done to a date or time that no table lists."""
    if Option.RETAIN_LONGITUDINAL_FULL_DATES in options:
        return Action.KEEP
    return Action.SHIFT_DATE if Option.RETAIN_LONGITUDINAL_MODIFIED_DATES in options else Action.EMPTY


def _never_kept(tag: int) -> bool:
    """Attributes of the standard that no profile can keep, and all that are not the standard's.

    Commands, file meta, media directories, group lengths; curves and overlay planes whole (a plane's geometry
    is of no use without its bits); pixel data of a nested data set; signatures of what is no longer the same;
    padding.
    """
    group = tag >> 16
    return (
        group % 2 == 1
        or group in (0x0000, 0x0002, 0x0004, 0x7FE0, 0xFFFA, 0xFFFC, 0xFFFE)
        or group & 0xFF00 in (0x5000, 0x6000)
        or not tag & 0xFFFF
        or tag in _NEVER_KEPT
    )


def _tag(text: str) -> int | None:
    match = re.fullmatch(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)", text)
    return int(match[1] + match[2], 16) if match else None


def _option_action(code: str, option: str, vr: str) -> Action | None:
    """What an option's K (keep) or C (clean) means for a VR; None where that can't be cleaned."""
    if code == "K" or vr == "SQ":
        return Action.KEEP  # a sequence that is kept is gone through item by item
    if option == Option.RETAIN_LONGITUDINAL_MODIFIED_DATES:
        if vr in TEMPORAL_VRS:
            return Action.SHIFT_DATE
        # The offset from UTC says nothing about when, and without it DT values can't be compared.
        return Action.KEEP if vr == "SH" else None
    return Action.CLEAN_TEXT if vr in _CLEANABLE else None
