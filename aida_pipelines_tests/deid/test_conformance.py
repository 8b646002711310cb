"""The conformance statement says what the engine does: every row of table E.1-1 is put through it and compared."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from io import BytesIO
from struct import pack

import pytest
from pydicom import dcmread
from pydicom._dicom_dict import DicomDictionary
from pydicom.sr.codedict import codes

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.contracts.profile import Action, DateMode, DeidProfile, Option
from aida_pipelines.deid._ps3_3_types import TYPES
from aida_pipelines.deid._ps3_15_e1_1 import ROWS
from aida_pipelines.deid._ps3_15_e3_4_1 import ITEMS
from aida_pipelines.deid._ps3_15_e3_10_1 import SAFE
from aida_pipelines.deid.conformance import (
    CONTENT_ADDED,
    CONTENT_TABLE,
    GONE_THROUGH,
    NEVER_KEPT,
    TABLE,
    effect_of,
    statement,
    tag_of,
)
from aida_pipelines.deid.conformance_text import CODES, WORDS, looked_for, statement_document
from aida_pipelines.deid.document import Document, Grid, Section, as_html, as_markdown
from aida_pipelines.deid.engine import dummy_value
from aida_pipelines.deid.honest import BINARY_VRS, BULK_VRS, TEXT_VRS
from aida_pipelines.deid.identity import TAGS as IDENTITY
from aida_pipelines.deid.rules import Rules
from aida_pipelines.dicom.encode import encode_element, encode_item
from aida_pipelines.dicom.parse import EXPLICIT, vr_of
from aida_pipelines.settings import CHECKOUT

VERSION = "deid/test"
SEQUENCE = 0x00082218  # Anatomic Region Sequence: kept, and not in the table
GROUPS = [row for row in ROWS if "x" in row.tag or row.tag == "PRIVATE"]
PLAIN = [row for row in ROWS if row not in GROUPS]
PROFILES = sorted(load_contracts(CHECKOUT / "data_contracts").profiles)


@pytest.fixture(scope="module")
def contracts():
    return load_contracts(CHECKOUT / "data_contracts")


@pytest.fixture(scope="module", params=PROFILES)
def profile(request, contracts):
    return contracts.profile(request.param)


@pytest.fixture(scope="module")
def stated(profile):
    return statement(profile, code_version=VERSION)


# --- an original value for each VR, and what became of it ----------------------------------------------------------

TEXTS = {
    "AE": "THORAX XYZZY", "CS": "THORAX XYZZY", "LO": "thorax Xyzzy", "LT": "thorax Xyzzy", "SH": "thorax Xyzzy",
    "ST": "thorax Xyzzy", "UC": "thorax Xyzzy", "UT": "thorax Xyzzy", "PN": "Xyzzy^Plugh", "AS": "045Y", "DS": "1.5",
    "IS": "7", "DA": "20240110", "TM": "101112", "DT": "20240110101112", "UI": "1.2.752.99.1", "UR": "http://x.invalid/",
}  # fmt: skip


def original(tag, vr):
    if tag == 0x00080201:
        return b"+0100"
    if tag in IDENTITY and vr in TEXT_VRS:
        return b"Xyzzy 4711"  # what is the person's own would go from all other attributes as well
    if vr in TEXTS:
        return TEXTS[vr].encode()
    if vr in BINARY_VRS:
        fewest = DicomDictionary[tag][1].partition("-")[0] if tag in DicomDictionary else "1"
        return pack("<B", 1).ljust(BINARY_VRS[vr], b"\0") * (int(fewest) if fewest.isdigit() else 1)
    return bytes(range(1, 9))


def element(tag, vr):
    if vr == "SQ":
        inner = encode_item(encode_element(0x00280010, "US", b"\3\0", EXPLICIT), EXPLICIT)
        return encode_element(tag, "SQ", inner, EXPLICIT)
    return encode_element(tag, vr, original(tag, vr), EXPLICIT)


def became(data_set, tag, vr):
    """What was done, judged from the bytes that came out."""
    if tag not in data_set:
        return str(Action.REMOVE)
    if vr == "SQ":
        return GONE_THROUGH if len(data_set[tag].value) else str(Action.EMPTY)
    raw = data_set.get_item(tag).value or b""
    value = raw.rstrip(b"\0 ") if vr not in BINARY_VRS and vr not in BULK_VRS else raw
    before = original(tag, vr)
    if not value:
        return str(Action.EMPTY)
    if value == before:
        return str(Action.KEEP)
    if vr == "UI":
        return str(Action.REMAP_UID) if value.startswith(b"2.25.") else "?"
    if value == dummy_value(vr):
        return str(Action.DUMMY)
    if vr in ("DA", "DT"):
        return str(Action.SHIFT_DATE) if value[8:] == before[8:] else "?"
    if len(value) == 16 and value.isalnum():
        return str(Action.PSEUDONYM)
    return str(Action.CLEAN_TEXT) if value.lower() == b"thorax" else "?"


def expected(effect, vr):
    if effect == Action.SHIFT_DATE and vr in ("TM", "SH"):
        return str(Action.KEEP)  # a time of day stays when its date moves
    if effect == Action.CLEAN_DEVICE or (effect == Action.KEEP and vr == "CS"):
        return str(Action.CLEAN_TEXT)  # of what is no term of the standard or of a device harmless words stay
    return effect


@pytest.fixture(scope="module")
def run(deidentifier, profile, instance):
    """``run(elements)``: the data set that comes out of the profile's engine."""

    def call(elements, sop_class):
        made = deidentifier(profile).deidentify(instance(elements, sop_class=sop_class), pixels_reviewed=True)
        return dcmread(BytesIO(made.header))

    return call


