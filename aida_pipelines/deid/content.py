"""Content items of structured reports, by the concept that names them (PS3.15 E.3.4, table E.3.4-1).

A content item is an item of any sequence with a Concept Name Code Sequence: of Content Sequence, and of
acquisition contexts, specimen preparations and protocols alike. Four things decide, the later over the earlier:

* what the table does not list goes by its attributes: texts reduced to the allow-list and prose to nothing, names
  dummies, dates as the profile says, references remapped;
* the table, with the profile's options;
* the concepts that it forgets (``ALSO``);
* the profile's own rules for content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import pack

from aida_pipelines.contracts.profile import Action, DeidProfile, Option
from aida_pipelines.deid._ps3_15_e3_4_1 import ITEMS, Item
from aida_pipelines.deid.honest import BULK_VRS, TEXT_VRS
from aida_pipelines.dicom.dictionary import concept_meanings
from aida_pipelines.dicom.parse import Element, Encoding
from aida_pipelines.dicom.values import numbers

VALUES: dict[str, int] = {
    "TEXT": 0x0040A160,
    "DATETIME": 0x0040A120,
    "DATE": 0x0040A121,
    "TIME": 0x0040A122,
    "PNAME": 0x0040A123,
    "UIDREF": 0x0040A124,
}
"""The attribute that holds the value, by value type; of all others the value is in a sequence."""

STRUCTURED = frozenset({0x00400440, 0x00400555, 0x00400610, 0x00400612, 0x00400620, 0x0040A730})
"""Sequences of content items: protocol and acquisition context, preparation and localisation of specimens, content."""

_CODE_TEXTS = frozenset({0x00080100, 0x00080102, 0x00080103, 0x00080104, 0x00080119, 0x00080120})
_IMAGE_PIXEL = 0x0028
_IN_PLACE_ONLY = TEXT_VRS | BULK_VRS | {"UN"}

MAYBE_PROSE = frozenset({VALUES["TEXT"], 0x00700006})
"""Text Value and Unformatted Text Value: a word or two, or a page."""

MAX_DESCRIPTION = 64
"""Characters of a description, as VR LO has them."""

_REFERENCES = frozenset({"UIDREF", "COMPOSITE", "IMAGE", "WAVEFORM"})
_CODED = frozenset({"CODE", "NUM", "CONTAINER", "SCOORD", "SCOORD3D", "TCOORD"})
_CAREFUL_FIRST = (Action.SHIFT_DATE, Action.CLEAN_TEXT, Action.KEEP)

_DEVICE, _DESCRIPTORS = {Option.RETAIN_DEVICE_IDENTITY.value: "K"}, {Option.CLEAN_DESCRIPTORS.value: "C"}
_CHARACTERISTICS = {Option.RETAIN_PATIENT_CHARACTERISTICS.value: "K"}

ALSO: tuple[Item, ...] = (
    # The manufacturer and the model beside the device's name and serial number (TID 1004, TID 1010, TID 1020).
    Item("121014", "DCM", "Device Observer Manufacturer", "TEXT", "X", _DEVICE),
    Item("121015", "DCM", "Device Observer Model Name", "TEXT", "X", _DEVICE),
    Item("121194", "DCM", "Device Subject Manufacturer", "TEXT", "X", _DEVICE),
    Item("121195", "DCM", "Device Subject Model Name", "TEXT", "X", _DEVICE),
    Item("113878", "DCM", "Device Manufacturer", "TEXT", "X", _DEVICE),
    Item("113879", "DCM", "Device Model Name", "TEXT", "X", _DEVICE),
    # The other half of Tracking Unique Identifier, typed by a person (TID 1501).
    Item("112039", "DCM", "Tracking Identifier", "TEXT", "D", _DESCRIPTORS),
    # What the patient's module says as well, under other codes than the table's.
    Item("30525-0", "LN", "Age", "NUM", "X", _CHARACTERISTICS),
    Item("29553-5", "LN", "Age calculated", "NUM", "X", _CHARACTERISTICS),
    Item("397669002", "SCT", "Age", "NUM", "X", _CHARACTERISTICS),
    Item("424144002", "SCT", "Current chronological age", "NUM", "X", _CHARACTERISTICS),
    Item("21112-8", "LN", "Birth date", "DATE", "X", {}),
    Item("184099003", "SCT", "Date of birth", "DATE", "X", {}),
    Item("371484003", "SCT", "Patient name", "PNAME", "X", {}),
)
"""Concepts that identify, or describe, and are not in the table."""

_CONCEPT_NAME, _VALUE_TYPE, _CONTENT = 0x0040A043, 0x0040A040, 0x0040A730
_SCHEME, _MEANING, _CODES = 0x00080102, 0x00080104, (0x00080100, 0x00080119, 0x00080120)
_MEASURED, _UNITS, _NUMBERS = 0x0040A300, 0x004008EA, {0x0040A30A: "DS", 0x0040A161: "FD"}
POSITION = 0x0040DB73
"""Referenced Content Item Identifier: the place of another item in the tree."""

_MAX_AGE_YEARS = 89
_YEARS = {"a": 1.0, "mo": 1 / 12, "wk": 7 / 365.25, "d": 1 / 365.25}
"""Of the units of UCUM in which ages are given. What is in another unit counts as years."""

_OF_BEFORE_SCT = ("SRT", "SNM3", "99SDM")
"""Designators of SNOMED RT, in which objects were coded before SNOMED CT."""

SNOMED_RT: dict[str, str] = {
    "440252007": "PA-30029",
    "398164008": "DF-0070B",
    "398325003": "DF-0068E",
    "371524004": "R-42B89",
    "116224001": "DD-60002",
    "271921002": "F-00033",
    "363698007": "G-C0E3",
    "160476009": "F-02455",
    "398201009": "G-D321",
    "397898000": "G-D320",
}
"""The codes there of the table's concepts."""

