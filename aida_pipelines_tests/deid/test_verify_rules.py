"""Every rule of the first path has a second one behind it: whichever is switched off, the verifier notices.

One rule at a time is switched off, in an instance in which its attribute holds an identifier that the header
names elsewhere as well.
"""

import copy
import re
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from itertools import count
from struct import pack
from types import SimpleNamespace

import pydicom
import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_has_tag, dictionary_VR

from aida_pipelines.contracts.profile import Action, DateMode
from aida_pipelines.deid import engine
from aida_pipelines.deid._ps3_15_e1_1 import ROWS
from aida_pipelines.deid.codes import CODE_TAGS
from aida_pipelines.deid.rules import _UNLISTED, RuleBook
from aida_pipelines.deid.text.known import NOTHING
from aida_pipelines.dicom.encode import encode_element, encode_item
from aida_pipelines.dicom.parse import EXPLICIT, LONG_VRS
from aida_pipelines.errors import Quarantine
from aida_pipelines_tests.deid.sowing import PLACES, SPELLINGS

NAME, NUMBER, UID, BIRTH = b"ZACKRISSON", 1471190086, b"1.2.752.1.1.3", b"19121212"
KNOWN = {
    0x00080090: ("PN", b"Zackrisson^Per"),
    0x00100030: ("DA", BIRTH),
    0x00101000: ("LO", str(NUMBER).encode()),
    0x00104000: ("LT", b""),
}
KEPT_SEQUENCE = 0x00409096
"""Real World Value Mapping Sequence: kept by every profile, listed by no table."""

THICKNESS = encode_element(0x00180050, "DS", str(NUMBER).encode(), EXPLICIT)
IDENTIFYING = {
    **dict.fromkeys(("PN", "LO", "SH", "LT", "ST", "UT", "UC", "AE", "CS"), NAME),
    "UR": b"http://example.invalid/" + NAME,
    "UN": b"\1\2" + NAME + b"\3\4",
    **dict.fromkeys(("OB", "OW", "OF", "OD", "OL", "OV"), b"\1\2\3\4\5\6" + NAME + b"\0\0\0\0\0\0\0\0"),
    "DA": BIRTH,
    "DT": BIRTH + b"101010",
    "DS": str(NUMBER).encode(),
    "IS": str(NUMBER).encode(),
    "UI": UID,
    "UL": pack("<L", NUMBER),
    "SL": pack("<l", NUMBER),
    "FD": pack("<d", NUMBER),
    "SQ": encode_item(THICKNESS, EXPLICIT),
}
"""An identifier as a value of each VR that can hold one. Not TM, AS, US and SS, FL: a time, an age and a number of 16
or 24 bits are nobody's."""


def tag_of(row):
    """A row's tag; of a repeating group the first, of the row for all private attributes none."""
    text = row.tag.lower().replace("50xx", "5000").replace("60xx", "6000").replace("xxxx", "0010")
    match = re.fullmatch(r"\(([0-9a-f]{4}),([0-9a-f]{4})\)", text)
    tag = int(match[1] + match[2], 16) if match else 0
    return None if tag >> 16 & 1 else tag or None


def vr_of(tag):
    return dictionary_VR(tag)[:2] if dictionary_has_tag(tag) else "LO"


ROWS_BY_TAG = {tag: vr for row in ROWS if (tag := tag_of(row)) and (vr := vr_of(tag)) in IDENTIFYING}


@pytest.fixture
def kept_as_is(monkeypatch):
    """What is kept is not looked at again: one net less, so that the rule that is off is the only one."""
    monkeypatch.setattr(engine._Rewriter, "_kept", lambda self, value, *_: value)


def with_other_rules(deidentifier, profile, change):
    """A de-identifier whose rules ``change(rules, original)`` makes careless."""
    one = deidentifier(profile)
    rules_for = one._rules.rules_for

    def careless(*kind):
        rules = rules_for(*kind)
        other = copy.copy(rules)
        change(other, rules)
        return other

    one._rules = SimpleNamespace(rules_for=careless)
    return one


