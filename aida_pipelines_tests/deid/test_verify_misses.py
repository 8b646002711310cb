"""Misses planted on purpose in correct results: in each spelling, place and encoding, the verifier finds them."""

from dataclasses import replace
from struct import pack

import pytest

from aida_pipelines.dicom.encode import encode_element, encode_item
from aida_pipelines.dicom.parse import EXPLICIT, IMPLICIT
from aida_pipelines.errors import Quarantine

SOURCE = {
    0x00080020: ("DA", b"20240102"),
    0x0008002A: ("DT", b"20240103101112.5"),
    0x00080050: ("SH", b"ACC47110"),
    0x00080080: ("LO", b"Sankt Ekbergalunds lasarett"),
    0x00080081: ("ST", b"Lasarettsstigen 47, 99910 Ekbergalund"),
    0x00080090: ("PN", b"Zackrisson^Per-Olof"),
    0x00080092: ("ST", b"Doktorsbacken 3, 99920 Ekbergalund"),
    0x00080094: ("SH", b"+46 90 174 06 22"),
    0x00081010: ("SH", b"EKBCT07"),
    0x00081040: ("LO", b"Thoraxsektionen Vintergatan"),
    0x00081070: ("PN", b"Harkonsson^Liv"),
    0x00100010: ("PN", "Åkerström^Östen^Ulfsson=山田^太郎".encode()),
    0x00100020: ("LO", b"19121212-1212"),
    0x00100021: ("LO", b"Region Ekbergalund"),
    0x00100030: ("DA", b"19121212"),
    0x00100218: ("UT", b"S47-1712"),
    0x00101000: ("LO", b"NRID22121212AB1C\\198505721239"),
    0x00101001: ("PN", b"Bj\xc3\xb6rk^Eva"),
    0x00101040: ("LO", "Tallbacksvägen 11, 99920 Umeå".encode()),
    0x00102154: ("SH", b"070-174 06 11"),
    0x00104000: ("LT", b"sister 850101-2341, osten.a@exempel.invalid"),
    0x00200010: ("SH", b"47110815"),
    0x00200052: ("UI", b"1.2.752.1.1.9"),
    0x00400253: ("SH", b"PPS4711A"),
}
"""Who the patient is, in every kind of attribute that says so."""

TEXTS = {
    "a name": ("Åkerström", "name"),
    "in capitals": ("ÅKERSTRÖM", "name"),
    "a name, one letter for å": ("Akerstrom", "name"),
    "a name, two letters for å": ("AAKERSTROEM", "name"),
    "the genitive": ("Åkerströms hjärta", "name"),
    "the genitive of a short name": ("Evas hjärta", "name"),
    "a short name": ("x Eva x", "name"),
    "a given name": ("herr Östen", "name"),
    "a given name, two letters": ("Oesten", "name"),
    "a name within a word": ("Ulfssonska", "name"),
    "a name with a number": ("Eva1", "name"),
    "family^given": ("Åkerström^Östen", "name"),
    "split over =": ("Åkers=tröm", "name"),
    "letters apart": ("A k e r s t r o m", "name"),
    "a physician": ("dr Zackrisson", "name"),
    "an operator": ("Harkonsson", "name"),
    "another name": ("Björk", "name"),
    "a name with a hyphen": ("Per-Olof", "name"),
    "twelve digits": ("191212121212", "id"),
    "twelve digits and a hyphen": ("19121212-1212", "id"),
    "ten digits and a hyphen": ("121212-1212", "id"),
    "ten digits and a plus": ("121212+1212", "id"),
    "ten digits": ("1212121212", "id"),
    "digits in pairs": ("19 12 12 12 12 12", "id"),
    "digits with points": ("121212.1212", "id"),
    "digits behind a word": ("thorax191212121212", "id"),
    "a coordination number": ("850572-1239", "id"),
    "a coordination number with its century": ("19850572-1239", "id"),
    "a relative's number, of a comment": ("8501012341", "id"),
    "an id with letters": ("NRID22121212AB1C", "id"),
    "an id with separators": ("NRID-22121212/AB1C", "id"),
    "an id in lower case": ("nrid22121212ab1c", "id"),
    "an accession number": ("ACC47110", "id"),
    "an accession number with a hyphen": ("ACC-47110", "id"),
    "a study id": ("47110815", "id"),
    "a step's id": ("PPS4711A", "id"),
    "a birth date": ("19121212", "birth-date"),
    "a birth date, ISO": ("1912-12-12", "birth-date"),
    "a birth date, slashes": ("12/12/1912", "birth-date"),
    "a birth date, points": ("12.12.1912", "birth-date"),
    "a birth date, blanks": ("1912 12 12", "birth-date"),
    "a birth date, two digits": ("f 12-12-12", "birth-date"),
    "a birth date, six digits": ("f 121212 x", "birth-date"),
    "a birth date, Swedish": ("12 december 1912", "birth-date"),
    "a birth date, English": ("December 12, 1912", "birth-date"),
    "a birth date, short month": ("12dec1912", "birth-date"),
    "a birth date, ordinal day": ("12th of Dec 1912", "birth-date"),
    "a birth date, month first": ("Dec-12-1912", "birth-date"),
    "a birth date, year first": ("1912 dec 12", "birth-date"),
    "a birth date, week": ("1912-W50-4", "birth-date"),
    "a birth date, day of the year": ("1912-347", "birth-date"),
    "a birth date with a time": ("1912-12-12T10:11:12", "birth-date"),
    "a birth date and a time in one": ("19121212101112", "birth-date"),
    "the study's date": ("2024-01-02", "date"),
    "the study's date, two digits": ("240102 x", "date"),
    "the study's date in words": ("2 januari 2024", "date"),
    "the acquisition's date": ("3/1/2024", "date"),
    "a telephone number": ("070-1740611", "phone"),
    "a telephone number, international": ("+46 (0)70-174 06 11", "phone"),
    "a telephone number, 0046": ("0046701740611", "phone"),
    "a physician's telephone": ("090/1740622", "phone"),
    "mail": ("osten.a@exempel.invalid", "mail"),
    "mail in capitals": ("OSTEN.A@EXEMPEL.INVALID", "mail"),
    "a street": ("Tallbacksvägen 11", "address"),
    "an address": ("Tallbacksvagen 11 99920 Umea", "address"),
    "a hospital's street": ("Lasarettsstigen 47", "address"),
    "a hospital": ("Sankt Ekbergalunds lasarett", "place"),
    "a town": ("till Ekbergalund", "place"),
    "a department": ("THORAXSEKTIONEN", "place"),
    "a station": ("EKB-CT07", "id"),
    "a UID": ("1.2.752.1.1.9", "uid"),
    "a UID in a file's name": ("x/1.2.752.1.1.3.dcm", "uid"),
}
"""What is planted, and what it must be recognised as."""

