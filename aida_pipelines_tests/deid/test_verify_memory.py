"""A verifier that remembers finds what a fresh one finds: the same, in whatever order instances come."""

from dataclasses import replace
from pathlib import Path

import pydicom.data
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aida_pipelines.deid.verification import leaves, memory
from aida_pipelines.deid.verification.identifiers import Sight
from aida_pipelines.deid.verification.ledger import Ledger
from aida_pipelines.deid.verification.pieces import UncutError, cut
from aida_pipelines.dicom.encode import encode_element, encode_item
from aida_pipelines.dicom.parse import EXPLICIT, parse_file
from aida_pipelines.dicom.quiet import quiet_pydicom
from aida_pipelines.errors import Quarantine

BUNDLED = sorted((Path(pydicom.data.__file__).parent / "test_files").rglob("*.dcm"))
NAMES = ("CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm", "nested_priv_SQ.dcm", "ExplVR_BigEnd.dcm",
         "examples_palette.dcm", "rtstruct.dcm", "reportsi.dcm", "liver.dcm", "eCT_Supplemental.dcm")  # fmt: skip


def found(one, result):
    """What a verifier finds in an instance, whatever came before; or that it can't be read."""
    one._ledger = Ledger()
    try:
        return one.findings(result)
    except Exception as error:  # noqa: BLE001 - any of them holds the instance
        return type(error).__name__


@pytest.fixture(scope="module")
def results(deidentifier, research):
    """De-identified instances of several kinds and encodings."""
    some = []
    for path in BUNDLED:
        if path.name in NAMES:
            try:
                some.append(deidentifier(research).deidentify(path.read_bytes(), pixels_reviewed=True))
            except Quarantine:
                continue
    assert len(some) > 5
    return some


@pytest.fixture(scope="module")
def experienced(verifier, research):
    """One verifier for all examples of a module."""
    return verifier(research)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_remembered_changes_no_verdict(verifier, research, experienced, results, data):
    result = data.draw(st.sampled_from(results))
    header = bytearray(result.header)
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(132, len(header) - 1))
        header[place] = data.draw(st.sampled_from([0, 1, 8, 0x20, 0x31, 0x41, 0x5C, 0xE5, 0xFF]))
    other = data.draw(st.sampled_from(results))
    mixed = replace(result, header=bytes(header), source=data.draw(st.sampled_from([result, other])).source)
    assert found(experienced, mixed) == found(verifier(research), mixed)


def test_a_name_is_found_in_what_was_clean_of_another_patient(deidentifier, verifier, research, instance):
    one, remark = verifier(research), encode_element(0x52009999, "LO", b"Lindqvist AB", EXPLICIT)
    for name, expected in (
        (b"Svensson^Anna", set()),
        (b"Lindqvist^Eva", {"name"}),
        (b"Svensson^Anna", set()),
    ):
        result = deidentifier(research).deidentify(instance({0x00100010: ("PN", name)}))
        remarked = replace(result, header=result.header + remark)
        assert {finding.kind for finding in one.findings(remarked)} == expected


def test_bytes_that_were_harmless_in_one_character_set_are_read_in_another(
    deidentifier, verifier, research, instance
):
    one = verifier(research)
    kanji = "山田".encode("iso2022_jp")
    for charset in (b"ISO_IR 100", b"\\ISO 2022 IR 87", b"ISO_IR 192"):
        name = {0x00080005: ("CS", charset), 0x00100010: ("PN", b"Yamada^X=" + kanji)}
        result = deidentifier(research).deidentify(instance(name))
        spoilt = replace(
            result, header=result.header + encode_element(0x52009999, "LO", b"x " + kanji, EXPLICIT)
        )
        assert "name" in {finding.kind for finding in one.findings(spoilt)}


def test_when_all_is_forgotten_nothing_changes(verifier, research, results, monkeypatch):
    monkeypatch.setattr(memory, "MAX_REMEMBERED", 2000)
    one = verifier(research)
    for result in results * 2:
        assert found(one, result) == found(verifier(research), result)


def test_memory_is_bounded(deidentifier, verifier, research, instance, monkeypatch):
    monkeypatch.setattr(memory, "MAX_REMEMBERED", 1 << 20)
    one = verifier(research)
    largest = 0
    for number in range(600):
        noise = {0x00204000: ("LT", b"%d " % number * 100), 0x00200013: ("IS", b"%d" % number)}
        one.verify(deidentifier(research).deidentify(instance(noise)))
        largest = max(largest, one._memory._size)
    assert (1 << 19) < largest < (1 << 20) + (1 << 16)


def everything(raw, context):
    """Every value that cutting and reading a data set gives: path, VR and bytes."""
    pieces = cut(raw, 0, len(raw), implicit=context.implicit, big_endian=context.big_endian)
    for tag, piece in pieces:
        items = memory._items(tag, piece, context)
        for item in items or ():
            inner = b"".join(one for _, one in item)
            yield from ((f"{tag:08x}{path}", vr, value) for path, vr, value in everything(inner, context))
        if items is None:
            for leaf in memory._leaves(tag, piece, b"", context)[0]:
                yield leaf.path, leaf.vr, leaf.value


def public(found):
    """Those that no private tag leads to."""
    return sorted(
        one for one in found if not any(int(one[0][at + 3], 16) & 1 for at in range(0, len(one[0]), 8))
    )


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.name)
def test_a_data_set_in_pieces_says_what_pydicom_reads_of_the_whole(path):
    """Of public attributes, whose reading depends on nothing else."""
    try:
        parsed = parse_file(path.read_bytes())
    except Quarantine:
        return
    encoding = parsed.encoding
    end = parsed.pixels.start if parsed.pixels else len(parsed.data)
    raw = bytes(parsed.data[parsed.start : end])
    context = memory.Memory(Sight(frozenset())).context(
        (), implicit=encoding.implicit, big_endian=encoding.big_endian
    )
    with quiet_pydicom():
        whole = leaves.leaves_of(raw, b"", implicit=encoding.implicit, big_endian=encoding.big_endian)
        try:
            cut_up = list(everything(raw, context))
        except UncutError:
            return
    expected = [(leaf.path, leaf.vr, leaf.value) for leaf in whole]
    assert public(cut_up) == public(expected)
    assert len(cut_up) >= len(public(expected))


def test_a_long_sequence_is_searched_item_by_item(deidentifier, verifier, research, instance):
    frames = [
        encode_item(encode_element(0x00204000, "LT", b"frame %d" % number, EXPLICIT), EXPLICIT)
        for number in range(300)
    ]
    one = verifier(research)
    clean = deidentifier(research).deidentify(instance({0x52009230: ("SQ", b"".join(frames))}))
    assert one.findings(clean) == []
    frames[217] = encode_item(encode_element(0x00204000, "LT", b"Svensson", EXPLICIT), EXPLICIT)
    spoilt = encode_element(0x52009231, "SQ", b"".join(frames), EXPLICIT)
    found = one.findings(replace(clean, header=clean.header + spoilt))
    assert {finding.where for finding in found if finding.kind == "name"} == {"00204000"}