ContentItem = Sequence[Element]
Value = Callable[[Element], bytes]


@dataclass(frozen=True, slots=True)
class Named:
    """What a content item says that it is.

    Attributes:
        scheme: Coding Scheme Designator of its concept name.
        code: Code Value (or the long one) of its concept name.
        value_type: Value Type.
    """

    scheme: str
    code: str
    value_type: str


class ContentRules:
    """The actions for content items under a profile.

    Args:
        profile: The profile.
    """

    def __init__(self, profile: DeidProfile) -> None:
        self._options = profile.options
        self._actions: dict[tuple[str, str, str], Action] = {}
        self._described: set[tuple[str, str]] = set()
        self._listed: set[tuple[str, str]] = set()
        for item in (*ITEMS, *ALSO):
            for scheme, code in _spellings(item.scheme, item.code):
                self._actions[scheme, code, item.value_type] = self._of(item)
                self._listed.add((scheme, code))
                # A description (cleaned), or a reference: a code or a number in its place says no more than they.
                if Option.CLEAN_DESCRIPTORS in item.options or item.value_type in _REFERENCES:
                    self._described.add((scheme, code))
        self._own: dict[tuple[str, str, str], Action] = {
            (*spelling, value_type): rule.action
            for rule in profile.content
            for concept in rule.concepts
            for spelling in _spellings(concept.scheme, concept.code)
            for value_type in rule.value_types
        }

    def action(self, scheme: str, code: str, value_type: str) -> Action | None:
        """What is done to an item: ``remove`` the item, or this to its value; None: by its attributes.

        Args:
            scheme: Coding Scheme Designator of its concept name.
            code: Code Value of its concept name.
            value_type: Value Type.
        """
        concept = (_scheme(scheme), code)
        key = (*concept, value_type)
        if (own := self._own.get(key)) is not None:
            return own
        if (found := self._actions.get(key)) is not None or concept not in self._listed:
            return found
        if concept in self._described and value_type in _CODED | _REFERENCES - {"UIDREF"}:
            return None  # Finding, listed as a text, and here a code as most often
        return Action.REMOVE  # a listed concept with a value of a type that the table doesn't foresee

    def decide(self, item: ContentItem, value: Value) -> tuple[Action | None, Mapping[int, Action]]:
        """What is done to an item of a sequence, and to those of its attributes that only its others can tell.

        These are the attribute with a content item's value, by its concept and value type; and a code's meaning,
        which stays where it is what the standard says of that very code.

        Args:
            item: Its elements.
            value: What gives an element's bytes.
        """
        overrides = {_MEANING: Action.KEEP} if _has_standard_meaning(item, value) else {}
        named = named_by(item, value)
        action = self.action(named.scheme, named.code, named.value_type) if named else None
        if named is None or action is None:
            return None, overrides
        if action is Action.KEEP and named.value_type == "NUM" and self._is_of_a_few(named, item, value):
            return Action.REMOVE, {}
        # It may hold one value and say that it holds another.
        overrides.update(dict.fromkeys(VALUES.values(), Action.REMOVE))
        if (holds := VALUES.get(named.value_type)) is not None:
            overrides[holds] = action
        return action, overrides

    def _is_of_a_few(self, named: Named, item: ContentItem, value: Value) -> bool:
        """Whether it is an age over 89 years: few enough to be found by it (HIPAA 164.514(b)(2)(i)(C))."""
        if (_scheme(named.scheme), named.code) not in _AGES:
            return False
        return any(number * _YEARS.get(unit, 1.0) > _MAX_AGE_YEARS for number, unit in _measured(item, value))

    def _of(self, item: Item) -> Action:
        offered = {
            Action.KEEP
            if code == "K"
            else Action.SHIFT_DATE
            if option == Option.RETAIN_LONGITUDINAL_MODIFIED_DATES
            else Action.CLEAN_TEXT
            for option, code in item.options.items()
            if option in self._options
        }
        for action in _CAREFUL_FIRST:
            if action in offered:
                return action
        if (
            "D" not in item.basic
        ):  # X/D: which items a template asks for isn't looked up, a dummy is always right
            return Action.REMOVE
        # A reference's dummy is the pseudonym of what it refers to, so that it still resolves.
        return Action.REMAP_UID if item.value_type in _REFERENCES else Action.DUMMY


