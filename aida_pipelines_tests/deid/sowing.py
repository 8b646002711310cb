"""DICOM files with one identifier in one place, byte by byte, so that no writer's kindness is in between.

``PLACES`` says where a seed can lie, ``SPELLINGS`` how it is written. Nothing here knows what the de-identifier
does; where an instance can't come out at all, the place says the reasons that are true.
"""

from __future__ import annotations

import quopri
import zlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from struct import pack
from unicodedata import normalize
from urllib.parse import quote

from PIL import Image

EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
DEFLATED, JPEG, J2K, RLE = (
    "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5",
)  # fmt: skip
CT, ENHANCED_CT, SLIDE = (f"1.2.840.10008.5.1.4.1.1.{last}" for last in ("2", "2.1", "77.1.6"))
LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
UNDEFINED = 0xFFFFFFFF

IDENTITY = {
    0x00080050: ("SH", b"ACC4711007"),
    0x00080080: ("LO", b"Sankt Ekberga lasarett"),
    0x00080081: ("ST", b"Ekstigen 47, 99910 Ekberga"),
    0x00080090: ("PN", b"Zackrisson^Per-Olof"),
    0x00100010: ("PN", "Björklundh^Annbritt^Ulfsdotter".encode("latin-1")),
    0x00100020: ("LO", b"19121212-1212"),
    0x00100030: ("DA", b"19121212"),
    0x00101000: ("LO", b"NRID22121212AB1C"),
    0x00101040: ("LO", "Tallbacksvägen 11, 99920 Ekberga".encode("latin-1")),
    0x00102154: ("SH", b"070-1740611"),
    0x00200010: ("SH", b"ACC4711007"),
}
"""Where a hospital writes who the patient is; a header without it would hide nothing from nobody."""

SPELLINGS: dict[str, tuple[str, ...]] = {
    "family name": ("Björklundh",),
    "in capitals": ("BJÖRKLUNDH ANNBRITT", "ANNBRITT"),
    "family^given": ("Björklundh^Annbritt", "Björklundh", "Annbritt"),
    "given family": ("Annbritt Björklundh", "Björklundh", "Annbritt"),
    "split over ^ and =": ("Björk^lundh=Ann^britt", "lundh=Ann"),
    "without accents": ("Bjorklundh", "Bjorklundh"),
    "a physician": ("dr Per-Olof Zackrisson", "Zackrisson"),
    "a relative": ("dotter Kerstin Ulfsdotter", "Ulfsdotter", "Kerstin"),
    "12 digits": ("191212121212",),
    "12 digits, hyphen": ("19121212-1212", "1212-1212"),
    "10 digits, hyphen": ("121212-1212",),
    "10 digits, plus": ("121212+1212",),
    "10 digits, blanks": ("12 12 12 12 12", "12 12 12"),
    "digits glued to a word": ("thorax191212121212",),
    "a reserve number": ("NRID22121212AB1C",),
    "birth date": ("19121212",),
    "birth date, ISO": ("1912-12-12",),
    "birth date, with points": ("12.12.1912", "12.12.19"),
    "birth date, two-digit year": ("f 12/12/12", "12/12/12"),
    "birth date, in words": ("12 dec 1912", "dec 1912"),
    "accession number": ("ACC4711007", "4711007"),
    "telephone": ("tel 070-174 06 11", "174 06 11"),
    "hospital": ("Sankt Ekberga lasarett", "Ekberga"),
    "street": ("Tallbacksvägen 11", "Tallbacksv"),
    "mail": ("annbritt@exempel.invalid", "annbritt@"),
    "a UID": ("1.2.752.4711.999.1",),
    "address of a computer": ("10.47.11.7", "47.11.7"),
}  # fmt: skip
"""What is sown, and the pieces of it that may not be found (the whole where nothing else is said)."""


def marks(spelling: str) -> tuple[str, ...]:
    """The pieces of a seed by which it would be known."""
    text, *pieces = SPELLINGS[spelling]
    return tuple(pieces) or (text,)


# --- bytes ------------------------------------------------------------------------------------------------


def el(
    tag: int, vr: str, value: bytes, syntax: str = EXPLICIT, *, pad: bool = True, length: int = -1
) -> bytes:
    """One element, as wrong as asked for."""
    if pad and len(value) % 2:
        value += b"\0" if vr in ("UI", "OB", "UN") else b" "
    length = len(value) if length < 0 else length
    order = ">" if syntax == BIG else "<"
    head = pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if syntax == IMPLICIT:
        return head + pack("<L", length) + value
    if vr in LONG:
        return head + vr.encode() + b"\0\0" + pack(order + "L", length) + value
    return head + vr.encode() + pack(order + "H", length & 0xFFFF) + value


def item(*elements: bytes, syntax: str = EXPLICIT, undefined: bool = False) -> bytes:
    """One item."""
    content, order = b"".join(elements), ">" if syntax == BIG else "<"
    if undefined:
        return (
            pack(order + "HHL", 0xFFFE, 0xE000, UNDEFINED) + content + pack(order + "HHL", 0xFFFE, 0xE00D, 0)
        )
    return pack(order + "HHL", 0xFFFE, 0xE000, len(content)) + content


def sq(tag: int, *items: bytes, syntax: str = EXPLICIT, undefined: bool = False, vr: str = "SQ") -> bytes:
    """One sequence."""
    content, order = b"".join(items), ">" if syntax == BIG else "<"
    if undefined:
        end = pack(order + "HHL", 0xFFFE, 0xE0DD, 0)
        return el(tag, vr, content + end, syntax, pad=False, length=UNDEFINED)
    return el(tag, vr, content, syntax)


def deep(levels: int, *elements: bytes, tag: int = 0x00082218) -> bytes:
    """Elements in sequences within sequences; by default of codes, which the table doesn't list."""
    inner = b"".join(elements)
    for level in range(levels):
        inner = sq(tag if level == levels - 1 else 0x00540220, item(inner), undefined=level % 2 == 1)
    return inner


def encapsulated(*fragments: bytes, table: bytes = b"") -> bytes:
    """Pixel data of one frame a fragment."""
    parts = b"".join(item(fragment + b"\0" * (len(fragment) % 2)) for fragment in (table, *fragments))
    return el(0x7FE00010, "OB", parts + pack("<HHL", 0xFFFE, 0xE0DD, 0), pad=False, length=UNDEFINED)


def meta(syntax: str, sop_class: str, *more: bytes, instance: bytes = b"1.2.752.4711.3") -> bytes:
    """File meta information with more than it should have."""
    group = (
        el(0x00020001, "OB", b"\0\1") + el(0x00020002, "UI", sop_class.encode()) + el(0x00020003, "UI", instance)
        + el(0x00020010, "UI", syntax.encode()) + b"".join(more)
    )  # fmt: skip
    return el(0x00020000, "UL", pack("<L", len(group))) + group


SIZE = 16
PIXELS = el(0x7FE00010, "OW", bytes(2 * SIZE * SIZE))