def switched_off(deidentifier, profile, tag):
    """A de-identifier that keeps one attribute, whatever table and profile say."""

    def change(careless, rules):
        careless.action = lambda asked, vr, *, top_level=False: (
            Action.KEEP if asked == tag else rules.action(asked, vr, top_level=top_level)
        )

    return with_other_rules(deidentifier, profile, change)


def element(tag, vr):
    value = IDENTIFYING[vr]
    return encode_element(tag, vr, value + b" " * (len(value) % 2 and vr not in LONG_VRS), EXPLICIT)


def outcome(one, verifier, profile, source):
    """``held`` by the verifier, ``leaks`` or ``clean``."""
    result = one.deidentify(source, pixels_reviewed=True)
    if verifier(profile).findings(result):
        return "held"
    out = result.header.upper()
    marks = (NAME, UID + b"\0", BIRTH, str(NUMBER).encode(), pack("<L", NUMBER), pack("<d", NUMBER))
    return "leaks" if any(mark in out for mark in marks) else "clean"


def test_the_tables_rows_are_all_there():
    assert len(ROWS_BY_TAG) > 560


@pytest.mark.parametrize("depth", ["at the top", "in a sequence"])
def test_each_row_of_the_table_that_is_switched_off_is_noticed(
    deidentifier, verifier, any_profile, instance, kept_as_is, depth
):
    outcomes = {}
    for tag, vr in ROWS_BY_TAG.items():
        one = switched_off(deidentifier, any_profile, tag)
        if depth == "at the top":
            if tag >> 16 < 8 or tag in (0x00080018, 0x0020000D, 0x0020000E, 0x00100010, 0x00100020):
                continue  # not part of a data set, or of every one
            source = instance(KNOWN | {tag: (vr, IDENTIFYING[vr])})
        else:
            source = instance(KNOWN | {KEPT_SEQUENCE: ("SQ", encode_item(element(tag, vr), EXPLICIT))})
        outcomes[tag] = outcome(one, verifier, any_profile, source)
    assert {f"{tag:08x}": said for tag, said in outcomes.items() if said == "leaks"} == {}
    assert {f"{tag:08x}": said for tag, said in outcomes.items() if said == "clean"} == {}
    assert list(outcomes.values()).count("held") > 500


def test_with_all_rules_on_the_same_attributes_pass(deidentifier, verifier, any_profile, instance):
    """What makes the test above fail is the rule that is off, and nothing else."""
    every = b"".join(element(tag, vr) for tag, vr in sorted(ROWS_BY_TAG.items()) if tag >> 16 != 0xFFFE)
    source = instance(KNOWN | {KEPT_SEQUENCE: ("SQ", encode_item(every, EXPLICIT))})
    result = deidentifier(any_profile).deidentify(source)
    found = {finding.where for finding in verifier(any_profile).findings(result)}
    rules = RuleBook(any_profile).rules_for("CT", "")
    kept = {f"{tag:08x}" for tag, vr in ROWS_BY_TAG.items() if rules.action(tag, vr) is Action.KEEP}
    assert found <= kept | {"00180050", "bytes"}
    assert len(kept) < 100


# --- what the table doesn't say --------------------------------------------------------------------------------


def unlisted(profile, vr):
    """Attributes that neither the table nor the profile names."""
    rules = RuleBook(profile).rules_for("CT", "")
    return [
        tag
        for tag, entry in DicomDictionary.items()
        if entry[0] == vr
        and 8 <= tag >> 16 < 0x5000
        and tag not in rules._listed
        and tag not in rules._own
        and tag not in (0x00080016, 0x00120063)  # decide what is let through; written anew
        and tag not in CODE_TAGS  # kept as far as their scheme is public
    ]


