"""Elements back into bytes (PS3.5 section 7.1)."""

from __future__ import annotations

from struct import pack

from aida_pipelines.dicom.parse import EXPLICIT, LONG_VRS, Encoding

_NUL_PADDED = frozenset({"UI", "OB", "UN"})

IMPLEMENTATION_CLASS_UID = "2.25.298367471540219337361423837062107468721"
"""Who wrote the file, as PS3.10 asks for; drawn once at random for this program."""

IMPLEMENTATION_VERSION_NAME = "AIDA_PIPELINES"


def encode_element(tag: int, vr: str, value: bytes, encoding: Encoding) -> bytes:
    """One element; a value of odd length is padded as its VR asks for.

    Raises:
        ValueError: The value is longer than the VR's length field can say.
    """
    if len(value) % 2:
        value += b"\0" if vr in _NUL_PADDED else b" "
    order = encoding.order
    head = pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if encoding.implicit:
        return head + pack(order + "L", len(value)) + value
    if vr in LONG_VRS:
        return head + vr.encode() + b"\0\0" + pack(order + "L", len(value)) + value
    if len(value) > 0xFFFE:
        raise ValueError("value too long for its VR")
    return head + vr.encode() + pack(order + "H", len(value)) + value


def encode_item(content: bytes, encoding: Encoding) -> bytes:
    """One item of a sequence, with its length."""
    return pack(encoding.order + "HHL", 0xFFFE, 0xE000, len(content)) + content


def encode_file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax: str) -> bytes:
    """Preamble and file meta information with nothing but what PS3.10 section 7.1 requires."""

    def uid(tag: int, value: str) -> bytes:
        return encode_element(tag, "UI", value.encode("ascii"), EXPLICIT)

    group = (
        encode_element(0x00020001, "OB", b"\0\1", EXPLICIT)
        + uid(0x00020002, sop_class_uid)
        + uid(0x00020003, sop_instance_uid)
        + uid(0x00020010, transfer_syntax)
        + uid(0x00020012, IMPLEMENTATION_CLASS_UID)
        + encode_element(0x00020013, "SH", IMPLEMENTATION_VERSION_NAME.encode(), EXPLICIT)
    )
    length = encode_element(0x00020000, "UL", pack("<L", len(group)), EXPLICIT)
    return b"\0" * 128 + b"DICM" + length + group