def header(
    extra: dict[int, bytes] | None = None, *, syntax: str = EXPLICIT, sop_class: str = CT, bits: int = 16,
    charset: bytes = b"ISO_IR 100", modality: bytes = b"CT", frames: int = 1,
) -> bytes:  # fmt: skip
    """A data set up to its pixel data; ``extra`` are whole elements, which replace or join those there are."""
    short = (lambda number: pack(">H", number)) if syntax == BIG else (lambda number: pack("<H", number))
    every = {
        0x00080005: el(0x00080005, "CS", charset, syntax),
        0x00080008: el(0x00080008, "CS", b"ORIGINAL\\PRIMARY\\AXIAL", syntax),
        0x00080016: el(0x00080016, "UI", sop_class.encode(), syntax),
        0x00080018: el(0x00080018, "UI", b"1.2.752.4711.3", syntax),
        0x00080060: el(0x00080060, "CS", modality, syntax),
        0x00080070: el(0x00080070, "LO", b"Acme", syntax),
        **{tag: el(tag, vr, value, syntax) for tag, (vr, value) in IDENTITY.items()},
        0x0020000D: el(0x0020000D, "UI", b"1.2.752.4711.1", syntax),
        0x0020000E: el(0x0020000E, "UI", b"1.2.752.4711.2", syntax),
        0x00280002: el(0x00280002, "US", short(1), syntax),
        0x00280004: el(0x00280004, "CS", b"MONOCHROME2", syntax),
        0x00280008: el(0x00280008, "IS", str(frames).encode(), syntax),
        0x00280010: el(0x00280010, "US", short(SIZE), syntax),
        0x00280011: el(0x00280011, "US", short(SIZE), syntax),
        0x00280100: el(0x00280100, "US", short(bits), syntax),
        0x00280301: el(0x00280301, "CS", b"NO", syntax),
    }
    if charset == b"none":
        del every[0x00080005]
    every |= extra or {}
    return b"".join(every[tag] for tag in sorted(every))


def file(
    body: bytes, *, syntax: str = EXPLICIT, sop_class: str = CT, group2: tuple[bytes, ...] = (),
    preamble: bytes = b"", pixels: bytes = PIXELS, after: bytes = b"", instance: bytes = b"1.2.752.4711.3",
) -> bytes:  # fmt: skip
    """A whole file."""
    if (syntax == IMPLICIT and pixels is PIXELS) or (syntax == BIG and pixels is PIXELS):
        pixels = el(0x7FE00010, "OW", bytes(2 * SIZE * SIZE), syntax)
    data_set = body + pixels + after
    if syntax == DEFLATED:
        squeezer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        data_set = squeezer.compress(data_set) + squeezer.flush()
    head = preamble[:128].ljust(128, b"\0") + b"DICM"
    return head + meta(syntax, sop_class, *group2, instance=instance) + data_set


def compressed(format_: str, **options: object) -> bytes:
    """A grey square as JPEG or JPEG 2000."""
    out = BytesIO()
    Image.new("L", (SIZE, SIZE), 90).save(out, format_, **options)
    return out.getvalue()


_JPEG, _J2K = compressed("JPEG"), compressed("JPEG2000", no_jp2=True)
_JP2 = compressed("JPEG2000", no_jp2=False)


def jpeg(marker: int, payload: bytes, *, at_end: bool = False) -> bytes:
    """The square with one more marker segment, after the start of image or before its end."""
    segment = pack(">BBH", 0xFF, marker, len(payload) + 2) + payload
    where = len(_JPEG) - 2 if at_end else 2
    return _JPEG[:where] + segment + _JPEG[where:]


def j2k(payload: bytes, *, kind: int = 1) -> bytes:
    """The square with one more comment in its main header, behind SIZ."""
    where = 4 + int.from_bytes(_J2K[4:6], "big")
    return _J2K[:where] + pack(">BBHH", 0xFF, 0x64, len(payload) + 4, kind) + payload + _J2K[where:]


def jp2(box: bytes, payload: bytes) -> bytes:
    """The square in boxes, with one more of them before the code stream."""
    where = _JP2.index(b"jp2c") - 4
    return _JP2[:where] + pack(">L", len(payload) + 8) + box + payload + _JP2[where:]


