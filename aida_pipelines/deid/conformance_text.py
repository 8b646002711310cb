"""A conformance statement in sentences and tables, in the order in which PS3.15 E.1.3 and PS3.2 N.11.2.6 ask.

What a sentence says of this profile comes from the statement; what it says of every profile is how the code works,
and changes with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from aida_pipelines.contracts.profile import Action, DateMode, DeidProfile, Option, PixelText
from aida_pipelines.deid.admission import MAX_TISSUE_MM
from aida_pipelines.deid.conformance import GONE_THROUGH, AttributeAction, PrivateAction, Statement
from aida_pipelines.deid.document import Block, Bullets, Cell, Document, Grid, Section
from aida_pipelines.deid.engine import METHOD_CODES
from aida_pipelines.deid.pseudonym import KEY_BYTES
from aida_pipelines.deid.timeline import MAX_SHIFT_DAYS, MAX_STRETCH, MIN_STRETCH
from aida_pipelines.deid.verify import sight_of
from aida_pipelines.reasons import REASONS
from aida_pipelines.stages import Stage

WORDS = {
    str(Action.REMOVE): "removed",
    str(Action.EMPTY): "emptied",
    str(Action.DUMMY): "replaced by a dummy value",
    str(Action.REMAP_UID): "replaced by another UID",
    str(Action.KEEP): "kept",
    str(Action.SHIFT_DATE): "moved in time",
    str(Action.CLEAN_TEXT): "reduced to harmless words",
    str(Action.CLEAN_DEVICE): "reduced to what devices write",
    str(Action.PSEUDONYM): "replaced by a token",
    GONE_THROUGH: "kept, its items gone through",
}
"""Effects in words for people."""

CODES = {
    str(Action.REMOVE): "X",
    str(Action.EMPTY): "Z",
    str(Action.DUMMY): "D",
    str(Action.REMAP_UID): "U",
    str(Action.KEEP): "K",
    str(Action.SHIFT_DATE): "C",
    str(Action.CLEAN_TEXT): "C",
    str(Action.CLEAN_DEVICE): "C",
    str(Action.PSEUDONYM): "D",
    GONE_THROUGH: "K",
}
"""Effects as the action codes of PS3.15 table E.1-1a."""

LIMITS = (
    "What comes out is pseudonymised, not anonymous: whoever holds the key and the originals can tell who is who.",
    "Persons may be recognised by what their images show. Faces in images of the head are not taken out.",
    "Text in pixels is held by rule and by a person's decision; it is not read, and no pixels are blanked.",
    "What is written inside video streams beside the pictures passes with them.",
    "Text in attributes that this profile keeps is what a device or its user wrote there.",
    "A name that is also a word of the allow-list, alone in a description, stays.",
)
"""What the statement does not promise, whatever the profile."""

_KNOWN_FIELDS = frozenset(
    {
        "name", "version", "title", "description", "base", "options", "sop_classes", "pixel_text", "rules", "private",
        "layers", "fingerprint", "content", "dates", "extends",
    }
)  # fmt: skip


def statement_document(statement: Statement) -> Document:
    """The statement for people."""
    profile = statement.profile
    return Document(
        title=f"DICOM conformance statement: de-identification profile {profile.name} {profile.version}",
        facts=(
            ("De-identifier", f"{statement.product}, code version {statement.code_version}"),
            ("Profile", f"{profile.name} {profile.version}: {profile.title}"),
            ("For", profile.description),
            ("Contract", f"SHA-256 {statement.fingerprint}" if statement.fingerprint else "-"),
            ("Standard", f"DICOM PS3.15 {statement.edition}, annex E; this statement: section E.1.3"),
            ("Role", "De-identifier. No re-identifier is offered: no encrypted attributes are written."),
        ),
        sections=tuple(_sections(statement)),
    )


def _sections(statement: Statement) -> Iterator[Section]:
    yield Section("Profile and options", _options(statement))
    yield Section("Attributes: what is done", _attributes_in_general(statement))
    yield Section("Attributes that table E.1-1 does not list", _unlisted(statement))
    yield Section("Rules of this profile", _profile_rules(statement))
    yield Section("Private attributes", _private(statement))
    yield Section("Content items of structured reports", _content(statement))
    yield Section("Dummy values", _dummies(statement))
    yield Section("Dates and times", _dates(statement.profile))
    yield Section("UIDs, and how far references hold", _uids(statement.profile))
    yield Section("Pseudonyms and key", _pseudonyms())
    yield Section("Attributes that are inserted", _inserted(statement))
    yield Section("Encrypted attributes", ("None are written, so there is no transfer syntax for them.",))
    yield Section("Pixel data and text in them", _pixels(statement.profile.pixel_text))
    yield Section("Kinds of objects", _sop_classes(statement))
    yield Section("Transfer syntaxes", _transfer_syntaxes(statement))
    yield Section("Verification", _verification(statement.profile))
    if further := _further(statement.profile):
        yield Section("Further settings of this profile", (further,))
    yield Section("What is not promised", (Bullets(LIMITS),))
    yield Section("Table E.1-1, row by row", (_row_by_row(statement),))


def word(effect: str) -> str:
    """An effect in words."""
    return WORDS.get(effect, effect)


# --- sections ---------------------------------------------------------------------------------------------------


def _options(statement: Statement) -> tuple[Block, ...]:
    rows = tuple(
        (
            option.code,
            option.meaning,
            "yes" if option.claimed else "no",
            _stricter(statement, option.code)
            if option.claimed
            else "offered to other profiles"
            if option.offered
            else "not offered",
        )
        for option in statement.options
    )
    return (
        "Claimed are the methods of PS3.16 CID 7050 that say yes. The same codes are in every instance that comes out.",
        Grid(("code (DCM)", "method", "claimed", ""), rows),
    )


def _stricter(statement: Statement, code: str) -> str:
    """How many of the attributes that a claimed option keeps the profile does not keep; empty if none."""
    option = next(
        (str(option) for option, (value, _) in METHOD_CODES.items() if option and value == code), ""
    )
    kept = [row.effect for row in statement.attributes if row.options.get(option) == "K"]
    others = sum(effect not in (str(Action.KEEP), GONE_THROUGH) for effect in kept)
    return (
        f"stricter: {others} of the {len(kept)} attributes that it keeps are not kept as they are"
        if others
        else ""
    )


def _attributes_in_general(statement: Statement) -> tuple[Block, ...]:
    counts = tuple(
        (word(effect), CODES.get(effect, ""), number) for effect, number in statement.effects().items()
    )
    return (
        "The rules hold at every level of nesting, in items of sequences that the table does not list as well, and in "
        "private sequences that stay. Counted are the rows of table E.1-1; the last section has all of them.",
        Grid(("what is done", "action code", "rows"), counts),
        Bullets(
            (
                "Compound actions (such as X/Z/D) leave a choice. At the top level it is made by the attribute's type "
                "in the instance's IOD where that is known: type 1 is replaced, type 2 emptied, type 3 removed, as far "
                "as the compound offers it. Elsewhere it is the choice that is valid in every IOD: a replacement "
                "before an empty value before removal. None of the three lets the original value through.",
                "Where options disagree about an attribute, the one that lets less through decides.",
                "A sequence that would get a dummy is emptied; one that stays is gone through item by item.",
                "What is kept is kept as what its VR says: a number that holds letters, an age that is no age, a text "
                "that calls itself a sequence go. So do personal numbers and, in eight digits, dates in decimal and "
                "integer strings.",
                "Of a code (CS) stays what is a term of the standard or a number of up to four digits, and of others "
                "the words that are on the allow-list.",
                "Ages over 89 years become 90 years.",
                "No profile can keep groups 0000, 0002 and 0004, group lengths, curves, overlay planes, nested pixel "
                "data, digital signatures and padding, or what is neither in the DICOM dictionary nor in the table.",
                "An attribute that the standard defines later is in neither until both are renewed, and is removed.",
            )
        ),
    )


def _unlisted(statement: Statement) -> tuple[Block, ...]:
    rows = tuple(
        (one.vr, ", ".join(f"{number:,} {word(effect)}" for effect, number in one.effects.items()))
        for one in statement.unlisted
    )
    return (
        "By their VR. Counted are the dictionary's attributes that neither the table nor this profile names.",
        Grid(("VR", "attributes, and what is done"), rows),
    )


def _profile_rules(statement: Statement) -> tuple[Block, ...]:
    if not statement.rules:
        return ("None.",)
    rows = tuple(
        (rule.scope, ", ".join(rule.attributes), word(rule.effect), rule.reason) for rule in statement.rules
    )
    return (
        "They go before the table. Of two rules for one attribute the later holds.",
        Grid(("for", "attributes", "what is done", "why"), rows),
    )


def _private(statement: Statement) -> tuple[Block, ...]:
    gone = "All others are removed, and so is their creator's element if nothing of its block stays."
    if not statement.private:
        return ("All private attributes are removed.",)
    counted = Counter((one.creator, word(one.effect)) for one in statement.private if not _own(one))
    blocks: list[Block] = []
    if counted:
        rows = tuple((creator, effect, number) for (creator, effect), number in sorted(counted.items()))
        blocks += [
            "Of table E.3.10-1 (safe private attributes), by creator and element whatever the block:",
            Grid(("private creator", "what is done", "attributes"), rows),
        ]
    if own := [one for one in statement.private if _own(one)]:
        blocks += [
            "By rules of this profile:",
            Grid(("private creator", "attributes", "VR", "what is done", "why"), _vouched(own)),
            "Of numbers that a profile vouches for, and of those in its containers, those that may be a date or a "
            "person's number go.",
        ]
    return (*blocks, gone, "An attribute that is not written as its VR, or one of its kind, is removed.")


def _vouched(own: list[PrivateAction]) -> tuple[tuple[Cell, ...], ...]:
    """A row for each of the profile's rules, with the attributes that it names."""
    rules: dict[tuple[str, str, str, str], list[str]] = {}
    for one in own:
        done = f"{word(one.effect)}; only: {', '.join(one.only)}" if one.only else word(one.effect)
        rules.setdefault((one.creator, one.vr, done, one.basis.removeprefix("the profile: ")), []).append(
            one.tag
        )
    return tuple(
        (creator, ", ".join(tags), vr, done, why) for (creator, vr, done, why), tags in rules.items()
    )