@dataclass(frozen=True, slots=True)
class Positions:
    """Items that refer to other items by their place in the tree, when some of the items go (PS3.3 C.17.3.2.5).

    Attributes:
        gone: Identities (``id``) of the items that go, because of what they are or because what they refer to does.
        moved: Where those that stay come to be: old place → new place, from the root's own number, 1, on.
    """

    gone: frozenset[int] = frozenset()
    moved: Mapping[tuple[int, ...], tuple[int, ...]] | None = None

    def new(self, place: tuple[int, ...]) -> tuple[int, ...] | None:
        """The new place of what was at ``place``; None if it is gone."""
        return (self.moved or {}).get(place)


def is_prose(text: bytes, cleaned: bytes) -> bool:
    """Whether a text is no description but sentences: long, or made of words most of which had to go.

    The allow-list isn't made for those, and what it leaves of them ("he in the") says nothing.
    """
    return len(text) > MAX_DESCRIPTION or 2 * len(cleaned.split()) < len(text.split())


def is_out_of_place(tag: int, vr: str) -> bool:
    """Whether an attribute has no place in a content item, though profiles keep it where it has one.

    A kernel's or a model's name says something of a device in an image's header, a palette of its pixels. In a content
    item they are no attributes of the standard's macros (PS3.3 tables 8.8-1, 10-2 and C.17.3-1).
    """
    return (vr in _IN_PLACE_ONLY and tag not in _CODE_TEXTS) or tag >> 16 == _IMAGE_PIXEL


def refers_by_position(tree: bytes, encoding: Encoding) -> bool:
    """Whether a content tree, as bytes, may hold items that refer to others by their place."""
    return pack(f"{encoding.order}HH", POSITION >> 16, POSITION & 0xFFFF) in tree