def test_every_row_meets_in_an_item_with_what_is_stated(run, stated, profile):
    rows = [(row, tag_of(row)) for row in stated.attributes if row.vr]
    assert len(rows) == len(PLAIN)
    content = encode_item(
        b"".join(element(tag, row.vr) for row, tag in sorted(rows, key=lambda r: r[1])), EXPLICIT
    )
    out = run({SEQUENCE: ("SQ", content)}, min(profile.sop_classes))
    (item,) = out[SEQUENCE].value
    observed = {row.tag: (row.name, became(item, tag, row.vr)) for row, tag in rows}
    assert observed == {row.tag: (row.name, expected(row.effect, row.vr)) for row, _ in rows}


def test_every_row_meets_at_the_top_level_with_what_is_stated_for_its_type(run, stated, profile):
    compared = 0
    for sop_class in sorted(profile.sop_classes):
        rows = [
            (row, tag_of(row))
            for row in stated.attributes
            if row.vr and not row.inserted and tag_of(row) >> 16 >= 8
        ]
        identity = {0x00080018, 0x0020000D, 0x0020000E}
        elements = {
            tag: (row.vr, element(tag, row.vr)[8 if row.vr not in LONG else 12 :])
            for row, tag in rows
            if tag not in identity
        }
        out = run(elements, sop_class)
        for row, tag in rows:
            if tag in identity:
                assert str(out[tag].value).startswith("2.25.") == (row.effect == Action.REMAP_UID)
                continue
            effect = row.by_type.get(TYPES.get(sop_class, {}).get(tag, 0), row.effect)
            assert became(out, tag, row.vr) == expected(effect, row.vr), (sop_class, row)
            compared += 1
    assert compared > 600 * len(profile.sop_classes)


LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UC", "UN", "UR", "UT", "UV", "SV"}


def test_a_code_that_is_a_term_of_the_standard_stays(run, stated, profile):
    kept = [tag_of(row) for row in stated.attributes if (row.vr, row.effect) == ("CS", "keep")]
    out = run(dict.fromkeys(kept, ("CS", b"F")), min(profile.sop_classes))
    assert {tag: out[tag].value for tag in kept} == dict.fromkeys(kept, "F")


def test_groups_of_attributes_are_removed_as_stated(run, stated, profile):
    assert {row.effect for row in stated.attributes if not row.vr} == {"remove"}
    elements = {
        0x00090010: ("LO", b"XYZZY 1.0"),
        0x00091001: ("LO", b"Xyzzy"),
        0x50083000: ("OW", b"\1\2"),
        0x60023000: ("OW", b"\1\2"),
        0x60024000: ("LT", b"Xyzzy"),
    }
    out = run(elements, min(profile.sop_classes))
    assert not [tag for tag in elements if tag in out]


def test_the_statement_has_every_row_of_the_standards_tables(stated):
    assert [row.tag for row in stated.attributes] == [row.tag for row in ROWS]
    from_table = [(i.code, i.scheme, i.value_type) for i in stated.content_items][: len(ITEMS)]
    assert from_table == [(i.code, i.scheme, i.value_type) for i in ITEMS]
    assert sum(stated.effects().values()) == 657


