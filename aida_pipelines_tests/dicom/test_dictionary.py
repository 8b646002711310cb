"""The tables of the standard are pydicom's, without pydicom."""

import subprocess
import sys

import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom._private_dict import private_dictionaries
from pydicom._uid_dict import UID_dictionary
from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.datadict import tag_for_keyword

from aida_pipelines.dicom import dictionary
from aida_pipelines.dicom.values import charset_of, decode_text, is_charset


def test_the_tables_are_pydicoms():
    assert dictionary.DicomDictionary == DicomDictionary
    assert dictionary.UID_dictionary == UID_dictionary


def test_keywords_have_the_tags_that_pydicom_gives_them():
    for entry in DicomDictionary.values():
        assert dictionary.tag_for_keyword(entry[4]) == tag_for_keyword(entry[4])
    assert dictionary.tag_for_keyword("NoSuchKeyword") is None


def test_a_private_attribute_has_the_vr_of_the_private_dictionary():
    creator, places = next(iter(private_dictionaries.items()))
    place, (vr, *_) = next(iter(places.items()))
    assert dictionary.private_vr(creator, int(place[:4], 16), int(place[-2:], 16)) == vr
    assert dictionary.private_vr("ACME", 0x0019, 0x01) == ""


@pytest.mark.parametrize("term", [*python_encoding, "", "ISO_IR 999", "Anna"])
def test_a_character_set_is_what_pydicom_says(term):
    assert is_charset(term) == (term in python_encoding)
    if term in python_encoding:
        assert charset_of(term.encode()) == tuple(convert_encodings([term]))


@pytest.mark.parametrize("term", sorted(python_encoding))
@pytest.mark.parametrize("value", ["Åsa^Öst".encode("latin-1"), "Åsa^Öst".encode(), b"\xff\xfe\x80^\x81"])
def test_text_without_escapes_is_decoded_as_pydicom_does(term, value):
    charset = charset_of(term.encode())
    wanted = decode_bytes(value, list(charset), {0x5E, 0x5C}).strip("\0 ")
    assert decode_text(value, "PN", charset) == wanted


def test_headers_are_rewritten_without_loading_what_reads_pixels():
    code = (
        "import sys; import aida_pipelines.deid.fast, aida_pipelines.contracts.vocabulary;"
        "print(sorted({'pydicom', 'numpy', 'PIL', 'requests', 'pyarrow', 'polars', 'duckdb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
