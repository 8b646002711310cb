"""Coded values: a code of a public scheme stays, everything else that stands in its place becomes a token."""

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.sr._concepts_dict import concepts

from aida_pipelines.deid.codes import is_public, is_scheme, is_version
from aida_pipelines_tests.deid.sowing import el, file, header, item, sq


def test_all_codes_of_the_standards_context_groups_are_public():
    for scheme, keywords in concepts.items():
        assert is_scheme(scheme)
        assert all(is_public(scheme, str(code)) for codes in keywords.values() for code in codes)


@pytest.mark.parametrize(
    ("scheme", "code"),
    [("SCT", "39607008"), ("SCT", "900000000000207008"), ("SRT", "T-A0100"), ("SRT", "G-A1F8"), ("SNM3", "R-00345"),
     ("LN", "25045-6"), ("UCUM", "mm"), ("UCUM", "mm2/s"), ("UCUM", "ml/100ml/s"), ("UCUM", "Bq/ml"), ("RADLEX", "RID58"),
     ("I10", "C34.1"), ("RFC5646", "sv-SE"), ("NCIt", "C122989")],
)  # fmt: skip
def test_codes_built_as_their_scheme_builds_them_are_public(scheme, code):
    assert is_public(scheme, code)


@pytest.mark.parametrize(
    ("scheme", "code"),
    [("SCT", "39607009"), ("SCT", "191212121212"), ("SCT", "0701740611"), ("LN", "25045-7"), ("DCM", "121212"), ("DCM", "ACC4711"),
     ("UCUM", "{Kerstin}"), ("UCUM", "12.12.1912"), ("SRT", "ACC4711007"), ("99LOCAL", "39607008"), ("", "39607008"),
     ("L", "1"), ("UMLS", "C4711007"), ("FMA", "121212"), ("SCT", "Anna")],
)  # fmt: skip
def test_what_is_no_code_of_its_scheme_is_not(scheme, code):
    assert not is_public(scheme, code)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("1.4", True),
        ("01", True),
        ("20240901", True),
        ("20240731", True),
        ("20240904", False),
        ("19121212", False),
        ("Anna", False),
    ],
)
def test_versions_of_schemes(text, known):
    assert is_version(text) is known


def test_a_private_code_becomes_a_token_and_the_same_code_the_same_token(deidentifier, research):
    def coded(code, scheme):
        inner = el(0x00080100, "SH", code) + el(0x00080102, "SH", scheme) + el(0x00080104, "LO", b"Head")
        result = deidentifier(research).deidentify(file(header({0x00082218: sq(0x00082218, item(inner))})))
        made = dcmread(BytesIO(result.header)).AnatomicRegionSequence[0]
        return made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning

    assert coded(b"T-A0100", b"SRT") == ("T-A0100", "SRT", "Head")
    value, scheme, meaning = coded(b"ACC4711007", b"99REGION")
    assert coded(b"ACC4711007", b"99REGION") == (value, scheme, meaning)
    assert (len(value), scheme[:2], len(scheme), meaning) == (16, "99", 16, "Head")
    assert coded(b"ACC4711007", b"99OTHER")[0] != value
    assert coded(b"12", b"99REGION") == ("12", scheme, "Head")