def test_what_is_said_to_decide_decides(profile, stated):
    """Without the options that are named, or without the profile's rules, the action would be another."""
    for row in stated.attributes:
        tag, vr = tag_of(row), row.vr or "LO"
        if row.basis == TABLE:
            bare = profile.model_copy(update={"options": frozenset(), "rules": (), "layers": ()})
            assert effect_of(Rules(bare).action(tag, vr), vr) == row.effect
        elif row.basis == NEVER_KEPT:
            assert row.effect == "remove"
        elif not row.basis.startswith("the profile: "):
            named = {Option(name) for name in row.basis.split(", ")}
            assert named <= profile.options
            without = profile.model_copy(update={"options": profile.options - named})
            assert effect_of(Rules(without).action(tag, vr), vr) != row.effect, row


def test_the_claimed_methods_are_those_that_every_instance_says(run, stated, profile):
    out = run({}, min(profile.sop_classes))
    written = {item.CodeValue for item in out.DeidentificationMethodCodeSequence}
    assert written == {option.code for option in stated.options if option.claimed}
    assert {o.code: o.meaning for o in stated.options} == {
        getattr(codes.cid7050, name).value: getattr(codes.cid7050, name).meaning
        for name in codes.cid7050.dir()
    }


def test_what_is_inserted_is_what_an_instance_says(run, stated, profile):
    out = run({}, min(profile.sop_classes))
    for one in stated.inserted:
        there = out[int(one.tag[1:5] + one.tag[6:10], 16)]
        if there.VR in ("CS", "LO") and "pseudonym" not in one.value and one.tag != "(0028,0301)":
            assert one.value == ("; ".join(there.value) if there.VM > 1 else there.value)
    assert {one.name for one in stated.inserted} >= {
        "Patient's Name",
        "Patient ID",
        "Patient Identity Removed",
    }


def test_content_rules_of_the_profile_are_stated_with_their_reasons(stated, profile):
    by_key = {(one.code, one.scheme, one.value_type): one for one in stated.content_items}
    assert len(by_key) == len(stated.content_items)
    for rule in profile.content:
        for concept in rule.concepts:
            for value_type in rule.value_types:
                one = by_key[concept.code, concept.scheme, value_type]
                assert one.basis.startswith("the profile: ")
                if one.basis == f"the profile: {rule.reason}":
                    assert one.effect == rule.action
    others = {one.basis for one in stated.content_items if not one.basis.startswith("the profile: ")}
    assert others == {CONTENT_TABLE, CONTENT_ADDED}


def test_what_a_profile_retains_is_not_looked_for(stated, profile, tokens):
    sentences = " ".join(looked_for(profile))
    assert ("institutions" in sentences) == (Option.RETAIN_INSTITUTION_IDENTITY not in profile.options)
    tokens_for_devices = any(
        rule.action is Action.PSEUDONYM and "DeviceSerialNumber" in rule.attributes for rule in profile.rules
    )
    assert ("serial numbers" in sentences) == (
        Option.RETAIN_DEVICE_IDENTITY not in profile.options or tokens_for_devices
    )
    assert ("UIDs, and" in sentences) == (Option.RETAIN_UIDS not in profile.options)


def test_of_a_claimed_option_it_is_said_where_the_profile_is_stricter(stated, profile):
    said = as_markdown(statement_document(stated))
    rows = [row for row in stated.attributes if row.options.get("retain-device-identity") == "K"]
    stricter = [row for row in rows if row.effect not in ("keep", GONE_THROUGH)]
    claimed = Option.RETAIN_DEVICE_IDENTITY in profile.options
    assert bool(stricter) == claimed
    assert (f"stricter: {len(stricter)} of the {len(rows)} attributes" in said) == claimed


def test_every_way_with_dates_has_its_words(research):
    pages = {
        mode: as_markdown(
            statement_document(statement(research.model_copy(update={"dates": mode}), code_version=VERSION))
        )
        for mode in DateMode
    }
    assert len(set(pages.values())) == len(DateMode)


def test_safe_private_attributes_are_stated_where_the_option_is_taken(stated, profile):
    from_table = [one for one in stated.private if one.basis == "table E.3.10-1"]
    if Option.RETAIN_SAFE_PRIVATE not in profile.options:
        assert not from_table
    else:
        assert 0 < len(from_table) <= sum(map(len, SAFE.values()))
    for one in stated.private:
        assert one.effect != "remove"
        assert one.basis


def test_what_the_profile_vouches_for_is_stated_with_what_of_it_stays(stated, profile):
    by_place = {(one.creator, one.tag): one for one in stated.private}
    page = as_markdown(statement_document(stated))
    for rule in profile.private:
        for name in rule.attributes:
            one = by_place.get((rule.creator, name))
            if (
                rule.action is Action.KEEP
                and one
                and one.basis == f"the profile: {rule.reason} ({rule.source})"
            ):
                assert one.only == (rule.values or rule.fields)
                assert name in page
            elif rule.action is Action.REMOVE:
                assert one is None