def positions(items: Sequence[ContentItem], goes: Callable[[ContentItem], bool], value: Value) -> Positions:
    """What becomes of the places in the content tree under the root.

    Args:
        items: The root's content items.
        goes: Whether an item is removed for what it is.
        value: What gives an element's bytes.
    """
    gone: set[int] = set()
    places: set[tuple[int, ...]] = set()
    references: list[tuple[ContentItem, tuple[int, ...]]] = []
    for place, item in _tree(items, (1,)):
        if place[:-1] not in places and len(place) > 2:
            continue  # under one that goes
        if goes(item):
            gone.add(id(item))
            continue
        places.add(place)
        for element in item:
            if element.tag == POSITION:
                references.append((item, place_of(element, value)))
    gone.update(id(item) for item, place in references if place != (1,) and place not in places)
    moved = {(1,): (1,)} | dict(_renumbered(items, gone, (1,), (1,)))
    return Positions(frozenset(gone), moved)


def place_of(element: Element, value: Value) -> tuple[int, ...]:
    """The place that a Referenced Content Item Identifier names."""
    return tuple(int(number) for number in numbers(value(element), "UL", element.encoding))


def named_by(item: ContentItem, value: Value) -> Named | None:
    """What names a content item; None for what is none."""
    found = {element.tag: element for element in item}
    name = found.get(_CONCEPT_NAME)
    if name is None or not name.items:
        return None
    scheme, code = _code(name.items[0], value)
    return Named(scheme, code, _text(found.get(_VALUE_TYPE), value))


def _has_standard_meaning(item: ContentItem, value: Value) -> bool:
    """Whether an item is a code and its Code Meaning the standard's for it."""
    meaning = _last(item, _MEANING)
    if meaning is None:
        return False
    scheme, code = _code(item, value)
    return _text(meaning, value).casefold() in concept_meanings().get((scheme, code), ())


def _measured(item: ContentItem, value: Value) -> Iterator[tuple[float, str]]:
    """Number and unit of each of a numeric item's values."""
    for measured in (one for element in item if element.tag == _MEASURED for one in element.items or ()):
        found = {element.tag: element for element in measured}
        units = found.get(_UNITS)
        unit = _code(units.items[0], value)[1] if units and units.items else ""
        for tag, vr in _NUMBERS.items():
            if (number := found.get(tag)) is not None:
                yield from ((n, unit) for n in numbers(value(number), vr, number.encoding))


def _code(item: ContentItem, value: Value) -> tuple[str, str]:
    found = {element.tag: element for element in item}
    code = next((text for tag in _CODES if (text := _text(found.get(tag), value))), "")
    return _text(found.get(_SCHEME), value), code


def _text(element: Element | None, value: Value) -> str:
    return value(element).decode("latin-1").strip("\0 ") if element else ""


def _scheme(designator: str) -> str:
    """A coding scheme's designator as the tables have it, without the version that some write behind it."""
    name = designator.partition(" ")[0].upper()
    return "SRT" if name in _OF_BEFORE_SCT else name


def _spellings(scheme: str, code: str) -> Iterator[tuple[str, str]]:
    """A concept's code, and the one it had in SNOMED RT."""
    yield _scheme(scheme), code
    if scheme == "SCT" and (older := SNOMED_RT.get(code)):
        yield "SRT", older


def _tree(
    items: Sequence[ContentItem], above: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], ContentItem]]:
    for number, item in enumerate(items, 1):
        yield (*above, number), item
        yield from _tree(_children(item), (*above, number))


def _renumbered(
    items: Sequence[ContentItem], gone: set[int], old: tuple[int, ...], new: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    left = 0
    for number, item in enumerate(items, 1):
        if id(item) not in gone:
            left += 1
            yield (*old, number), (*new, left)
            yield from _renumbered(_children(item), gone, (*old, number), (*new, left))


def _children(item: ContentItem) -> Sequence[ContentItem]:
    content = _last(item, _CONTENT)
    return content.items or () if content else ()


def _last(item: ContentItem, tag: int) -> Element | None:
    """An element of the item; of several with the tag the one that is written."""
    return next((element for element in reversed(item) if element.tag == tag), None)


_AGES = {
    spelling
    for item in (*ITEMS, *ALSO)
    if item.value_type == "NUM" and Option.RETAIN_PATIENT_CHARACTERISTICS in item.options
    for spelling in _spellings(item.scheme, item.code)
}