@pytest.mark.parametrize("vr", sorted(vr for vr in _UNLISTED if vr in IDENTIFYING and vr != "UN"))
def test_a_vrs_rule_that_is_off_is_noticed(deidentifier, verifier, any_profile, instance, kept_as_is, vr):
    tags = unlisted(any_profile, vr)
    assert tags or vr == "AE"  # the table names all of these
    for tag in tags[:20]:
        one = switched_off(deidentifier, any_profile, tag)
        inner = encode_item(element(tag, vr), EXPLICIT)
        for extra in ({tag: (vr, IDENTIFYING[vr])}, {KEPT_SEQUENCE: ("SQ", inner)}):
            assert outcome(one, verifier, any_profile, instance(KNOWN | extra)) == "held", hex(tag)


@pytest.mark.parametrize("vr", ["LO", "PN", "UN", "OB", "IS", "UI", "DA", "SQ"])
def test_private_attributes_that_stay_are_noticed(
    deidentifier, verifier, any_profile, instance, kept_as_is, vr
):
    def change(careless, rules):
        careless.private = SimpleNamespace(
            resolve=lambda creator, tag, written: (Action.KEEP, written),
            narrowed=lambda creator, tag, vr, value, encoding: value,
        )

    one = with_other_rules(deidentifier, any_profile, change)
    private = {0x00110010: ("LO", b"ACME"), 0x00111001: (vr, IDENTIFYING[vr])}
    assert outcome(one, verifier, any_profile, instance(KNOWN | private)) == "held"


def test_attributes_that_nobody_knows_are_noticed(deidentifier, verifier, any_profile, instance):
    one = switched_off(deidentifier, any_profile, 0x52009998)
    assert outcome(one, verifier, any_profile, instance(KNOWN | {0x52009998: ("LO", NAME)})) == "held"


@pytest.mark.parametrize("tag", [0x50003000, 0x60003000, 0x60004000, 0x04000510, 0xFFFCFFFC, 0x00080000])
def test_groups_that_always_go_are_noticed(deidentifier, verifier, any_profile, instance, kept_as_is, tag):
    one = switched_off(deidentifier, any_profile, tag)
    source = instance(KNOWN | {tag: ("OB", IDENTIFYING["OB"])})
    assert outcome(one, verifier, any_profile, source) == "held"


UIDS = {0x00200052: ("UI", b"1.2.752.1.1.9"), 0x00081167: ("UI", b"1.2.752.1.1.10\\1.2.752.1.1.11")}


@pytest.mark.parametrize(
    ("remap", "kind"),
    [
        (lambda: lambda uid, _: uid, "uid"),
        (lambda: lambda uid, _: uid if uid.startswith("1.2.840") else "2.25.1", "uid-map"),
        (lambda: lambda uid, _, counted=count(): f"2.25.{next(counted)}", "uid-map"),  # noqa: B008
        (lambda: lambda uid, _: "1.2.840.10008.1.2", "uid-map"),
        (lambda: lambda uid, _: "", "incomplete"),
    ],
    ids=["to themselves", "all to one", "each time to another", "to one of the standard's", "to nothing"],
)
def test_uids_that_are_remapped_wrongly_are_noticed(
    deidentifier, verifier, any_profile, instance, monkeypatch, remap, kind
):
    monkeypatch.setattr(engine, "_uid_of", remap())
    study = {
        KEPT_SEQUENCE: (
            "SQ",
            encode_item(encode_element(0x0020000D, "UI", b"1.2.752.1.1.1", EXPLICIT), EXPLICIT),
        )
    }
    result = deidentifier(any_profile).deidentify(instance(UIDS | study))
    assert kind in {finding.kind for finding in verifier(any_profile).findings(result)}


DATES = {
    0x00080020: ("DA", b"20240102"),
    0x00080022: ("DA", b"20240105"),
    0x0008002A: ("DT", b"20240105101112"),
}


def later(result, moves):
    """The result with some of its dates, as pydicom reads them, moved again: tag → days, or a day."""
    header = result.header
    data_set = pydicom.dcmread(BytesIO(header))
    for tag, move in moves.items():
        element = data_set[tag]
        old = str(element.value)
        new = move if isinstance(move, str) else f"{date.fromisoformat(old[:8]) + timedelta(move):%Y%m%d}"
        before = encode_element(tag, element.VR, old.encode(), EXPLICIT)
        assert before in header
        header = header.replace(before, encode_element(tag, element.VR, (new + old[8:]).encode(), EXPLICIT))
    return replace(result, header=header)