def test_every_action_has_words_and_the_standards_letter():
    assert {*map(str, Action), GONE_THROUGH} == WORDS.keys() == CODES.keys()


def test_what_the_page_does_not_know_of_a_profile_is_shown(research):
    class Younger(DeidProfile):
        moons: str = "seen by night"

    younger = Younger(**dict(research))
    document = statement_document(statement(younger, code_version=VERSION))
    assert "seen by night" in as_html(document)
    known = statement_document(statement(research, code_version=VERSION))
    assert "seen by night" not in as_html(known)


# --- the page -------------------------------------------------------------------------------------------------------


class Balanced(HTMLParser):
    """Fails on a tag that is closed out of order or not at all; notes what a browser would fetch."""

    VOID = frozenset({"meta", "link", "br", "img", "hr"})

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.ids, self.links, self.tags = [], [], set(), set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "data") or (name == "href" and not value.startswith("#")):
                self.fetched.append(value)
            if name == "href":
                self.links.add(value.removeprefix("#"))
            if name == "id":
                assert value not in self.ids
                self.ids.add(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(html):
    page = Balanced()
    page.feed(html)
    page.close()
    assert page.open == []
    assert page.fetched == []
    assert page.links <= page.ids
    assert not page.tags & {"script", "link", "img", "iframe", "object"}
    assert "url(" not in html
    assert "@import" not in html
    return page


def test_the_page_is_whole_and_fetches_nothing(stated):
    html = as_html(statement_document(stated))
    checked(html)
    for row in stated.attributes:
        assert f"<td>{row.tag}</td>" in html
    for number in ("E.1.3", stated.profile.version, VERSION):
        assert number in html


def test_what_a_contract_says_is_text_and_never_markup(research):
    hostile = research.model_copy(
        update={"title": "<script>alert(1)</script> & | `x` [y](http://z)", "layers": ()}
    )
    document = statement_document(statement(hostile, code_version=VERSION))
    html, markdown = as_html(document), as_markdown(document)
    checked(html)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in html
    assert "<script" not in markdown
    assert r"\| \`x\` \[y\](" in markdown


def test_markdown_tables_have_as_many_cells_as_columns(stated):
    columns = 0
    for line in as_markdown(statement_document(stated)).splitlines():
        if not line.startswith("|"):
            columns = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line))
        assert columns in (0, cells)
        columns = cells


def test_numbers_are_numbers_on_the_page():
    document = Document("T", (), (Section("S", (Grid(("a", "b"), (("x", 12345),)),)),))
    assert '<td class="number">12,345</td>' in as_html(document)
    assert "| x | 12,345 |" in as_markdown(document)


def test_an_appendix_follows_with_places_of_its_own():
    inner = Document("Inner", (), (Section("S", ("text",)),))
    html = as_html(Document("Outer", (), (Section("S", ("text",)),), appendix=inner))
    page = checked(html)
    assert {"s1", "a1", "appendix"} <= page.ids
    assert html.index("Outer</h1>") < html.index("Inner</h2>")


BYTES = """
import hashlib, sys
from pathlib import Path
from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.deid.conformance import statement
from aida_pipelines.deid.conformance_text import statement_document
from aida_pipelines.deid.document import as_html, as_markdown
made = statement(load_contracts(Path(sys.argv[1])).profile("research-longitudinal"), code_version="x")
page = statement_document(made)
print(hashlib.sha256((made.as_json() + as_html(page) + as_markdown(page)).encode()).hexdigest())
"""


def test_the_same_profile_gives_the_same_bytes_whatever_the_order_of_sets():
    def digest(seed):
        return subprocess.run(
            [sys.executable, "-c", BYTES, CHECKOUT / "data_contracts"], text=True, capture_output=True, check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(CHECKOUT)},
        ).stdout  # fmt: skip

    assert digest("1") == digest("2")


def test_the_json_holds_the_profile_whole(stated, profile):
    document = json.loads(stated.as_json())
    assert document["profile"]["name"] == profile.name
    assert document["profile"]["sop_classes"] == sorted(profile.sop_classes)
    assert len(document["attributes"]) == 657


def test_vrs_of_the_rows_are_the_dictionarys(stated):
    assert all(row.vr == vr_of(tag_of(row)) for row in stated.attributes if row.vr)
