"""DICOM files that are wrong on purpose: at the level of elements and items, and of bytes.

A file is read into nodes that can be written again with lies in them: a length that isn't the value's, a VR that
isn't the attribute's, an item in an item. Before it is mutated, a file is made small: a sample of its elements, a few
pixels. That is as good for finding faults and ten times faster.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from struct import pack

import pydicom

from aida_pipelines.dicom.dictionary import DicomDictionary
from aida_pipelines.dicom.parse import (
    IMPLICIT,
    LONG_VRS,
    SHORT_VRS,
    Element,
    Encoding,
    ParsedFile,
    parse_file,
)
from aida_pipelines.errors import Quarantine

_MAX_FILE = 2 << 20
_MAX_VALUE = 3000
_ELEMENTS = 18
"""Elements of a file that are kept beside those that decide whether it is let through at all."""

_NEEDED = frozenset(
    {
        0x00080005, 0x00080008, 0x00080016, 0x00080018, 0x00080060, 0x00080070, 0x00100010, 0x00100020, 0x0020000D,
        0x0020000E, 0x00280002, 0x00280004, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103,
        0x00280301,
    }
)  # fmt: skip
_ROWS, _COLUMNS, _FRAMES, _SAMPLES, _BITS, _PIXELS = (
    0x00280010, 0x00280011, 0x00280008, 0x00280002, 0x00280100, 0x7FE00010,
)  # fmt: skip
_VRS = sorted(LONG_VRS | SHORT_VRS)
_LENGTHS = (0, 1, 2, 3, 7, 8, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_CHARSETS = (
    b"ISO_IR 100", b"ISO_IR 192", b"\\ISO 2022 IR 87", b"ISO 2022 IR 13\\ISO 2022 IR 87", b"GB18030", b"GBK",
    b"ISO_IR 13", b"ISO 2022 IR 6\\ISO 2022 IR 149", b"ISO_IR 166 ", b"\\\\", b"nonsense", b"ISO_IR 192\\ISO_IR 100",
    b"\xff\xfe", b"ISO 2022 IR 58",
)  # fmt: skip
_TEXTS = (
    b"", b" ", b"\0", b"\\", b"\\\\\\", b"^^^^", b"=", b"Svensson^Anna", b"19121212-1212", b"\x1b$B1!F;\x1b(B",
    b"\x1b$)C\xb1\xe8\xc8\xf1\xc1\xdf", b"\x1b", b"\xff" * 9, b"\xc3\x85sa", b"\xe5\xe4\xf6", b"A" * 70, b"1e400",
    b"nan", b"-0", b"0" * 40, b"20240230", b"20240102", b"20240102101500.123456+0100", b"1.2.840.10008.1.2",
    b"1.2." + b"3" * 70, b"1..2", b"097Y", b"999Y", b"1\\2\\3\\4", b"\xf0\x9f\x98\x80", b"\xed\xa0\x80",
    b"%s{0}$", b"\r\n\t\f",
)  # fmt: skip
_MARKS = (
    pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF), pack("<HHL", 0xFFFE, 0xE00D, 0), pack("<HHL", 0xFFFE, 0xE0DD, 0),
    pack("<HHL", 0xFFFE, 0xE000, 8), pack("<HH", 0x7FE0, 0x0010), b"\xff\xfe", b"\\" * 7, b"\x1b$B", b"\0" * 8,
)  # fmt: skip
_SEQUENCES = tuple(tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ")
_TAGS = tuple(DicomDictionary)


@dataclass(slots=True)
class Node:
    """An element as it is written.

    Attributes:
        tag: ``group << 16 | element``.
        vr: Two letters, whatever they are.
        value: Its bytes, or its items' elements.
        length: The length that is written, where it isn't the value's.
        delimited: Whether a sequence and its items are written without lengths.
        implicit: Whether its items are implicit VR whatever surrounds them (UN).
    """

    tag: int
    vr: str
    value: bytes | list[list[Node]]
    length: int | None = None
    delimited: bool = False
    implicit: bool = False


@dataclass(slots=True)
class File:
    """A file as nodes.

    Attributes:
        head: Preamble and file meta information; empty where the file has none.
        encoding: Of its data set.
        nodes: Its data set up to the pixel data.
        pixels: The pixel data element and what follows, as it is.
    """

    head: bytes
    encoding: Encoding
    nodes: list[Node] = field(default_factory=list)
    pixels: bytes = b""


def encoded(nodes: Sequence[Node], encoding: Encoding) -> bytes:
    """The nodes as bytes, lies included."""
    return b"".join(_encoded(node, encoding) for node in nodes)


def _encoded(node: Node, encoding: Encoding) -> bytes:
    order = encoding.order
    inner = IMPLICIT if node.implicit else encoding
    if isinstance(node.value, bytes):
        value = node.value
    else:
        value = b"".join(_item(item, inner, delimited=node.delimited) for item in node.value)
        if node.delimited:
            value += pack(f"{inner.order}HHL", 0xFFFE, 0xE0DD, 0)
    undefined = node.delimited and not isinstance(node.value, bytes)
    length = node.length if node.length is not None else 0xFFFFFFFF if undefined else len(value)
    head = pack(f"{order}HH", node.tag >> 16, node.tag & 0xFFFF)
    if encoding.implicit:
        return head + pack(f"{order}L", length) + value
    vr = node.vr.encode("latin-1")[:2].ljust(2)
    if node.vr in LONG_VRS:
        return head + vr + b"\0\0" + pack(f"{order}L", length) + value
    if length > 0xFFFF:
        value, length = value[:0xFFFE], min(length, 0xFFFE)
    return head + vr + pack(f"{order}H", length) + value


def _item(item: Sequence[Node], encoding: Encoding, *, delimited: bool) -> bytes:
    content = encoded(item, encoding)
    length = 0xFFFFFFFF if delimited else len(content)
    head = pack(f"{encoding.order}HHL", 0xFFFE, 0xE000, length)
    return head + content + (pack(f"{encoding.order}HHL", 0xFFFE, 0xE00D, 0) if delimited else b"")


def read(data: bytes) -> File | None:
    """A file as nodes, its pixels few; None for one that isn't read at all."""
    try:
        parsed = parse_file(data)
    except Quarantine:
        return None
    if parsed.data is not data:
        return None  # deflated
    nodes = [_node(parsed, element) for element in parsed.elements]
    file = File(data[: parsed.start], parsed.encoding, [node for node in nodes if node is not None])
    span = parsed.pixels
    if span is not None:
        file.pixels = data[span.start : span.stop]
        if span.fragments is None and span.stop - span.value > _MAX_VALUE:
            file.pixels = _few_pixels(file, data[span.start : span.value], data[span.value : span.stop])
        elif len(file.pixels) > 16_000:
            return None
    return file