def _own(one: PrivateAction) -> bool:
    return one.basis.startswith("the profile")


def _content(statement: Statement) -> tuple[Block, ...]:
    counted = Counter(item.effect for item in statement.content_items)
    rows = tuple(
        (item.code, item.scheme, item.meaning, item.value_type, word(item.effect), item.basis)
        for item in statement.content_items
    )
    return (
        "In any sequence whose items are named by a concept. Counted are the rows of table E.3.4-1 and what the code "
        "and this profile add to it.",
        Grid(
            ("what is done", "items"),
            tuple((word(effect), number) for effect, number in sorted(counted.items())),
        ),
        Bullets(
            (
                "What is removed is the item with all that is under it; anything else is done to its value.",
                "A concept of the table with a value of a type that the table does not foresee is removed, except that "
                "a code or a number in the place of a description or a reference goes by its attributes.",
                "What is not listed goes by its attributes. Prose (longer than a description, or mostly of words that "
                "had to go) is emptied.",
                "Ages over 89 years are removed. A code's meaning stays where it is the standard's for that code.",
            )
        ),
        Grid(("code", "scheme", "concept", "value type", "what is done", "decided by"), rows),
    )


def _dummies(statement: Statement) -> tuple[Block, ...]:
    if not statement.dummies:
        return ("None are used.",)
    return (
        "Fixed, and the same for every instance and person. UIDs have no dummy but their replacement.",
        Grid(("VR", "value"), tuple(statement.dummies.items())),
    )