@pytest.mark.parametrize(
    ("moves", "kind"),
    [
        ({0x00080020: "20240102"}, "date"),
        ({tag: value[:8].decode() for tag, (_, value) in DATES.items()}, "date"),
        ({0x00080022: 1}, "date-shift"),
        ({0x0008002A: -1}, "date-shift"),
        ({0x00080020: 400}, "date-shift"),
    ],
    ids=["one not at all", "none at all", "one a day further", "one a day less", "one a year further"],
)
def test_dates_that_are_moved_wrongly_are_noticed(deidentifier, verifier, research, instance, moves, kind):
    result = deidentifier(research).deidentify(instance(DATES))
    assert verifier(research).findings(result) == []
    found = verifier(research).findings(later(result, moves))
    assert {finding.kind for finding in found} == {kind}


@pytest.mark.parametrize("mode", [DateMode.PROPORTIONAL, DateMode.ORDER])
def test_dates_that_move_by_different_numbers_of_days_keep_their_order(
    deidentifier, verifier, research, instance, mode
):
    profile = research.model_copy(update={"dates": mode})
    result = deidentifier(profile).deidentify(instance(DATES))
    assert verifier(profile).findings(result) == []
    for moves, kind in (
        ({0x00080020: "20240102"}, "date"),
        ({0x00080020: 20_000}, "date-shift"),
        ({0x00080022: 1}, "date-shift"),
    ):
        found = verifier(profile).findings(later(result, moves))
        assert {finding.kind for finding in found} == {kind}


def test_a_cleaner_that_cleans_nothing_is_noticed(deidentifier, verifier, research, instance, monkeypatch):
    monkeypatch.setattr(engine, "known_of", lambda top: NOTHING)
    one = deidentifier(research)
    one._cleaner = SimpleNamespace(values=list)
    for tag in (0x00081030, 0x0008103E, 0x00181030, 0x00204000, 0x00400254):
        assert (
            outcome(one, verifier, research, instance(KNOWN | {tag: ("LO", b"thorax Zackrisson")})) == "held"
        )


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00180050, "DS", NAME),
        (0x00180050, "DS", str(NUMBER).encode()),
        (0x00180050, "DS", b"121212.121212"),
        (0x00200013, "IS", NAME),
        (0x00180015, "CS", NAME),
        (0x00189087, "FD", b"Svensson"),
        (0x00281201, "OW", b"\0\0" + NAME),
        (0x00281201, "OW", "Zackrisson".encode("utf-16-le")),
    ],
)
def test_values_that_are_not_what_they_say_are_noticed(
    deidentifier, verifier, research, instance, kept_as_is, tag, vr, value
):
    known = KNOWN | {0x00101000: ("LO", str(NUMBER).encode() + b"\\121212121212")}
    result = deidentifier(research).deidentify(instance(known | {tag: (vr, value)}))
    assert value in result.header
    assert verifier(research).findings(result)


@pytest.mark.parametrize("tag", [0x00080070, 0x00081090, 0x00181020, 0x00181210, 0x00180024])
def test_a_cleaner_of_devices_texts_that_cleans_nothing_is_noticed(
    deidentifier, verifier, research, instance, tag, monkeypatch
):
    monkeypatch.setattr(engine, "known_of", lambda top: NOTHING)
    one = deidentifier(research)
    one._devices = SimpleNamespace(values=list)
    source = instance(KNOWN | {tag: (vr_of(tag), b"MAGNETOM Zackrisson")})
    assert outcome(one, verifier, research, source) == "held"