# --- places -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a seed is sown.

    Attributes:
        name: For the test's name.
        sow: A file with the seed (latin-1 bytes) there.
        held: The only reasons for which such a file may be held; empty if it must come out.
    """

    name: str
    sow: Callable[[bytes], bytes]
    held: frozenset[str] = frozenset()


PLACES: list[Place] = []
VERIFIED = frozenset({"verification-failed"})
DAMAGED = frozenset({"dicom-unreadable"})


def _place(name: str, sow: Callable[[bytes], bytes], *held: str) -> None:
    PLACES.append(Place(name, sow, frozenset(held)))


def _utf8(seed: bytes) -> bytes:
    return seed.decode("latin-1").encode()


def _in_meta() -> None:
    _place("preamble", lambda s: file(header(), preamble=s))
    _place("preamble, a TIFF's", lambda s: file(header(), preamble=b"II*\0\x08\0\0\0" + s))
    for tag in (0x00020016, 0x00020017, 0x00020018):
        _place(
            f"file meta {tag:08X}, AE title", lambda s, t=tag: file(header(), group2=(el(t, "AE", s[:16]),))
        )
    _place(
        "file meta, implementation version", lambda s: file(header(), group2=(el(0x00020013, "SH", s[:16]),))
    )
    _place(
        "file meta, private information",
        lambda s: file(header(), group2=(el(0x00020100, "UI", b"1.2.752.4711.6"), el(0x00020102, "OB", s))),
    )
    _place("file meta, an unknown element", lambda s: file(header(), group2=(el(0x00020099, "LO", s),)))
    _place("file meta, presentation address", lambda s: file(header(), group2=(el(0x00020026, "UR", s),)))
    _place("file meta, SOP instance", lambda s: file(header(), instance=s))


def _in_groups() -> None:
    _place("group 0000", lambda s: file(el(0x00000600, "AE", s) + header()), "dicom-unreadable", "not-dicom")
    _place("group 0004, file-set id", lambda s: file(el(0x00041130, "CS", s) + header()))
    _place(
        "group 0004, records",
        lambda s: file(
            sq(0x00041220, item(el(0x00041430, "CS", b"PATIENT"), el(0x00100010, "PN", s))) + header()
        ),
    )
    _place(
        "group length of 4 bytes", lambda s: file(header({0x00100000: el(0x00100000, "UL", s[:4].ljust(4))}))
    )
    _place("group length, long", lambda s: file(header({0x00100000: el(0x00100000, "UL", s.ljust(12))})))
    _place("group length that is text", lambda s: file(header({0x00200000: el(0x00200000, "LO", s)})))
    _place("data set trailing padding", lambda s: file(header(), after=el(0xFFFCFFFC, "OB", s)))
    _place("trailing padding before the pixels", lambda s: file(header() + el(0xFFFCFFFC, "OB", s)))
    _place(
        "a signature after the pixels",
        lambda s: file(
            header(),
            after=sq(
                0xFFFAFFFA,
                item(
                    el(0x04000115, "OB", s), el(0x04000105, "DT", b"20240115101500"), el(0x00100010, "PN", s)
                ),
            ),
        ),
    )
    _place("bytes after the pixels", lambda s: file(header(), after=s))
    _place(
        "a private element after the pixels",
        lambda s: file(header(), after=el(0x7FE10010, "LO", s) + el(0x7FE11001, "OB", s)),
    )
    _place("an older group after the pixels", lambda s: file(header(), after=el(0x00100010, "PN", s)))
    _place(
        "zeros, then text",
        lambda s: file(header(), pixels=b"", after=b"\0" * 64 + s),
        "dicom-unreadable",
        "pixel-data-truncated",
    )
    _place("an odd group that nobody reserved", lambda s: file(header({0x00131001: el(0x00131001, "LO", s)})))
    _place("group FFFF", lambda s: file(header() + el(0xFFFF0001, "LO", s)))


def _in_private() -> None:
    _place("private creator", lambda s: file(header({0x00090010: el(0x00090010, "LO", s)})))
    for vr in ("LO", "UN", "OB", "UT", "PN", "US", "DA", "UI", "AE"):
        _place(
            f"private {vr}",
            lambda s, v=vr: file(
                header({0x00090010: el(0x00090010, "LO", b"ACME 1.0"), 0x00091001: el(0x00091001, v, s)})
            ),
        )
    _place(
        "private sequence",
        lambda s: file(
            header(
                {
                    0x00090010: el(0x00090010, "LO", b"ACME 1.0"),
                    0x00091001: sq(0x00091001, item(el(0x00100010, "PN", s)), undefined=True),
                }
            )
        ),
    )
    _place(
        "private UN sequence of undefined length",
        lambda s: file(
            header(
                {0x00091001: sq(0x00091001, item(el(0x00100010, "PN", s, IMPLICIT)), undefined=True, vr="UN")}
            )
        ),
    )
    _place(
        "a private sequence that is said to be safe",
        lambda s: file(
            header(
                {
                    0x00080300: sq(
                        0x00080300,
                        item(
                            el(0x00080301, "US", b"\x09\0"),
                            el(0x00080302, "LO", b"ACME 1.0"),
                            el(0x00080303, "CS", b"SAFE"),
                            el(0x00080304, "US", b"\x01\0"),
                        ),
                    ),
                    0x00090010: el(0x00090010, "LO", b"ACME 1.0"),
                    0x00091001: el(0x00091001, "LO", s),
                }
            )
        ),
    )
    for creator, tag, vr in (
        ("SIEMENS CSA HEADER", 0x00291010, "OB"),
        ("SIEMENS MR HEADER", 0x0019100C, "IS"),
        ("GEMS_ACQU_01", 0x0019109E, "LO"),
        ("Philips Imaging DD 001", 0x20011003, "FL"),
        ("SIEMENS MR HEADER", 0x0019100E, "FD"),
        ("Philips Imaging DD 001", 0x20011008, "IS"),
        ("GEMS_PARM_01", 0x00431039, "IS"),
        ("SIEMENS MED NM", 0x00331010, "LO"),
    ):
        block = tag & 0xFFFF0000 | 0x10
        _place(
            f"well known private {creator} {tag:08X}",
            lambda s, c=creator, t=tag, v=vr, b=block: file(
                header({b: el(b, "LO", c.encode()), t: el(t, v, s)})
            ),
        )
    _place(
        "private in a standard sequence",
        lambda s: file(
            header(
                {
                    0x00081140: sq(
                        0x00081140,
                        item(
                            el(0x00081155, "UI", b"1.2.752.4711.5"),
                            el(0x00090010, "LO", b"ACME"),
                            el(0x00091001, "LO", s),
                        ),
                    )
                }
            )
        ),
    )
    _place(
        "private three deep",
        lambda s: file(header({0x00082218: deep(3, el(0x00090010, "LO", s), el(0x00091001, "UN", s))})),
    )


TEXTS = (
    (0x00081030, "LO", "study description"), (0x0008103E, "LO", "series description"),
    (0x00181030, "LO", "protocol name"), (0x00420010, "ST", "document title"),
    (0x00104000, "LT", "patient comments"), (0x00204000, "LT", "image comments"),
    (0x00189424, "LT", "acquisition protocol description"), (0x00082111, "ST", "derivation description"),
    (0x00281055, "LO", "window explanation"), (0x00180010, "LO", "contrast agent"),
    (0x00321060, "LO", "requested procedure description"), (0x00321064, "SQ", "requested procedure code"),
    (0x00400254, "LO", "performed step description"), (0x00402016, "LO", "placer order number"),
    (0x00081010, "SH", "station name"), (0x00081090, "LO", "model name"), (0x00181020, "LO", "software versions"),
    (0x00080070, "LO", "manufacturer"), (0x00181000, "LO", "device serial number"), (0x00100015, "LO", "a 2026 name"),
    (0x0040E012, "UR", "display URI"), (0x00400244, "DA", "a date"), (0x00080022, "DA", "acquisition date"),
    (0x00080032, "TM", "acquisition time"), (0x0008002A, "DT", "acquisition date and time"),
    (0x00101010, "AS", "age"), (0x00200052, "UI", "frame of reference"), (0x00081250, "SQ", "a related series"),
    (0x00181210, "SH", "kernel"), (0x00180024, "SH", "sequence name"), (0x00080068, "CS", "presentation intent"),
    (0x00180015, "CS", "body part"), (0x00180022, "CS", "scan options"), (0x00185100, "CS", "patient position"),
    (0x00200060, "CS", "laterality"), (0x00080201, "SH", "offset from UTC"), (0x00189036, "UC", "UC of a coil"),
    (0x00281199, "UI", "palette UID"), (0x00020001, "OB", "group 2 in the data set"),
    (0x00700080, "CS", "content label"), (0x00700081, "LO", "content description"),
    (0x00189314, "CS", "kernel group"), (0x00209056, "SH", "stack id"), (0x0040A160, "UT", "text value"),
    (0x0040A123, "PN", "person name"), (0x00700006, "ST", "unformatted text"), (0x00380500, "LO", "patient state"),
    (0x00102180, "SH", "occupation"), (0x00104001, "LT", "an element of no dictionary"),
    (0x00080001, "UL", "length to end"), (0x00281200, "US", "an old palette"),
    (0x00189004, "CS", "content qualification"),
)  # fmt: skip


def _in_texts() -> None:
    for tag, vr, name in TEXTS:
        if vr == "SQ":
            code = (el(0x00080100, "SH", b"1"), el(0x00080102, "SH", b"99X"))
            _place(
                f"code meaning of {name}",
                lambda s, t=tag, c=code: file(header({t: sq(t, item(*c, el(0x00080104, "LO", s)))})),
                "verification-failed",
            )
            _place(
                f"code value of {name}",
                lambda s, t=tag: file(
                    header({t: sq(t, item(el(0x00080100, "SH", s[:16]), el(0x00080102, "SH", b"99X")))})
                ),
                "verification-failed",
            )
            _place(
                f"long code value of {name}",
                lambda s, t=tag: file(
                    header({t: sq(t, item(el(0x00080119, "UC", s), el(0x00080102, "SH", b"99X")))})
                ),
                "verification-failed",
            )
            _place(
                f"URN code value of {name}",
                lambda s, t=tag: file(
                    header({t: sq(t, item(el(0x00080120, "UR", s), el(0x00080104, "LO", b"Head")))})
                ),
                "verification-failed",
            )
            continue
        _place(name, lambda s, t=tag, v=vr: file(header({t: el(t, v, s)})), "verification-failed")
        if tag not in (0x00020001, 0x00080001):
            _place(
                f"{name}, three deep",
                lambda s, t=tag, v=vr: file(header({0x00082218: deep(3, el(t, v, s))})),
                "verification-failed",
            )


LIES = (
    (0x0008103E, "UN", "series description as UN"),
    (0x0008103E, "OB", "series description as OB"),
    (0x0008103E, "US", "series description as US"),
    (0x0008103E, "FD", "series description as FD"),
    (0x0008103E, "IS", "series description as IS"),
    (0x0008103E, "UI", "series description as UI"),
    (0x0008103E, "SQ", "series description as SQ"),
    (0x0008103E, "CS", "series description as CS"),
    (0x0008103E, "OW", "series description as OW"),
    (0x0008103E, "AT", "series description as AT"),
    (0x0008103E, "TM", "series description as TM"),
    (0x00100010, "UN", "name as UN"),
    (0x00100010, "OW", "name as OW"),
    (0x00280010, "LO", "rows as LO"),
    (0x00181151, "LO", "tube current as LO"),
    (0x00181151, "IS", "tube current"),
    (0x00180060, "DS", "kVp"),
    (0x00200013, "IS", "instance number"),
    (0x00200012, "IS", "acquisition number"),
    (0x00180050, "DS", "slice thickness"),
    (0x00280106, "US", "smallest pixel value, US"),
    (0x00280106, "OW", "smallest pixel value, OW"),
    (0x00189087, "FD", "b-value"),
    (0x00189089, "FD", "gradient"),
    (0x00181271, "FL", "a water equivalent"),
    (0x00081140, "LO", "a sequence as LO"),
    (0x00081140, "UT", "a sequence as UT"),
    (0x00081140, "OB", "a sequence as OB"),
    (0x00081140, "UN", "a sequence as UN without items"),
    (0x00181063, "DS", "frame time"),
    (0x00280301, "CS", "burned in annotation"),
    (0x00200032, "DS", "position"),
    (0x00280008, "LT", "number of frames as LT"),
)


def _in_lies() -> None:
    for tag, vr, name in LIES:
        reasons = ("dicom-unreadable", "pixel-data-truncated", "verification-failed", "burned-in-text-risk")
        _place(name, lambda s, t=tag, v=vr: file(header({t: el(t, v, s)})), *reasons)
    _place(
        "one letter too many (odd length)",
        lambda s: file(header({0x0008103E: el(0x0008103E, "LO", s + b" " * (1 - len(s) % 2), pad=False)})),
        "dicom-unreadable",
    )
    _place(
        "a palette",
        lambda s: file(header({0x00281201: el(0x00281201, "OW", s.ljust(512, b"\0"))})),
        "verification-failed",
    )
    _place(
        "a palette's first bytes",
        lambda s: file(header({0x00281201: el(0x00281201, "OW", s)})),
        "verification-failed",
    )
    _place(
        "an ICC profile",
        lambda s: file(header({0x00282000: el(0x00282000, "OB", bytes(128) + s)})),
        "verification-failed",
    )
    _place(
        "LUT explanation",
        lambda s: file(
            header(
                {
                    0x00283000: sq(
                        0x00283000,
                        item(
                            el(0x00283002, "US", b"\0\1\0\0\x10\0"),
                            el(0x00283003, "LO", s),
                            el(0x00283006, "OW", bytes(512)),
                        ),
                    )
                }
            )
        ),
        "verification-failed",
    )
    _place("behind a NUL", lambda s: file(header({0x0008103E: el(0x0008103E, "LO", b"T1\0\0" + s)})))
    _place(
        "behind a NUL in a number",
        lambda s: file(header({0x00180050: el(0x00180050, "DS", b"3\0" + s)})),
        "verification-failed",
    )
    _place(
        "behind a NUL in a UID",
        lambda s: file(header({0x00081150: el(0x00081150, "UI", CT.encode() + b"\0" + s)})),
    )
    _place(
        "a UID below DICOM's root",
        lambda s: file(header({0x00081150: el(0x00081150, "UI", b"1.2.840.10008." + s)})),
    )
    _place(
        "a UID below HL7's root",
        lambda s: file(header({0x0008010C: el(0x0008010C, "UI", b"2.16.840.1.113883.6." + s)})),
    )
    _place("a UID that isn't one", lambda s: file(header({0x00200052: el(0x00200052, "UI", s)})))
    _place("a date that isn't one", lambda s: file(header({0x00080020: el(0x00080020, "DA", s)})))
    _place(
        "a zone that isn't one",
        lambda s: file(header({0x0008002A: el(0x0008002A, "DT", b"20240101101500+" + s)})),
    )
    _place(
        "a value of many",
        lambda s: file(header({0x00080008: el(0x00080008, "CS", b"ORIGINAL\\PRIMARY\\AXIAL\\" + s[:16])})),
        "verification-failed",
    )
    _place(
        "a number of many",
        lambda s: file(header({0x00280030: el(0x00280030, "DS", b"1\\" + s[:16])})),
        "verification-failed",
    )
    _place("an age of many", lambda s: file(header({0x00101010: el(0x00101010, "AS", b"045Y\\" + s)})))
    _place(
        "the SOP class of many",
        lambda s: file(header({0x00080016: el(0x00080016, "UI", CT.encode() + b"\\" + s)})),
    )
    _place("behind the pseudonym", lambda s: file(header({0x00100020: el(0x00100020, "LO", b"X\\" + s)})))


def _in_structure() -> None:
    _place(
        "twice, the second",
        lambda s: file(header({0x00081030: el(0x00081030, "LO", b"CT Thorax") + el(0x00081030, "LO", s)})),
    )
    _place(
        "twice, the first",
        lambda s: file(header({0x00081030: el(0x00081030, "LO", s) + el(0x00081030, "LO", b"CT Thorax")})),
    )
    _place("a name out of order", lambda s: file(header() + el(0x00100010, "PN", s)))
    _place(
        "a second SOP class, later",
        lambda s: file(header() + el(0x00080016, "UI", s)),
        "sop-class-unknown",
        "no-sop-class",
    )
    _place(
        "content of an item's delimiter",
        lambda s: file(
            header(
                {
                    0x00081140: el(
                        0x00081140,
                        "SQ",
                        pack("<HHL", 0xFFFE, 0xE000, UNDEFINED)
                        + el(0x00081155, "UI", b"1.2.3")
                        + pack("<HHL", 0xFFFE, 0xE00D, len(s))
                        + s
                        + pack("<HHL", 0xFFFE, 0xE0DD, 0),
                        pad=False,
                        length=UNDEFINED,
                    )
                }
            )
        ),
        "dicom-unreadable",
    )
    _place(
        "content of a sequence's delimiter",
        lambda s: file(
            header(
                {
                    0x00081140: el(
                        0x00081140,
                        "SQ",
                        item(el(0x00081155, "UI", b"1.2.3")) + pack("<HHL", 0xFFFE, 0xE0DD, len(s)) + s,
                        pad=False,
                        length=UNDEFINED,
                    )
                }
            )
        ),
        "dicom-unreadable",
        "not-dicom",
        "no-series",
        "pixel-data-truncated",
    )
    _place(
        "bytes in a sequence without an item",
        lambda s: file(header({0x00081140: el(0x00081140, "SQ", s)})),
        "dicom-unreadable",
    )
    _place(
        "bytes behind a sequence's items",
        lambda s: file(header({0x00081140: el(0x00081140, "SQ", item(el(0x00081155, "UI", b"1.2.3")) + s)})),
        "dicom-unreadable",
    )
    _place(
        "a thirty-levels-deep name", lambda s: file(header({0x00082218: deep(30, el(0x00100010, "PN", s))}))
    )
    _place(
        "a sequence in an empty item's neighbour",
        lambda s: file(
            header({0x00081140: sq(0x00081140, item(), item(el(0x0008103E, "LO", s)), undefined=True)})
        ),
    )
    _place(
        "UN sequence of implicit VR",
        lambda s: file(
            header(
                {
                    0x00081140: sq(
                        0x00081140,
                        item(el(0x0008103E, "LO", s, IMPLICIT), el(0x00100010, "PN", s, IMPLICIT)),
                        vr="UN",
                        undefined=True,
                    )
                }
            )
        ),
    )
    _place(
        "UN sequence of known length",
        lambda s: file(
            header({0x00081140: sq(0x00081140, item(el(0x0008103E, "LO", s, IMPLICIT)), vr="UN")})
        ),
    )
    _place(
        "a text in UN of undefined length",
        lambda s: file(
            header(
                {0x0008103E: sq(0x0008103E, item(el(0x00100010, "PN", s, IMPLICIT)), vr="UN", undefined=True)}
            )
        ),
    )
    for syntax, name in ((IMPLICIT, "implicit VR"), (BIG, "big endian"), (DEFLATED, "deflated")):
        inner = EXPLICIT if syntax == DEFLATED else syntax
        _place(
            f"a description in {name}",
            lambda s, x=syntax, i=inner: file(
                header({0x0008103E: el(0x0008103E, "LO", s, i)}, syntax=i), syntax=x
            ),
        )
        _place(
            f"a nested comment in {name}",
            lambda s, x=syntax, i=inner: file(
                header(
                    {
                        0x00082218: sq(
                            0x00082218, item(el(0x00204000, "LT", s, i), syntax=i), syntax=i, undefined=True
                        )
                    },
                    syntax=i,
                ),
                syntax=x,
            ),
        )
        _place(
            f"an unknown element in {name}",
            lambda s, x=syntax, i=inner: file(
                header({0x00189AAA: el(0x00189AAA, "LO", s, i)}, syntax=i), syntax=x
            ),
        )
    _place("behind the deflated stream", lambda s: file(header(), syntax=DEFLATED) + s)
    _place(
        "explicit VR that is declared implicit",
        lambda s: file(header({0x0008103E: el(0x0008103E, "LO", s)}), group2=()).replace(
            EXPLICIT.encode() + b"\0", IMPLICIT.encode() + b"\0\0\0", 1
        ),
    )


def _in_objects() -> None:
    _place(
        "enhanced: frame comments",
        lambda s: file(
            header(
                {
                    0x52009230: sq(
                        0x52009230,
                        item(
                            sq(
                                0x00209111,
                                item(
                                    el(0x00209158, "LT", s),
                                    el(0x00189074, "DT", b"20240115101500"),
                                    el(0x00209453, "LO", s),
                                ),
                            )
                        ),
                    )
                },
                sop_class=ENHANCED_CT,
            ),
            sop_class=ENHANCED_CT,
        ),
    )
    _place(
        "enhanced: derivation image",
        lambda s: file(
            header(
                {
                    0x52009229: sq(
                        0x52009229,
                        item(
                            sq(
                                0x00089124,
                                item(el(0x00082111, "ST", s), sq(0x00082112, item(el(0x00081155, "UI", s)))),
                            )
                        ),
                    )
                },
                sop_class=ENHANCED_CT,
            ),
            sop_class=ENHANCED_CT,
        ),
        "verification-failed",
    )
    _place(
        "enhanced: private functional group",
        lambda s: file(
            header(
                {
                    0x52009230: sq(
                        0x52009230,
                        item(el(0x00210010, "LO", b"ACME"), sq(0x00211001, item(el(0x00211002, "LO", s)))),
                    )
                },
                sop_class=ENHANCED_CT,
            ),
            sop_class=ENHANCED_CT,
        ),
    )
    _place(
        "enhanced: names of dimensions",
        lambda s: file(
            header(
                {
                    0x00209222: sq(
                        0x00209222,
                        item(el(0x00209421, "LO", s), el(0x00209213, "LO", s), el(0x00209238, "LO", s)),
                    )
                },
                sop_class=ENHANCED_CT,
            ),
            sop_class=ENHANCED_CT,
        ),
        "verification-failed",
    )
    UNLABELLED = {
        0x00080008: el(0x00080008, "CS", b"ORIGINAL\\PRIMARY\\VOLUME"),
        0x00480010: el(0x00480010, "CS", b"NO"),
    }
    for tag, vr, name in (
        (0x00400551, "LO", "identifier"),
        (0x00400560, "SQ", "description"),
        (0x00400512, "LO", "container"),
        (0x00400600, "LO", "short description"),
        (0x00400602, "UT", "detailed description"),
    ):
        slide = lambda body: file(body, sop_class=SLIDE)
        if tag == 0x00400512:
            _place(
                f"slide: {name}",
                lambda s, t=tag, f=slide: f(
                    header({t: el(t, "LO", s)} | UNLABELLED, sop_class=SLIDE, modality=b"SM")
                ),
            )
            continue
        inner = lambda s, t=tag, v=vr: (
            el(t, "UC" if v == "SQ" else v, s)
            if v != "SQ"
            else sq(
                0x00400610, item(sq(0x00400612, item(el(0x0040A040, "CS", b"TEXT"), el(0x0040A160, "UT", s))))
            )
        )
        _place(
            f"slide: specimen {name}",
            lambda s, i=inner, f=slide: f(
                header({0x00400560: sq(0x00400560, item(i(s)))} | UNLABELLED, sop_class=SLIDE, modality=b"SM")
            ),
            "verification-failed",
        )
    for group in (0x6000, 0x6002, 0x601E):
        base = group << 16
        _place(
            f"overlay {group:04X}: text",
            lambda s, b=base: file(
                header(
                    {
                        b | 0x22: el(b | 0x22, "LO", s),
                        b | 0x1500: el(b | 0x1500, "LO", s),
                        b | 0x4000: el(b | 0x4000, "LT", s),
                    }
                )
            ),
        )
        _place(
            f"overlay {group:04X}: bits",
            lambda s, b=base: file(
                header(
                    {b | 0x10: el(b | 0x10, "US", b"\x10\0"), b | 0x3000: el(b | 0x3000, "OW", s.ljust(32))}
                )
            ),
        )
    _place("overlay after the pixels", lambda s: file(header(), after=el(0x60FF3000, "OW", s)))
    _place("curve: data", lambda s: file(header({0x50003000: el(0x50003000, "OW", s)})))
    _place("curve: description", lambda s: file(header({0x50000022: el(0x50000022, "LO", s)})))
    _place(
        "icon: pixels",
        lambda s: file(
            header(
                {
                    0x00880200: sq(
                        0x00880200, item(el(0x00280010, "US", b"\x08\0"), el(0x7FE00010, "OW", s.ljust(64)))
                    )
                }
            )
        ),
    )
    _place("icon: name", lambda s: file(header({0x00880200: sq(0x00880200, item(el(0x00100010, "PN", s)))})))
    _place("pixels of a nested image", lambda s: file(header({0x00082218: deep(2, el(0x7FE00010, "OW", s))})))
    _place(
        "encapsulated document in an image",
        lambda s: file(
            header(
                {
                    0x00420011: el(0x00420011, "OB", b"%PDF" + s),
                    0x00420012: el(0x00420012, "LO", b"application/pdf"),
                }
            )
        ),
    )
    _place(
        "waveform in an image",
        lambda s: file(
            header({0x54000100: sq(0x54000100, item(el(0x003A0203, "SH", s[:16]), el(0x54001010, "OW", s)))})
        ),
        "verification-failed",
    )
    _place(
        "content of a report in an image",
        lambda s: file(
            header(
                {
                    0x0040A730: sq(
                        0x0040A730,
                        item(
                            el(0x0040A040, "CS", b"PNAME"),
                            el(0x0040A123, "PN", s),
                            el(0x0040A160, "UT", s),
                            el(0x0040A121, "DA", b"20240115"),
                            sq(0x0040A730, item(el(0x0040A160, "UT", s))),
                        ),
                    )
                }
            )
        ),
        "verification-failed",
    )
    _place(
        "graphic annotation in an image",
        lambda s: file(
            header({0x00700001: sq(0x00700001, item(sq(0x00700008, item(el(0x00700006, "ST", s)))))})
        ),
    )
    _place(
        "a log of who was asked",
        lambda s: file(
            header(
                {
                    0x00400275: sq(
                        0x00400275,
                        item(el(0x00400007, "LO", s), el(0x00401001, "SH", s[:16]), el(0x00321060, "LO", s)),
                    )
                }
            )
        ),
        "verification-failed",
    )
    _place(
        "originals of changed attributes",
        lambda s: file(
            header(
                {
                    0x04000561: sq(
                        0x04000561,
                        item(el(0x04000563, "LO", s), sq(0x04000550, item(el(0x00100010, "PN", s)))),
                    )
                }
            )
        ),
    )
    _place(
        "encrypted attributes",
        lambda s: file(header({0x04000500: sq(0x04000500, item(el(0x04000520, "OB", s)))})),
    )
    _place(
        "a report",
        lambda s: file(
            header(
                {0x0040A730: sq(0x0040A730, item(el(0x0040A160, "UT", s)))},
                sop_class="1.2.840.10008.5.1.4.1.1.88.11",
            ),
            sop_class="1.2.840.10008.5.1.4.1.1.88.11",
            pixels=b"",
        ),
        "sop-class-not-allowed",
        "pixel-data-truncated",
    )
    _place(
        "an encapsulated PDF",
        lambda s: file(
            header(
                {0x00420011: el(0x00420011, "OB", b"%PDF" + s)}, sop_class="1.2.840.10008.5.1.4.1.1.104.1"
            ),
            sop_class="1.2.840.10008.5.1.4.1.1.104.1",
            pixels=b"",
        ),
        "sop-class-not-allowed",
        "pixel-data-truncated",
    )
    _place(
        "a DICOMDIR",
        lambda s: file(
            header(
                {0x00041220: sq(0x00041220, item(el(0x00100010, "PN", s)))}, sop_class="1.2.840.10008.1.3.10"
            ),
            sop_class="1.2.840.10008.1.3.10",
        ),
        "sop-class-not-allowed",
        "sop-class-unknown",
    )
    _place(
        "an unknown SOP class",
        lambda s: file(header({0x00080016: el(0x00080016, "UI", b"1.2.752.99.1")})),
        "sop-class-unknown",
    )


def _in_charsets() -> None:
    def text(charset: bytes, turn: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
        return lambda s: file(
            header(
                {0x0008103E: el(0x0008103E, "LO", turn(s)), 0x00204000: el(0x00204000, "LT", turn(s))},
                charset=charset,
            )
        )

    shift = b'\x1b$B$"\x1b(B'
    for name, charset, turn in (
        ("UTF-8", b"ISO_IR 192", _utf8),
        ("UTF-8 that isn't", b"ISO_IR 192", lambda s: s + b"\xe5\xe4"),
        ("UTF-8 without a declaration", b"none", _utf8),
        ("latin-1 without a declaration", b"none", lambda s: s),
        ("GB18030", b"GB18030", lambda s: s.decode("latin-1").encode("gb18030")),
        ("GBK", b"GBK", lambda s: "北".encode("gbk") + s.decode("latin-1").encode("gb18030")),
        ("ISO 2022, kanji before", b"\\ISO 2022 IR 87", lambda s: shift + s),
        (
            "ISO 2022, escapes in the middle",
            b"ISO 2022 IR 6\\ISO 2022 IR 100",
            lambda s: s[:3] + b"\x1b-A" + s[3:],
        ),
        ("ISO 2022, escape without a declaration", b"ISO_IR 100", lambda s: s[:3] + b"\x1b(B" + s[3:]),
        ("ISO 2022, a cut escape", b"\\ISO 2022 IR 87", lambda s: s + b"\x1b$"),
        ("Greek", b"ISO_IR 126", lambda s: s),
        ("Hebrew", b"ISO_IR 138", lambda s: s),
        ("Korean", b"\\ISO 2022 IR 149", lambda s: b"\x1b$)C" + s),
        ("an unknown name", b"ISO_IR 999", lambda s: s),
        ("nonsense", b"LATIN ONE", lambda s: s),
        (
            "wide letters",
            b"ISO_IR 192",
            lambda s: "".join(
                chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in s.decode("latin-1")
            ).encode(),
        ),
        (
            "accents apart",
            b"ISO_IR 192",
            lambda s: s.decode("latin-1").replace("ö", "o\u0308").replace("ä", "a\u0308").encode(),
        ),
        ("zero-width characters", b"ISO_IR 192", lambda s: "\u200b".join(s.decode("latin-1")).encode()),
        ("soft hyphens", b"ISO_IR 192", lambda s: "\u00ad".join(s.decode("latin-1")).encode()),
        ("UTF-16", b"ISO_IR 192", lambda s: s.decode("latin-1").encode("utf-16-le")),
    ):
        _place(f"charset: {name}", text(charset, turn), "verification-failed")
    _place(
        "in the charset itself",
        lambda s: file(header(charset=b"ISO_IR 100\\" + s[:16])),
        "verification-failed",
    )
    _place("in the charset alone", lambda s: file(header(charset=s[:16])), "verification-failed")
    _place(
        "charset of an item",
        lambda s: file(
            header({0x00082218: deep(2, el(0x00080005, "CS", b"ISO_IR 192"), el(0x0008103E, "LO", _utf8(s)))})
        ),
    )
    _place(
        "in an item's charset",
        lambda s: file(header({0x00082218: deep(2, el(0x00080005, "CS", s[:16]))})),
        "verification-failed",
    )


def _in_frames() -> None:
    head = header(bits=8)

    def grey(fragment: bytes, syntax: str = JPEG, table: bytes = b"") -> bytes:
        return file(head, syntax=syntax, pixels=encapsulated(fragment, table=table))

    _place("JPEG comment", lambda s: grey(jpeg(0xFE, s)))
    _place("JPEG comment at the end", lambda s: grey(jpeg(0xFE, s, at_end=True)))
    _place(
        "EXIF",
        lambda s: grey(jpeg(0xE1, b"Exif\0\0II*\0\x08\0\0\0\1\0\x0e\1\2\0" + pack("<LL", len(s), 26) + s)),
    )
    _place("XMP", lambda s: grey(jpeg(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x>" + s + b"</x>")))
    _place("IPTC in APP13", lambda s: grey(jpeg(0xED, b"Photoshop 3.0\0" + s)))
    _place("APP0 that is no JFIF", lambda s: grey(jpeg(0xE0, s)))
    _place("APP14 that is no Adobe", lambda s: grey(jpeg(0xEE, s)))
    _place("APP2 that is no profile", lambda s: grey(jpeg(0xE2, s)))
    _place(
        "behind an encoder's name in a JPEG comment",
        lambda s: grey(jpeg(0xFE, b"LEAD Technologies Inc. " + s)),
    )
    _place("behind JPEG's end", lambda s: grey(_JPEG + s))
    _place(
        "JPEG comment of a second frame",
        lambda s: file(header(bits=8, frames=2), syntax=JPEG, pixels=encapsulated(_JPEG, jpeg(0xFE, s))),
    )
    _place("JPEG 2000 comment", lambda s: grey(j2k(s), J2K))
    _place("JPEG 2000 comment, binary", lambda s: grey(j2k(s, kind=0), J2K))
    _place(
        "behind an encoder's name in a JPEG 2000 comment",
        lambda s: grey(j2k(b"Created by OpenJPEG " + s), J2K),
    )
    _place("behind JPEG 2000's end", lambda s: grey(_J2K + s, J2K))
    for box in (b"xml ", b"uuid", b"jp2i", b"free", b"uinf", b"asoc"):
        _place(f"JP2 box {box.decode()}", lambda s, b=box: grey(jp2(b, s), J2K))
    _place("behind JP2's end", lambda s: grey(_JP2 + s, J2K), "frames-unreadable")
    _place(
        "a fragment that is no image",
        lambda s: file(header(bits=8), syntax=JPEG, pixels=encapsulated(_JPEG, s.ljust(64))),
        "pixel-data-truncated",
        "frames-unreadable",
    )
    _place(
        "basic offset table", lambda s: grey(_JPEG, table=s.ljust(len(s) + -len(s) % 4)), "frames-unreadable"
    )
    _place(
        "extended offset table",
        lambda s: file(
            header(
                {
                    0x7FE00001: el(0x7FE00001, "OV", s.ljust(16)),
                    0x7FE00002: el(0x7FE00002, "OV", s.ljust(16)),
                },
                bits=8,
            ),
            syntax=JPEG,
            pixels=encapsulated(_JPEG),
        ),
        "frames-unreadable",
        "verification-failed",
    )
    _place(
        "behind RLE's segments",
        lambda s: file(
            header(bits=8),
            syntax=RLE,
            pixels=encapsulated(pack("<16L", 1, 64, *[0] * 14) + (b"\x81\0" * 2) + s),
        ),
        "frames-unreadable",
    )
    _place(
        "in RLE's header",
        lambda s: file(
            header(bits=8),
            syntax=RLE,
            pixels=encapsulated(pack("<2L", 1, 64) + s[:56].ljust(56, b"\0") + b"\x81\0" * 2),
        ),
        "frames-unreadable",
    )
    _place(
        "content of the pixels' delimiter",
        lambda s: file(head, syntax=JPEG, pixels=encapsulated(_JPEG)[:-4] + pack("<L", len(s)) + s),
        "dicom-unreadable",
    )
    _place(
        "more native pixels than the image has",
        lambda s: file(header(), pixels=el(0x7FE00010, "OW", bytes(2 * SIZE * SIZE) + s)),
        "frames-unreadable",
    )


def _in_more_places() -> None:
    """What an attacker thinks of second."""
    standard = {"codes": 0x00081032, "context": 0x00400555, "per frame": 0x52009230, "shared": 0x52009229,
                "specimen": 0x00400560, "optical path": 0x00480105}  # fmt: skip
    for name, outer in standard.items():
        for levels in (1, 3, 5):
            _place(
                f"{name}: every kind of text, {levels} deep",
                lambda s, o=outer, n=levels: file(
                    header(
                        {
                            o: deep(
                                n,
                                el(0x00080005, "CS", b"ISO_IR 100"), el(0x00080070, "LO", s), el(0x0008103E, "LO", s),
                                el(0x00081090, "LO", s), el(0x00090010, "LO", b"ACME"), el(0x00091001, "UN", s),
                                el(0x00100010, "PN", s), el(0x00181000, "LO", s), el(0x00181210, "SH", s),
                                el(0x00204000, "LT", s), el(0x0040A160, "UT", s),
                                tag=o,
                            )
                        }
                    )
                ),
                "verification-failed",
            )  # fmt: skip
    _place(
        "a private sequence, five deep, of undefined length",
        lambda s: file(
            header(
                {
                    0x00290010: el(0x00290010, "LO", b"SIEMENS CSA HEADER"),
                    0x00291011: deep(5, el(0x0008103E, "LO", s), el(0x00291012, "OB", s), tag=0x00291011),
                }
            )
        ),
    )
    for scheme in b"99LOCAL L  SCT DCM UCUM LN SRT UMLS RADLEX I10 IBSI RFC5646".split(b" "):
        _place(
            f"a code of {scheme.decode() or 'no scheme'}",
            lambda s, c=scheme: file(
                header(
                    {
                        0x00082218: sq(
                            0x00082218,
                            item(
                                el(0x00080100, "SH", s[:16]), el(0x00080102, "SH", c), el(0x00080119, "UC", s),
                                el(0x00080120, "UR", s), el(0x00080104, "LO", s),
                            ),
                        )
                    }
                )
            ),
        )  # fmt: skip
    _place(
        "a coding scheme and its version",
        lambda s: file(
            header(
                {
                    0x00080110: sq(
                        0x00080110,
                        item(
                            el(0x00080102, "SH", s[:16]), el(0x00080103, "SH", s[:16]), el(0x0008010C, "UI", s),
                            el(0x00080112, "LO", s), el(0x00080114, "ST", s), el(0x00080115, "ST", s),
                        ),
                    ),
                    0x00082218: sq(
                        0x00082218,
                        item(el(0x00080100, "SH", b"1"), el(0x00080102, "SH", s[:16]), el(0x00080103, "SH", s[:16])),
                    ),
                }
            )
        ),
    )  # fmt: skip
    for tag, vr, name in (
        (0x00181004, "LO", "plate id"), (0x00181007, "LO", "cassette id"), (0x00181008, "LO", "gantry id"),
        (0x0018700A, "SH", "detector id"), (0x00181009, "UT", "device identifier"), (0x00203401, "CS", "modifying device"),
        (0x00181250, "SH", "receive coil"), (0x00181251, "SH", "transmit coil"), (0x00189005, "SH", "pulse sequence"),
        (0x00181160, "SH", "filter type"), (0x00181180, "SH", "collimator"), (0x00281054, "LO", "rescale type"),
        (0x00541103, "LO", "reconstruction method"), (0x00180031, "LO", "tracer"), (0x00185010, "LO", "transducer"),
        (0x00185020, "LO", "processing function"), (0x00209421, "LO", "dimension label"),
        (0x00209213, "LO", "dimension creator"), (0x00480106, "SH", "optical path"), (0x300A00B2, "SH", "machine"),
        (0x00620009, "LO", "segment algorithm"), (0x00660031, "LO", "algorithm version"), (0x00181018, "LO", "capture device"),
        (0x0016004F, "UT", "lens make"), (0x00160051, "UT", "lens number"), (0x3010002D, "LO", "device label"),
    ):  # fmt: skip
        _place(f"device: {name}", lambda s, t=tag, v=vr: file(header({t: el(t, v, s)})))
        _place(
            f"device: {name}, many values",
            lambda s, t=tag, v=vr: file(header({t: el(t, v, b"1\\" + s + b"\\" + s)})),
        )
    for tag in (0x00281201, 0x00281202, 0x00281221, 0x00281224, 0x00283006):
        ramp = bytes(value // 2 for value in range(512))
        _place(
            f"in the middle of a smooth table {tag:08X}",
            lambda s, t=tag, r=ramp: file(header({t: el(t, "OW", r[:200] + s + r[200 + len(s) :])})),
        )
        _place(
            f"as UTF-16 in a table {tag:08X}",
            lambda s, t=tag, r=ramp: file(
                header({t: el(t, "OW", r[:200] + s.decode("latin-1").encode("utf-16-le") + r[300:])})
            ),
        )
    _place(
        "a palette that the image needs",
        lambda s: file(
            header(
                {
                    0x00280004: el(0x00280004, "CS", b"PALETTE COLOR"),
                    **{t: el(t, "US", pack("<3H", 256, 0, 16)) for t in (0x00281101, 0x00281102, 0x00281103)},
                    **{t: el(t, "OW", s.ljust(512, b"\0")) for t in (0x00281201, 0x00281202, 0x00281203)},
                }
            )
        ),
        "palette-doubtful",
    )
    for where, text in (
        ("text tag", lambda s: icc(cprt=b"text\0\0\0\0" + s + b"\0")),
        ("device description", lambda s: icc(dmdd=b"desc\0\0\0\0" + pack(">L", len(s)) + s + bytes(78))),
        ("private tag", lambda s: icc(abcd=b"data\0\0\0\0\0\0\0\0" + s)),
        ("behind the last tag", lambda s: icc() + s),
        ("reserved bytes", lambda s: icc()[:100] + s[:28].ljust(28, b"\0") + icc()[128:]),
        ("a curve", lambda s: icc(rTRC=b"curv\0\0\0\0" + pack(">L", len(s) // 2) + s[: len(s) // 2 * 2])),
        ("a colorant", lambda s: icc(rXYZ=b"XYZ \0\0\0\0" + s[:12].ljust(12, b"\0"))),
    ):
        _place(
            f"ICC profile: {where}", lambda s, t=text: file(header({0x00282000: el(0x00282000, "OB", t(s))}))
        )
    for tag, vr, name in (
        (0x00081140, "LT", "a sequence as LT"), (0x00100010, "DS", "a name as DS"), (0x00081030, "US", "LO as US"),
        (0x00420011, "UI", "a document as UI"), (0x00081030, "AE", "LO as AE"), (0x00081030, "AS", "LO as AS"),
        (0x00081030, "UR", "LO as UR"), (0x00081030, "OF", "LO as OF"), (0x00281052, "FD", "DS as FD"),
        (0x00280030, "LO", "DS as LO"), (0x00200013, "DS", "IS as DS"), (0x00201041, "UL", "DS as UL"),
        (0x00660016, "OF", "coordinates"), (0x00640009, "OF", "a grid"), (0x00660040, "OL", "an index list"),
        (0x00189089, "FD", "three doubles"), (0x00280009, "AT", "frame pointers"), (0x00281222, "UN", "a palette as UN"),
    ):  # fmt: skip
        _place(
            f"lie: {name}",
            lambda s, t=tag, v=vr: file(header({t: el(t, v, s)})),
            "dicom-unreadable",
            "verification-failed",
        )
        _place(
            f"lie: {name}, to the multiple of 24",
            lambda s, t=tag, v=vr: file(header({t: el(t, v, s.ljust(24 * (len(s) // 24 + 1), b"\0"))})),
            "dicom-unreadable",
            "verification-failed",
        )
    for tag in (0x00080008, 0x00180015, 0x00185100, 0x00080061, 0x00181140, 0x00080064):
        _place(
            f"code string {tag:08X}, in capitals",
            lambda s, t=tag: file(header({t: el(t, "CS", s.upper()[:16])})),
        )
    for tag in (0x00200013, 0x00200011, 0x00180060, 0x00280030, 0x00101030):
        _place(
            f"number {tag:08X}, digits only",
            lambda s, t=tag: file(header({t: el(t, "DS", bytes(c for c in s if c in b"0123456789"))})),
        )


def icc(**tags: bytes) -> bytes:
    """A small ICC profile of version 2, with other or more tags."""
    number = b"XYZ \0\0\0\0" + pack(">3l", 1 << 15, 1 << 16, 1 << 14)
    every: dict[str, bytes] = {
        "desc": b"desc\0\0\0\0" + pack(">L", 5) + b"grey\0" + bytes(78), "cprt": b"text\0\0\0\0none\0",
        "wtpt": number, "rXYZ": number, "rTRC": b"curv\0\0\0\0" + pack(">LH", 1, 0x0233),
    } | tags  # fmt: skip
    table, body, first = b"", b"", 132 + 12 * len(every)
    for name, data in every.items():
        table += name.encode() + pack(">LL", first + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = bytes(8) + b"\2\x10\0\0mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(88)
    return pack(">L", first + len(body)) + head[4:] + pack(">L", len(every)) + table + body


DISGUISES: dict[str, Callable[[str], str]] = {
    "percent": lambda s: quote(s), "base64": lambda s: b64encode(s.encode()).decode(),
    "hex": lambda s: s.encode().hex(), "hex, with blanks": lambda s: s.encode().hex(" "),
    "HTML": lambda s: "".join(f"&#{ord(c)};" for c in s), "quoted-printable": lambda s: quopri.encodestring(s.encode()).decode(),
    "spelt out": lambda s: " ".join(s), "spelt out with points": lambda s: ".".join(s), "backwards": lambda s: s[::-1],
    "in brackets": lambda s: f"[{s}]", "between words": lambda s: f"thorax{s}thorax", "between signs": lambda s: f"T1_{s}_ax",
    "as a path": lambda s: f"/images/{s}/ax.dcm", "as a URL": lambda s: f"https://ris.invalid/p?name={s}",
    "no-break spaces": lambda s: s.replace(" ", "\u00a0"), "en dashes": lambda s: s.replace("-", "\u2013"),
    "wide": lambda s: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in s),
    "accents apart": lambda s: normalize("NFD", s), "zero width": lambda s: "\u200b".join(s),
    "soft hyphens": lambda s: "\u00ad".join(s), "right to left": lambda s: "\u202e" + s, "each a value": lambda s: "\\".join(s),
    "words as values": lambda s: s.replace(" ", "\\"), "after a control": lambda s: f"ax\x1b(B{s}", "with NULs": lambda s: "\0".join(s),
}  # fmt: skip
"""Ways to write a seed such that it isn't there as it is and can be read all the same."""

DISGUISED: dict[str, str] = {
    "name": "Annbritt Björklundh", "number": "19121212-1212", "HSA-id": "SE2321000016-4F7K", "mail": "a.b@exempel.invalid",
    "telephone": "+46 70 174 06 11", "coordinates": "59.32932, 18.06858", "a name in Greek": "Άννα Παπαδοπούλου",
    "a name in Cyrillic": "Анна Иванова", "a name in kanji": "山田花子", "a name in Cyrillic, glued": "АннаT1", "a number glued": "山田2",
}  # fmt: skip


for _sow in (_in_meta, _in_groups, _in_private, _in_texts, _in_lies, _in_structure, _in_objects, _in_charsets,
             _in_frames, _in_more_places):  # fmt: skip
    _sow()