def _dates(profile: DeidProfile) -> tuple[Block, ...]:
    if Option.RETAIN_LONGITUDINAL_FULL_DATES in profile.options:
        return (
            "Dates and times stay as they are (option Full Dates), where no rule of the table removes them.",
        )
    if Option.RETAIN_LONGITUDINAL_MODIFIED_DATES not in profile.options:
        return ("No dates and times are retained.",)
    return (
        *_DATES[profile.dates],
        "Offsets from UTC stay. A date that is not complete and valid is emptied, and so is one that would leave the "
        "calendar.",
    )


_DATES: dict[DateMode, tuple[Block, ...]] = {
    DateMode.SHIFT: (
        f"Dates (DA, DT) move by a whole number of days, 1 to {MAX_SHIFT_DAYS:,}, to either side, never 0. The number "
        "is one for each subject, computed from the key: intervals between a subject's dates stay what they were. "
        "Times of day stay.",
    ),
    DateMode.PROPORTIONAL: (
        "Dates (DA, DT) move by a secret number of days and are stretched by a secret factor, "
        f"{MIN_STRETCH} to {MAX_STRETCH}, each one for each subject, computed from the key: order and the ratios of "
        "intervals stay, intervals don't. No day becomes itself. Times of day stay.",
    ),
    DateMode.ORDER: (
        "Dates (DA, DT) are replaced such that only their order stays: a rule that is secret, computed from the key, "
        "one for each subject. No day becomes itself. Times of day are set to midnight.",
    ),
}