@pytest.mark.parametrize("depth", ["at the top", "in a sequence"])
@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00480106, "SH", NAME),
        (0x00209056, "SH", NAME),
        (0x00181000, "LO", b"KX471190086"),
        (0x00181008, "LO", b"KX471190086"),
    ],
)
def test_identifiers_that_become_no_token_are_noticed(
    deidentifier, verifier, research, instance, monkeypatch, tag, vr, value, depth
):
    inner = encode_item(encode_element(tag, vr, value, EXPLICIT), EXPLICIT)
    extra = {tag: (vr, value)} if depth == "at the top" else {KEPT_SEQUENCE: ("SQ", inner)}
    source = instance(KNOWN | extra)
    assert value not in deidentifier(research).deidentify(source).header
    monkeypatch.setattr(engine._Rewriter, "_token", lambda self, kind, text, vr, **_: text.encode("ascii"))
    result = deidentifier(research).deidentify(source)
    assert value in result.header
    assert verifier(research).findings(result)


@pytest.mark.parametrize("tag", sorted(CODE_TAGS))
def test_codes_that_are_taken_for_public_are_noticed(
    deidentifier, verifier, any_profile, instance, monkeypatch, tag
):
    monkeypatch.setattr(
        engine._Rewriter, "_public", lambda self, element, *_: self._parsed.value(element).rstrip(b" ")
    )
    inner = encode_item(encode_element(tag, vr_of(tag), NAME, EXPLICIT), EXPLICIT)
    result = deidentifier(any_profile).deidentify(instance(KNOWN | {KEPT_SEQUENCE: ("SQ", inner)}))
    assert NAME in result.header
    assert verifier(any_profile).findings(result)


def test_a_profile_of_colours_that_is_copied_is_noticed(
    deidentifier, verifier, research, instance, monkeypatch
):
    monkeypatch.setattr(engine, "rebuilt", lambda profile: profile)
    source = instance(KNOWN | {0x00282000: ("OB", IDENTIFYING["OB"])})
    assert outcome(deidentifier(research), verifier, research, source) == "held"


def test_ages_that_are_not_aggregated_are_noticed(deidentifier, verifier, research, instance, monkeypatch):
    source = instance({0x00101010: ("AS", b"097Y")})
    verifier(research).verify(deidentifier(research).deidentify(source))
    monkeypatch.setattr(engine, "_aggregated_age", lambda value: value)
    found = verifier(research).findings(deidentifier(research).deidentify(source))
    assert {finding.kind for finding in found} == {"age"}


def test_a_character_set_that_is_none_is_noticed(deidentifier, verifier, research, instance, monkeypatch):
    monkeypatch.setattr(engine, "_known_charsets", lambda value: value)
    source = instance(KNOWN | {0x00080005: ("CS", b"ISO_IR 100\\" + NAME)})
    assert outcome(deidentifier(research), verifier, research, source) == "held"


@pytest.mark.parametrize("missing", [0x00100010, 0x00100020, 0x00120062, 0x00120063, 0x00120064])
def test_what_says_that_it_was_done_is_missed(
    deidentifier, verifier, any_profile, instance, monkeypatch, missing
):
    one = deidentifier(any_profile)
    complete = one._result_attributes
    monkeypatch.setattr(
        one,
        "_result_attributes",
        lambda *args: {tag: raw for tag, raw in complete(*args).items() if tag != missing},
        raising=False,
    )
    assert verifier(any_profile).findings(one.deidentify(instance(KNOWN)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda header: b"Zackrisson".ljust(128, b"\0") + header[128:],
        lambda header: header[:132] + encode_element(0x00020016, "AE", b"EKBERGA", EXPLICIT) + header[132:],
        lambda header: header.replace(b"2.25.", b"1.25.", 1),
        lambda header: header.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0", 1),
        lambda header: header.replace(b"1.2.840.10008.5.1.4.1.1.2\0", b"1.2.840.10008.5.1.4.1.1.4\0", 1),
    ],
    ids=[
        "a preamble",
        "an application's title",
        "another instance",
        "another transfer syntax",
        "another class",
    ],
)
def test_file_meta_that_says_more_or_something_else_is_noticed(
    deidentifier, verifier, any_profile, instance, spoil
):
    result = deidentifier(any_profile).deidentify(instance(KNOWN))
    spoilt = replace(result, header=spoil(result.header))
    assert spoilt.header != result.header
    found = verifier(any_profile).findings(spoilt)
    assert {"file-meta", "incomplete"} & {finding.kind for finding in found}


