"""The DICOM conformance statement of a de-identification profile (PS3.15 E.1.3, PS3.2 N.8.4.4 and N.11.2.6).

Nothing in it is told twice: what is done to an attribute is asked of the rules that instances are rewritten by,
what is inserted is read from an instance that was de-identified for it, limits are the code's own constants. So it
says what the code does, and a changed profile or rule is a changed statement. ``conformance_text`` puts it into
sentences.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Container, Iterator
from datetime import date
from io import BytesIO
from types import MappingProxyType

from pydantic import BaseModel, Field
from pydicom import dcmread
from pydicom.datadict import dictionary_description
from pydicom.dataset import Dataset

from aida_pipelines.contracts.profile import Action, AttributeRule, DeidProfile, Option
from aida_pipelines.deid._ps3_3_types import TYPES
from aida_pipelines.deid._ps3_15_e1_1 import EDITION, ROWS, Row
from aida_pipelines.deid._ps3_15_e3_4_1 import ITEMS
from aida_pipelines.deid._ps3_15_e3_10_1 import SAFE
from aida_pipelines.deid.content import ALSO
from aida_pipelines.deid.descriptors import DescriptorCleaner
from aida_pipelines.deid.devices import DeviceCleaner
from aida_pipelines.deid.engine import METHOD_CODES, Deidentifier, dummy_value
from aida_pipelines.deid.pseudonym import KEY_BYTES, Pseudonyms
from aida_pipelines.deid.rules import Rules, rule_tags
from aida_pipelines.dicom.dictionary import DicomDictionary, UID_dictionary
from aida_pipelines.dicom.encode import encode_element, encode_file_meta
from aida_pipelines.dicom.parse import EXPLICIT, EXPLICIT_LITTLE, YOUNGER_SYNTAXES, vr_of

PRODUCT = "aida_pipelines"

GONE_THROUGH = "gone through"
"""What becomes of a sequence that stays: its items are rewritten by the same rules."""

_SEQUENCES = {Action.KEEP: GONE_THROUGH, Action.REMAP_UID: GONE_THROUGH, Action.REMOVE: str(Action.REMOVE)}
_UIDS = {action: str(action) for action in (Action.KEEP, Action.REMOVE, Action.EMPTY)}

NEVER_KEPT = "no profile can keep it"
TABLE = "table E.1-1"
CONTENT_TABLE, CONTENT_ADDED = "table E.3.4-1", "beside the table"

_EVERY_INSTANCE = "every instance"


class OptionClaim(BaseModel, frozen=True):
    """One method of PS3.16 CID 7050.

    Attributes:
        code: Its code in coding scheme DCM.
        meaning: Its name.
        claimed: Whether this profile takes it; what is claimed is written into every instance.
        offered: Whether any profile could: there is code for it.
    """

    code: str
    meaning: str
    claimed: bool
    offered: bool


class AttributeAction(BaseModel, frozen=True):
    """What is done to an attribute of table E.1-1 at every level of nesting.

    Attributes:
        tag: As the table has it.
        name: As the table has it.
        vr: The dictionary's; empty for a group of attributes.
        basic: The Basic Profile's action code.
        options: Action codes of the options that this profile takes.
        effect: What is done: an ``Action``, or for a sequence ``gone through``, ``empty`` or ``remove``.
        by_type: What is done instead at the top level where the instance's IOD gives the attribute this type;
            only types that it has in the IODs of objects that are let through.
        inserted: Whether the top level's value is one of those that are inserted, whatever is done elsewhere.
        basis: What decided it.
    """

    tag: str
    name: str
    vr: str
    basic: str
    options: dict[str, str]
    effect: str
    by_type: dict[int, str]
    inserted: bool
    basis: str


class UnlistedVr(BaseModel, frozen=True):
    """What is done to attributes of the dictionary that neither the table nor the profile names.

    Attributes:
        vr: Their VR.
        effects: How many of them meet with which effect.
    """

    vr: str
    effects: dict[str, int]


class ProfileRule(BaseModel, frozen=True):
    """A rule of the profile.

    Attributes:
        scope: For which instances it holds.
        attributes: What it names.
        effect: What is done.
        reason: Why.
    """

    scope: str
    attributes: tuple[str, ...]
    effect: str
    reason: str


class PrivateAction(BaseModel, frozen=True):
    """What is done to a private attribute that does not simply go.

    Attributes:
        creator: Private Creator.
        tag: ``(gggg,xxee)``, whatever the block.
        vr: What it is; empty where nothing says so, then only numbers stay.
        effect: What is done.
        only: What of its values stays where the profile vouches for it: the values, or a container's fields; all
            others go. Empty where any value of the VR stays.
        basis: What decided it: the standard's table or the profile's rule with its reason and source.
    """

    creator: str
    tag: str
    vr: str
    effect: str
    only: tuple[str, ...]
    basis: str


class ContentAction(BaseModel, frozen=True):
    """What is done to a content item, wherever it is.

    Attributes:
        code: Code of its concept name.
        scheme: The code's scheme.
        meaning: The concept.
        value_type: The item's value type.
        effect: ``remove`` the item, or what is done to its value.
        basis: What decided it: the standard's table, what the code adds to it, or the profile's rule with its reason.
    """

    code: str
    scheme: str
    meaning: str
    value_type: str
    effect: str
    basis: str


class Inserted(BaseModel, frozen=True):
    """An attribute that every de-identified instance has, whatever it had before.

    Attributes:
        tag: Its tag.
        name: Its name.
        value: What it says.
    """

    tag: str
    name: str
    value: str


class SopClass(BaseModel, frozen=True):
    """A kind of object that is let through.

    Attributes:
        uid: SOP Class UID.
        name: Its name; the UID where the dictionary has none.
        text_is_likely: Held unless it is declared to be free of text, or a person has looked at it.
    """

    uid: str
    name: str
    text_is_likely: bool


class Statement(BaseModel, frozen=True):
    """The statement's facts; see PS3.15 E.1.3 for what must be among them.

    Attributes:
        product: The de-identifier.
        code_version: Version of the code that decides what comes out.
        edition: Edition of PS3.15 whose tables it has.
        profile: The profile's contract as it is in force.
        fingerprint: SHA-256 of the contract's bytes.
        options: What is claimed, and what is not.
        attributes: Every row of table E.1-1.
        unlisted: Attributes that it doesn't list, by VR.
        rules: The profile's rules.
        private: Private attributes that stay; all others go.
        content_items: Every row of table E.3.4-1, then what the code and the profile add.
        dummies: The values that stand for what must be there, by VR.
        inserted: Attributes that say what was done and for whom.
        file_meta: Names of what the file meta information holds.
        sop_classes: Kinds of objects that are let through.
        transfer_syntaxes: Names of the encodings that are read and written, by UID.
    """

    product: str = PRODUCT
    code_version: str
    edition: str = EDITION
    profile: DeidProfile
    fingerprint: str
    options: tuple[OptionClaim, ...]
    attributes: tuple[AttributeAction, ...]
    unlisted: tuple[UnlistedVr, ...]
    rules: tuple[ProfileRule, ...]
    private: tuple[PrivateAction, ...]
    content_items: tuple[ContentAction, ...]
    dummies: dict[str, str]
    inserted: tuple[Inserted, ...]
    file_meta: tuple[str, ...]
    sop_classes: tuple[SopClass, ...]
    transfer_syntaxes: dict[str, str] = Field(default_factory=dict)

    def effects(self) -> dict[str, int]:
        """How many of the table's attributes meet with which effect."""
        return dict(sorted(Counter(row.effect for row in self.attributes).items()))

    def as_json(self) -> str:
        """One JSON document, the same bytes for the same statement."""
        return canonical_json(self)