def _uids(profile: DeidProfile) -> tuple[Block, ...]:
    if Option.RETAIN_UIDS in profile.options:
        return ("UIDs stay as they are (option Retain UIDs).",)
    return (
        "A UID is replaced by 2.25. and a number of 128 bits, computed from the original and the key by HMAC-SHA-256. "
        "UIDs of the standard and of registered code systems name no instance and stay.",
        "The same original gives the same UID in every attribute, file and delivery, on every machine and at any time, "
        "as long as key and domain are the same: references between instances, frames of reference included, resolve "
        "also where the instances came months apart. There is no table of UIDs to keep.",
    )


def _pseudonyms() -> tuple[Block, ...]:
    return (
        "Patient's Name and Patient ID become the subject's pseudonym: sub- and 80 bits in base32, computed by "
        "HMAC-SHA-256 from the issuer and the id. Every spelling of a Swedish personal or coordination number is one "
        "person, of one issuer for the whole country. An instance without a patient id is given to its study.",
        f"The key has {KEY_BYTES} random bytes and lies in a file that its owner alone may read, on the side of the "
        "identifiable data. From it a key of its own is derived for each purpose (subjects, UIDs, dates). It is in no "
        "output, no log and no table; its id, 8 hexadecimal digits, tells keys apart.",
        "Each collection has a domain of the key to itself: nobody without the key can tell that a subject of one is a "
        "subject of another, unless their contracts share a domain by a decision that they name.",
        "There is no list of pseudonyms. Whoever has the key and an original can compute its pseudonym, and nobody "
        "can compute the original from a pseudonym.",
    )


def _inserted(statement: Statement) -> tuple[Block, ...]:
    rows = tuple((one.tag, one.name, one.value) for one in statement.inserted)
    meta = f"Preamble (zeros) and file meta information are made anew: {', '.join(statement.file_meta)}."
    return (Grid(("tag", "attribute", "value"), rows), meta)


def _pixels(policy: PixelText) -> tuple[Block, ...]:
    believed = (
        "It passes if Burned In Annotation says NO."
        if policy.trust_declared_no
        else "Burned In Annotation = NO is not believed."
    )
    return (
        "Pixel data are copied as they are: not decoded, not encoded again. In compressed frames comments, camera data "
        "and what stands behind their end are overwritten with zeros. What comes after the pixel data is dropped.",
        Bullets(
            (
                "An instance that says itself that text is burned in is held.",
                "Held as likely to have text are the kinds of objects marked below; modalities: "
                f"{_listing(policy.risk_modalities)}; image types: {_listing(policy.risk_image_types)}. {believed}",
                "Labels, overviews and macros of slides are held, and so are images of slides that do not say that "
                f"they are without the label or are longer than {MAX_TISSUE_MM} mm.",
                "A steward who has looked at an image may release it. The pixels are then passed on as they are.",
                "Overlay planes and curves are removed.",
            )
        ),
    )