def _node(parsed: ParsedFile, element: Element) -> Node | None:
    if element.items is None:
        value = parsed.value(element)
        return Node(element.tag, element.vr, value) if len(value) <= _MAX_VALUE else None
    items = [[node for one in item if (node := _node(parsed, one))] for item in element.items[:3]]
    return Node(element.tag, "SQ", items, implicit=element.encoding != parsed.encoding)


def _few_pixels(file: File, head: bytes, value: bytes) -> bytes:
    """Two rows of two columns of one frame."""
    order = file.encoding.order
    small = {_ROWS: pack(f"{order}H", 2), _COLUMNS: pack(f"{order}H", 2), _FRAMES: b"1 "}
    bits, samples = 16, 1
    for node in file.nodes:
        if node.tag in small:
            node.value = small[node.tag]
        elif node.tag in (_BITS, _SAMPLES) and isinstance(node.value, bytes) and len(node.value) == 2:
            number = int.from_bytes(node.value, "big" if file.encoding.big_endian else "little")
            bits, samples = (number, samples) if node.tag == _BITS else (bits, number)
    size = (4 * bits * samples + 7) // 8
    size += size % 2
    return head[:-4] + pack(f"{order}L", size) + value[:size]


@cache
def originals(folder: Path | None = None) -> tuple[File, ...]:
    """A file of each kind (SOP class, transfer syntax, manufacturer, shape of the header) in a folder.

    Args:
        folder: With files of any kind; by default those that pydicom's wheel carries.
    """
    folder = folder or Path(pydicom.__file__).parent / "data" / "test_files"
    found: dict[object, File] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.stat().st_size > _MAX_FILE:
            continue
        file = read(path.read_bytes())
        if file is None or not {0x00080016, 0x00080018} <= {node.tag for node in file.nodes}:
            continue
        values = {node.tag: node.value for node in file.nodes if node.tag in (0x00080016, 0x00080070)}
        kind = (file.head[-60:-2], file.encoding, str(values), len(file.nodes) // 20)
        found.setdefault(kind, file)
    return tuple(found.values())


def mutated(rng: random.Random, files: Sequence[File]) -> bytes:
    """One of the files, made small, with one to three things wrong; the same generator gives the same bytes."""
    file = rng.choice(files)
    others = [node for node in file.nodes if node.tag not in _NEEDED]
    kept = {id(node) for node in rng.sample(others, min(_ELEMENTS, len(others)))}
    nodes = [_copy(node) for node in file.nodes if node.tag in _NEEDED or id(node) in kept]
    for _ in range(rng.randint(1, 3)):
        _mutate(rng, nodes)
    head, pixels = file.head, file.pixels
    if rng.random() < 0.03:
        head = head[: rng.randrange(len(head) + 1)]
    if rng.random() < 0.1 and pixels:
        pixels = _bytes_wrong(rng, pixels)
    data = head + encoded(nodes, file.encoding) + pixels
    if rng.random() < 0.1:
        data = _bytes_wrong(rng, data)
    return data


def _copy(node: Node) -> Node:
    if isinstance(node.value, bytes):
        return replace(node)
    return replace(node, value=[[_copy(one) for one in item] for item in node.value])


def _mutate(rng: random.Random, nodes: list[Node]) -> None:
    """One thing wrong, at any depth."""
    here = nodes
    while rng.random() < 0.4:
        inner = [item for node in here if not isinstance(node.value, bytes) for item in node.value]
        if not inner:
            break
        here = rng.choice(inner)
    if not here:
        here.append(Node(rng.choice(_TAGS), rng.choice(_VRS), rng.choice(_TEXTS)))
        return
    place = rng.randrange(len(here))
    rng.choice(_WAYS)(rng, here, place)


def _value(rng: random.Random, nodes: list[Node], place: int) -> None:
    nodes[place].value = rng.choice(_TEXTS) if rng.random() < 0.7 else rng.randbytes(rng.randrange(80))


def _flipped(rng: random.Random, nodes: list[Node], place: int) -> None:
    value = nodes[place].value
    if isinstance(value, bytes) and value:
        work = bytearray(value)
        for _ in range(rng.randint(1, 4)):
            work[rng.randrange(len(work))] = rng.randrange(256)
        nodes[place].value = bytes(work)


def _shortened(rng: random.Random, nodes: list[Node], place: int) -> None:
    value = nodes[place].value
    nodes[place].value = value[: rng.randrange(len(value) + 1)]


def _vr(rng: random.Random, nodes: list[Node], place: int) -> None:
    nodes[place].vr = rng.choice(_VRS) if rng.random() < 0.95 else rng.choice(["ZZ", "  ", "\0\0", "ob"])


def _tag(rng: random.Random, nodes: list[Node], place: int) -> None:
    node = nodes[place]
    node.tag = rng.choice(
        [rng.choice(_TAGS), node.tag ^ 1 << rng.randrange(32), node.tag | 1 << 16, rng.getrandbits(32)]
    )
    if rng.random() < 0.7:
        nodes.sort(key=lambda one: one.tag)


def _length(rng: random.Random, nodes: list[Node], place: int) -> None:
    value = nodes[place].value
    near = len(value) + rng.choice((-2, -1, 1, 2)) if isinstance(value, bytes) else 8
    nodes[place].length = max(near, 0) if rng.random() < 0.5 else rng.choice(_LENGTHS)


def _dropped(_: random.Random, nodes: list[Node], place: int) -> None:
    del nodes[place]


def _doubled(rng: random.Random, nodes: list[Node], place: int) -> None:
    nodes.insert(place + rng.randrange(2), _copy(nodes[place]))


def _swapped(rng: random.Random, nodes: list[Node], place: int) -> None:
    other = rng.randrange(len(nodes))
    nodes[place], nodes[other] = nodes[other], nodes[place]


def _nested(rng: random.Random, nodes: list[Node], place: int) -> None:
    """Into an item of a new sequence, known, private or of no name, up to 40 levels down."""
    node = nodes.pop(place)
    for _ in range(1 if rng.random() < 0.9 else rng.randint(2, 40)):
        tag = rng.choice([rng.choice(_SEQUENCES), 0x00091010, rng.choice(_TAGS)])
        items = [[node]] if rng.random() < 0.8 else [[], [node], [_copy(node)]]
        unknown = rng.random() < 0.2
        node = Node(
            tag, "UN" if unknown else "SQ", items, delimited=unknown or rng.random() < 0.5, implicit=unknown
        )
    nodes.append(node)
    nodes.sort(key=lambda one: one.tag)


def _charset(rng: random.Random, nodes: list[Node], _: int) -> None:
    nodes[:] = [node for node in nodes if node.tag != 0x00080005]
    nodes.insert(0, Node(0x00080005, "CS", rng.choice(_CHARSETS)))
    texts = [node for node in nodes if node.vr in ("LO", "SH", "PN", "ST", "LT", "UT")]
    if texts:
        rng.choice(texts).value = rng.choice(_TEXTS)


def _private(rng: random.Random, nodes: list[Node], _: int) -> None:
    creator = rng.choice((b"SIEMENS MR HEADER", b"GEMS_PARM_01", b"Philips Imaging DD 001", b"ACME", b""))
    group, block = rng.choice((0x0009, 0x0019, 0x0043, 0x2001)), rng.randrange(0x10, 0x13)
    nodes.append(Node(group << 16 | block, rng.choice(("LO", "UN")), creator))
    nodes.append(Node(group << 16 | block << 8 | rng.randrange(256), rng.choice(_VRS), rng.choice(_TEXTS)))
    nodes.sort(key=lambda one: one.tag)


def _delimited(_: random.Random, nodes: list[Node], place: int) -> None:
    nodes[place].delimited = not nodes[place].delimited


_WAYS = (
    _value, _value, _flipped, _shortened, _vr, _vr, _tag, _tag, _length, _dropped, _doubled, _swapped, _nested, _nested,
    _charset, _private, _private, _delimited,
)  # fmt: skip


def _bytes_wrong(rng: random.Random, data: bytes) -> bytes:
    work = bytearray(data)
    place = rng.randrange(len(work) + 1)
    match rng.randrange(5):
        case 0:
            work[place:place] = rng.choice(_MARKS)
        case 1:
            del work[place : place + rng.randrange(1, 200)]
        case 2:
            del work[place:]
        case 3:
            work[place : place + 4] = pack("<L", rng.choice(_LENGTHS))
        case _:
            for _ in range(rng.randint(1, 8)):
                if work:
                    work[rng.randrange(len(work))] = rng.randrange(256)
    return bytes(work)