def statement(profile: DeidProfile, *, code_version: str) -> Statement:
    """The conformance statement of a profile.

    Args:
        profile: The profile.
        code_version: Version of the stage's code.
    """
    made = _made_for_it(profile)
    inserted = tuple(_inserted(made))
    attributes = tuple(_attributes(profile, {one.tag for one in inserted}))
    return Statement(
        code_version=code_version,
        profile=profile,
        fingerprint=profile.fingerprint,
        options=tuple(_options(profile)),
        attributes=attributes,
        unlisted=tuple(_unlisted(profile)),
        rules=tuple(_profile_rules(profile)),
        private=tuple(_private(profile)),
        content_items=tuple(_content_items(profile)),
        dummies={
            vr: _shown(dummy_value(vr))
            for vr in sorted({row.vr for row in attributes if str(Action.DUMMY) in _all_effects(row)})
        },
        inserted=inserted,
        file_meta=tuple(element.name for element in made.file_meta) if made else (),
        sop_classes=tuple(_sop_classes(profile)),
        transfer_syntaxes=dict(_transfer_syntaxes()),
    )


def canonical_json(model: BaseModel) -> str:
    """A model's JSON with names in order; what is a set, and so has none, is put in order."""
    return json.dumps(_ordered(model.model_dump()), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _ordered(value: object) -> object:
    match value:
        case dict():
            return {str(key): _ordered(inner) for key, inner in value.items()}
        case set() | frozenset():
            return sorted(map(str, value))
        case list() | tuple():
            return [_ordered(inner) for inner in value]
        case date():
            return value.isoformat()
        case _:
            return value


def effect_of(action: Action, vr: str) -> str:
    """What an action comes to for an attribute of this VR: sequences have no dummies, and those of UIDs are UIDs."""
    match vr:
        case "SQ":
            return _SEQUENCES.get(action, str(Action.EMPTY))
        case "UI":
            return _UIDS.get(action, str(Action.REMAP_UID))
        case _:
            return str(action)


def tag_of(row: Row) -> int:
    """A row's tag; for a repeating group or the private ones, one that stands for all of them."""
    text = "(0009,1001)" if row.tag == "PRIVATE" else re.sub("x", "0", row.tag)
    return int(text[1:5] + text[6:10], 16)


def _shown(value: bytes) -> str:
    return value.decode("ascii") if value.strip(b"\0") else f"{len(value)} zero bytes"


def _all_effects(row: AttributeAction) -> set[str]:
    return {row.effect, *row.by_type.values()}


# --- table E.1-1 ----------------------------------------------------------------------------------------------


def _attributes(profile: DeidProfile, inserted: Container[str]) -> Iterator[AttributeAction]:
    tags = {row.tag: tag_of(row) for row in ROWS}
    kept = AttributeRule(
        attributes=tuple(_named(tag) for tag in tags.values() if not tag >> 16 & 1),
        action=Action.KEEP,
        reason="-",
    )
    rules, willing = Rules(profile), Rules(_bare(profile, rules=(kept,)))
    typed = {
        kind: Rules(profile, types=MappingProxyType(dict.fromkeys(tags.values(), kind))) for kind in (1, 2, 3)
    }
    none_taken = Rules(_bare(profile, options=frozenset()))
    each_alone = {
        option: Rules(_bare(profile, options=frozenset({option}))) for option in sorted(profile.options)
    }
    named = {tag: rule.reason for rule in profile.rules for tag in rule_tags(rule)}
    for row in ROWS:
        tag = tags[row.tag]
        vr = vr_of(tag)
        action = rules.action(tag, vr)
        effect = effect_of(action, vr)
        if willing.action(tag, vr) is Action.REMOVE:
            basis = NEVER_KEPT
        elif tag in named:
            basis = f"the profile: {named[tag]}"
        else:
            plain = none_taken.action(tag, vr)
            deciding = [
                str(option)
                for option, alone in each_alone.items()
                if option in row.options and action is not plain and alone.action(tag, vr) is action
            ]
            basis = ", ".join(deciding) or TABLE
        by_type = {
            kind: effect_of(typed[kind].action(tag, vr, top_level=True), vr)
            for kind in sorted(
                {TYPES.get(sop_class, {}).get(tag, 0) for sop_class in profile.sop_classes} - {0}
            )
        }
        yield AttributeAction(
            tag=row.tag,
            name=row.name,
            vr="" if _is_group(row) else vr,
            basic=row.basic,
            options={name: code for name, code in row.options.items() if name in profile.options},
            effect=effect,
            by_type={kind: other for kind, other in by_type.items() if other != effect},
            inserted=row.tag in inserted,
            basis=basis,
        )


def _is_group(row: Row) -> bool:
    return "x" in row.tag or row.tag == "PRIVATE"


def _bare(
    profile: DeidProfile,
    *,
    options: frozenset[Option] | None = None,
    rules: tuple[AttributeRule, ...] = (),
) -> DeidProfile:
    """The profile without rules of its own."""
    taken = profile.options if options is None else options
    return profile.model_copy(update={"options": taken, "rules": rules, "private": (), "layers": ()})


def _named(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


# --- what the table does not list -----------------------------------------------------------------------------


def _unlisted(profile: DeidProfile) -> Iterator[UnlistedVr]:
    listed = {tag_of(row) for row in ROWS if not _is_group(row)}
    named = {tag for rule in profile.rules for tag in rule_tags(rule)}
    rules = Rules(profile)
    found: dict[str, Counter[str]] = {}
    for tag, (vr, *_) in DicomDictionary.items():
        if tag not in listed and tag not in named and len(vr) >= 2 and vr != "NONE":
            effect = effect_of(rules.action(tag, vr_of(tag)), vr_of(tag))
            found.setdefault(vr_of(tag), Counter())[effect] += 1
    for vr, effects in sorted(found.items()):
        yield UnlistedVr(vr=vr, effects=dict(sorted(effects.items())))


def _profile_rules(profile: DeidProfile) -> Iterator[ProfileRule]:
    for rule in profile.rules:
        yield _rule(rule, _EVERY_INSTANCE)
    for layer in profile.layers:
        parts = (
            f"modality {', '.join(layer.modalities)}" if layer.modalities else "",
            f"manufacturer {', '.join(layer.manufacturers)}" if layer.manufacturers else "",
        )
        for rule in layer.rules:
            yield _rule(rule, f"{layer.name}: {', '.join(filter(None, parts))}")


def _rule(rule: AttributeRule, scope: str) -> ProfileRule:
    names = tuple(
        DicomDictionary[tag][4] if tag in DicomDictionary else _named(tag) for tag in rule_tags(rule)
    )
    return ProfileRule(scope=scope, attributes=names, effect=str(rule.action), reason=rule.reason)


def _private(profile: DeidProfile) -> Iterator[PrivateAction]:
    rules = Rules(profile).private
    own = {
        (rule.creator, int(name[1:5] + "00" + name[8:10], 16)): rule
        for rule in profile.private
        for name in rule.attributes
    }
    safe = {(creator, place) for creator, places in SAFE.items() for place in places}
    for creator, place in sorted(safe | own.keys()):
        tag = place | 0x1000  # any block
        action, vr = rules.resolve(creator, tag, "UN")
        if action is Action.REMOVE:
            action, vr = rules.resolve(creator, tag, "DS")[0], ""
        if action is Action.REMOVE:
            continue
        rule = own.get((creator, place))
        basis = f"the profile: {rule.reason} ({rule.source})" if rule else "table E.3.10-1"
        yield PrivateAction(
            creator=creator,
            tag=f"({place >> 16:04X},xx{place & 0xFF:02X})",
            vr=vr,
            effect=effect_of(action, vr),
            only=(rule.values or rule.fields) if rule else (),
            basis=basis,
        )


def _content_items(profile: DeidProfile) -> Iterator[ContentAction]:
    rules = Rules(profile).content
    own: dict[tuple[str, str, str], tuple[str, str]] = {
        (concept.code, concept.scheme, value_type): (concept.meaning, rule.reason)
        for rule in profile.content
        for concept in rule.concepts
        for value_type in rule.value_types
    }
    listed = [(item, CONTENT_TABLE) for item in ITEMS] + [(item, CONTENT_ADDED) for item in ALSO]
    found = {(item.code, item.scheme, item.value_type): (item.meaning, basis) for item, basis in listed}
    for key in found | own:
        code, scheme, value_type = key
        action = rules.action(scheme, code, value_type)
        assert action is not None
        meaning, basis = found[key] if key in found else own[key]
        yield ContentAction(
            code=code,
            scheme=scheme,
            meaning=meaning,
            value_type=value_type,
            effect=str(action),
            basis=f"the profile: {own[key][1]}" if key in own else basis,
        )


# --- an instance made for the statement -----------------------------------------------------------------------


def _made_for_it(profile: DeidProfile) -> Dataset | None:
    """An instance with no more than it must have, de-identified by the profile under a key that is no secret."""
    if not profile.sop_classes:
        return None
    sop_class = min(profile.sop_classes).encode("ascii")
    elements = {
        0x00080016: ("UI", sop_class),
        0x00080018: ("UI", b"1.2.3.1"),
        0x00100010: ("PN", b"Nobody"),
        0x00100020: ("LO", b"0"),
        0x0020000D: ("UI", b"1.2.3.2"),
        0x0020000E: ("UI", b"1.2.3.3"),
    }
    body = b"".join(encode_element(tag, *elements[tag], EXPLICIT) for tag in sorted(elements))
    deidentifier = Deidentifier(
        profile,
        Pseudonyms(bytes(KEY_BYTES), "conformance statement"),
        DescriptorCleaner(()),
        DeviceCleaner(()),
        issuer="conformance statement",
    )
    # As one that a person has looked at: some kinds of objects would be held else.
    made = deidentifier.deidentify(
        encode_file_meta(sop_class.decode("ascii"), "1.2.3.1", EXPLICIT_LITTLE) + body, pixels_reviewed=True
    )
    return dcmread(BytesIO(made.header))


_SUBJECT = "the subject's pseudonym"
_SAID_OF = {
    0x00100010: _SUBJECT,
    0x00100020: _SUBJECT,
    0x00280301: "NO, and only where a steward has looked at the pixels and answers for them",
}


def _inserted(made: Dataset | None) -> Iterator[Inserted]:
    for element in made or ():
        if element.tag in _SAID_OF:
            value = _SAID_OF[element.tag]
        elif element.tag >> 16 in (0x0008, 0x0020):
            continue  # it was there, and is a pseudonym now
        elif element.VR == "SQ":
            value = "; ".join(f"{item.CodeValue} {item.CodeMeaning}" for item in element.value)
        elif element.VM > 1:
            value = "; ".join(map(str, element.value))
        else:
            value = str(element.value)
        yield Inserted(tag=_named(element.tag), name=dictionary_description(element.tag), value=value)


# --- what is let through --------------------------------------------------------------------------------------


def _options(profile: DeidProfile) -> Iterator[OptionClaim]:
    from pydicom.sr.codedict import codes

    claimed = {METHOD_CODES[None][0], *(METHOD_CODES[option][0] for option in profile.options)}
    offered = {code for code, _ in METHOD_CODES.values()}
    found = [getattr(codes.cid7050, name) for name in codes.cid7050.dir()]
    for entry in sorted(found, key=lambda entry: str(entry.value)):
        yield OptionClaim(
            code=entry.value,
            meaning=entry.meaning,
            claimed=entry.value in claimed,
            offered=entry.value in offered,
        )


def _sop_classes(profile: DeidProfile) -> Iterator[SopClass]:
    for uid in sorted(profile.sop_classes):
        yield SopClass(
            uid=uid,
            name=UID_dictionary[uid][0] if uid in UID_dictionary else uid,
            text_is_likely=uid in profile.pixel_text.risk_sop_classes,
        )


def _transfer_syntaxes() -> Iterator[tuple[str, str]]:
    yield from sorted(
        [(uid, name) for uid, (name, kind, *_) in UID_dictionary.items() if kind == "Transfer Syntax"]
        + list(YOUNGER_SYNTAXES.items())
    )