def _listing(words: tuple[str, ...]) -> str:
    return ", ".join(words) if words else "none"


def _sop_classes(statement: Statement) -> tuple[Block, ...]:
    rows = tuple(
        (one.uid, one.name, "held unless declared or found free" if one.text_is_likely else "")
        for one in statement.sop_classes
    )
    held = tuple(
        f"{reason.says} ({reason.code})"
        for reason in REASONS.values()
        if reason.stage is Stage.DEIDENTIFICATION and reason.code != "rejected-by-steward"
    )
    return (
        "These are let through; all others are held.",
        Grid(("SOP class", "name", "text in pixels"), rows),
        "An instance is held, whole and with its reason, when one of these is true:",
        Bullets(held),
    )


def _transfer_syntaxes(statement: Statement) -> tuple[Block, ...]:
    return (
        "An instance comes out in the transfer syntax in which it came, except that Deflated Explicit VR Little Endian "
        "comes out as Explicit VR Little Endian.",
        Grid(("UID", "transfer syntax"), tuple(statement.transfer_syntaxes.items())),
    )


def _verification(profile: DeidProfile) -> tuple[Block, ...]:
    return (
        "Before it is passed on, every new header is searched by other code, which shares neither rules nor parser "
        "with what made it. Looked for is what the instance's own original says, at any depth, in every value and in "
        "the bytes:",
        Bullets(tuple(looked_for(profile))),
        "A study with an instance in which something is found is held as a whole; nothing of it is written where "
        "others can read it.",
    )


def looked_for(profile: DeidProfile) -> Iterator[str]:
    """What the verification looks for under a profile, one sentence each."""
    sight = sight_of(profile, ())
    yield "names of persons, part by part: patient, relatives, staff; in usual spellings"
    yield "ids of the patient, of stays, orders, samples and staff; valid Swedish personal numbers, whoever's"
    yield "telephone numbers, addresses, and mail addresses, whoever's"
    if sight.institutions:
        yield "institutions and departments"
    if sight.stations:
        yield "stations and application entities"
    if sight.devices:
        yield "serial numbers and other ids of devices"
    yield "the birth date, in any order, with months as words and with two-digit years; ages over 90"
    if Option.RETAIN_LONGITUDINAL_FULL_DATES not in profile.options:
        yield "every other date, and whether dates have been dealt with alike"
    if Option.RETAIN_UIDS not in profile.options:
        yield "UIDs, and whether each has one successor"
    yield "anything in preamble and file meta information that need not be there; what is missing or can't be read"
    yield "whether pixel data are the source's own, and the subject the one that the patient had before"


def _further(profile: DeidProfile) -> Grid | None:
    """Whatever else the contract says: a field that this page does not know is shown and not passed over."""
    fields: dict[str, Any] = type(profile).model_fields
    rows = tuple((name, str(getattr(profile, name))) for name in sorted(fields) if name not in _KNOWN_FIELDS)
    return Grid(("setting", "value"), rows) if rows else None


def _row_by_row(statement: Statement) -> Grid:
    rows = tuple(
        (row.tag, row.name, row.vr, _asked(row), CODES.get(row.effect, ""), _done(row), row.basis)
        for row in statement.attributes
    )
    return Grid(
        ("tag", "attribute", "VR", "standard: basic, options", "code", "what is done", "decided by"), rows
    )


def _asked(row: AttributeAction) -> str:
    return "; ".join((row.basic, *(f"{option} {code}" for option, code in row.options.items())))


def _done(row: AttributeAction) -> str:
    parts = [word(row.effect)]
    parts += [f"at the top level as type {kind}: {word(effect)}" for kind, effect in row.by_type.items()]
    if row.inserted:
        parts[1:] = ["at the top level: inserted, see above"]
    return "; ".join(parts)