PIXELS = encode_element(0x7FE00010, "OW", bytes(range(200)), EXPLICIT)


def spoilt_pixels(result):
    view, size = result.pixels, len(result.pixels)
    yield "a copy that differs", replace(result, pixels=memoryview(bytes(view[:-1]) + b"x"))
    yield "cut", replace(result, pixels=view[: size - 2])
    yield (
        "shifted",
        replace(result, pixels=memoryview(result.source.data)[result.source.pixels.start - 2 :][:size]),
    )
    yield "gone", replace(result, pixels=view[:0])
    yield (
        "with more behind",
        replace(result, pixels=memoryview(result.source.data)[result.source.pixels.start :]),
    )


def test_pixel_data_that_are_not_the_sources_are_noticed(deidentifier, verifier, any_profile, instance):
    source = instance(KNOWN) + PIXELS + encode_element(0xFFFCFFFC, "OB", b"Zackrisson", EXPLICIT)
    result = deidentifier(any_profile).deidentify(source)
    one = verifier(any_profile)
    assert one.findings(result) == []
    blanked = replace(result, blanks=((20, 40),))
    assert one.findings(blanked) == []
    for what, spoilt in spoilt_pixels(result):
        assert {finding.kind for finding in one.findings(spoilt)} == {"pixels"}, what


IN_PIXELS = (
    "JPEG comment", "JPEG comment at the end", "EXIF", "XMP", "IPTC in APP13", "APP0 that is no JFIF",
    "behind JPEG's end", "JPEG comment of a second frame", "JPEG 2000 comment", "behind JPEG 2000's end",
    "JP2 box xml ", "JP2 box uuid", "more native pixels than the image has",
)  # fmt: skip


@pytest.mark.parametrize("name", IN_PIXELS)
@pytest.mark.parametrize(
    "spelling", ["family name", "12 digits, hyphen", "birth date, ISO", "accession number"]
)
def test_comments_in_frames_that_are_not_blanked_are_noticed(
    deidentifier, verifier, research, monkeypatch, name, spelling
):
    (place,) = (place for place in PLACES if place.name == name)
    source = place.sow(SPELLINGS[spelling][0].encode("latin-1"))
    one, judge = deidentifier(research), verifier(research)
    with suppress(Quarantine):
        judge.verify(one.deidentify(source))
    monkeypatch.setattr(engine, "foreign_bytes", lambda *args, **kwargs: ())
    with pytest.raises(Quarantine, match="verification-failed"):
        judge.verify(one.deidentify(source))


def test_a_patient_who_gets_a_second_pseudonym_is_noticed(
    deidentifier, verifier, research, instance, monkeypatch
):
    one, judge = deidentifier(research), verifier(research)
    judge.verify(one.deidentify(instance(DATES)))
    monkeypatch.setattr(one, "subject_of", lambda *_: "sub-another", raising=False)
    with pytest.raises(Quarantine, match="verification-failed"):
        judge.verify(one.deidentify(instance(DATES)))


def test_a_uid_that_gets_a_second_successor_in_another_instance_is_noticed(
    deidentifier, verifier, research, instance, monkeypatch
):
    one, judge = deidentifier(research), verifier(research)
    judge.verify(one.deidentify(instance(UIDS)))
    original = engine._uid_of
    monkeypatch.setattr(
        engine, "_uid_of", lambda uid, key: original(uid + ("1" if uid.endswith(".9") else ""), key)
    )
    found = judge.findings(one.deidentify(instance(UIDS)))
    assert {finding.kind for finding in found} == {"uid-map"}


def test_a_subject_whose_dates_move_by_another_number_of_days_is_noticed(
    deidentifier, verifier, research, instance
):
    judge, result = verifier(research), deidentifier(research).deidentify(instance(DATES))
    judge.verify(result)
    found = judge.findings(later(result, dict.fromkeys(DATES, 5)))
    assert {finding.kind for finding in found} == {"subject"}