A_TIME = {("digits with points", "a time that is none")}
"""What is a time after all: 12:12:12.1212."""

SHORT = {
    "a short name",
    "the genitive of a short name",
    "a name with a number",
    "a given name",
    "another name",
}
"""Too short to be looked for in bytes that are no text, unless they stand in a run of plain characters."""


def nested(element, encoding=EXPLICIT, depth=3):
    """The element, three sequences down: in one that no table lists, in a private one, in one of the standard."""
    for tag in (0x00409096, 0x00731001, 0x52009229)[:depth]:
        element = encode_element(tag, "SQ", encode_item(element, encoding), encoding)
    return element


def text(tag, vr, codec="utf-8"):
    return lambda words: encode_element(tag, vr, words.encode(codec), EXPLICIT)


def escaped(words):
    latin = words.encode("latin-1")
    return encode_element(0x52009999, "LT", b"\x1b-A" + latin[:3] + b"\x1b-A" + latin[3:], EXPLICIT)


def with_charset(words):
    charset = encode_element(0x00080005, "CS", b"ISO_IR 100", EXPLICIT)
    return nested(charset + encode_element(0x00204000, "LT", words.encode("latin-1"), EXPLICIT))


def wide(words):
    full = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in words)
    return encode_element(0x52009999, "LT", full.encode(), EXPLICIT)


def apart(words):
    import unicodedata

    return encode_element(0x52009999, "LT", unicodedata.normalize("NFD", words).encode(), EXPLICIT)


def invisible(words):
    return encode_element(0x52009999, "LT", "\u200b".join(words).encode(), EXPLICIT)


def undefined_length(words):
    item = encode_element(0x00204000, "LT", words.encode(), EXPLICIT)
    head = pack("<HH2sHL", 0x5200, 0x9229, b"SQ", 0, 0xFFFFFFFF) + pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    return head + item + pack("<HHL", 0xFFFE, 0xE00D, 0) + pack("<HHL", 0xFFFE, 0xE0DD, 0)


def unknown_sequence(words):
    inner = encode_item(encode_element(0x00204000, "LT", words.encode(), IMPLICIT), IMPLICIT)
    return encode_element(0x60110010, "UN", inner, EXPLICIT)


TEXTUAL = {
    "text": text(0x52009999, "LT"),
    "a description": text(0x5200103E, "LO"),
    "Latin-1 that calls itself UTF-8": text(0x52009999, "LT", "latin-1"),
    "a location": text(0x52009999, "UR"),
    "a code": text(0x52009999, "CS"),
    "an application's title": text(0x52009999, "AE"),
    "a person's name": text(0x52009999, "PN"),
    "private text": text(0x60110010, "LO"),
    "a number that is none": text(0x52009999, "DS"),
    "a time that is none": text(0x52009999, "TM"),
    "three levels down": lambda words: nested(encode_element(0x00204000, "LT", words.encode(), EXPLICIT)),
    "a private sequence": lambda words: nested(
        encode_element(0x00204000, "ST", words.encode(), EXPLICIT), depth=2
    ),
    "an item with its own character set": with_charset,
    "a sequence of undefined length": undefined_length,
    "a sequence that calls itself unknown": unknown_sequence,
    "escapes in the middle": escaped,
    "accents apart": apart,
    "full width": wide,
    "zero-width characters between": invisible,
}
BINARY = {
    "bytes": text(0x52009999, "OB", "utf-8"),
    "bytes in Latin-1": text(0x52009999, "OW", "latin-1"),
    "unknown bytes": lambda words: encode_element(
        0x60110010, "UN", b"\1\2" + words.encode() + b"\0", EXPLICIT
    ),
    "UTF-16": text(0x52009999, "OB", "utf-16-le"),
    "UTF-16, big endian": text(0x52009999, "OB", "utf-16-be"),
    "bytes three levels down": lambda words: nested(
        encode_element(0x52009999, "OB", b"\xff\xfe\1" + words.encode() + b"\1", EXPLICIT)
    ),
}


@pytest.fixture(scope="module")
def clean(deidentifier, research, instance):
    charset = {0x00080005: ("CS", b"ISO_IR 192")}
    return deidentifier(research).deidentify(instance(SOURCE | charset))


def with_more(result, element):
    """The result with one more element at its end, as one that was missed."""
    return replace(result, header=result.header + element)


def kinds(verifier, result):
    return {finding.kind for finding in verifier.findings(result)}


def test_there_are_misses_enough():
    assert len(TEXTS) * (len(TEXTUAL) + len(BINARY)) > 1500


def test_without_a_miss_the_result_passes(verifier, research, clean):
    assert verifier(research).findings(clean) == []


@pytest.mark.parametrize("carrier", TEXTUAL)
def test_every_miss_in_text_is_found(verifier, research, clean, carrier):
    one = verifier(research)
    unseen = [
        words
        for words, (planted, kind) in TEXTS.items()
        if (words, carrier) not in A_TIME
        and kind not in kinds(one, with_more(clean, TEXTUAL[carrier](planted)))
    ]
    assert unseen == []


@pytest.mark.parametrize("carrier", BINARY)
def test_every_miss_in_bytes_is_found(verifier, research, clean, carrier):
    one = verifier(research)
    unseen = [
        words
        for words, (planted, kind) in TEXTS.items()
        if words not in SHORT and kind not in kinds(one, with_more(clean, BINARY[carrier](planted)))
    ]
    assert unseen == []


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("山田", codec)
        for codec in ("utf-8", "utf-16-le", "utf-16-be", "gb18030", "shift_jis", "euc_jp", "iso2022_jp")
    ]
    + [("Иванова", codec) for codec in ("utf-8", "utf-16-le", "utf-16-be", "iso8859_5", "koi8_r", "cp1251")]
    + [("Παπαδάκη", codec) for codec in ("utf-8", "utf-16-le", "iso8859_7")]
    + [("김철수", codec) for codec in ("utf-8", "utf-16-be", "euc_kr")],
)
def test_a_name_in_a_script_of_its_own_is_found_in_bytes(
    deidentifier, verifier, research, instance, name, codec
):
    person = {0x00080005: ("CS", b"ISO_IR 192"), 0x00100010: ("PN", f"X^Y={name}^Z".encode())}
    result = deidentifier(research).deidentify(instance(person))
    value = b"\1\2\3" + name.encode(codec) + b"\4\5"
    for tag, vr in ((0x52009999, "OB"), (0x52009999, "LT")):
        spoilt = with_more(result, nested(encode_element(tag, vr, value, EXPLICIT)))
        assert "name" in kinds(verifier(research), spoilt)


def test_a_miss_holds_the_instance_and_says_nothing_of_it(verifier, research, clean):
    spoilt = with_more(clean, TEXTUAL["text"]("Zackrisson"))
    with pytest.raises(Quarantine, match="verification-failed") as held:
        verifier(research).verify(spoilt)
    assert "ackrisson" not in repr(held.value) + repr(verifier(research).findings(spoilt))
