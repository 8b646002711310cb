"""What a piece of the output says, made ready to be searched: the haystack, read once whoever is looked for.

Every value at every depth as text, folded, with and without separators; the days and numbers in it; and, for
whatever is more than one plain value, its bytes as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from struct import calcsize, iter_unpack

from aida_pipelines.deid.verification.days import all_days
from aida_pipelines.deid.verification.identifiers import MAKERS, Known, day_of, signs_of, uids_of
from aida_pipelines.deid.verification.leaves import SHAPED_VRS, TEXT_VRS, Leaf
from aida_pipelines.deid.verification.names import digraphed, folded
from aida_pipelines.deid.verification.terms import TERMS

At = tuple[str, tuple[str, ...]]
"""A path and the values there."""

_SHAPES = {
    "AS": re.compile(rb"\d{3}[DWMY]"),
    "DA": re.compile(rb"\d{4}(\.?)\d{2}\1\d{2}"),
    "DS": re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?"),
    "DT": re.compile(rb"\d{4}(\d{2}){0,5}(\.\d{1,6})?([+-]\d{4})?"),
    "IS": re.compile(rb"[+-]?\d+(\.0*)?"),
    "TM": re.compile(rb"\d{2}(:?\d{2}(:?\d{2}(\.\d{1,6})?)?)?"),
    "UI": re.compile(rb"[0-9.]{1,64}"),
}
_OLD = re.compile(rb"(?:09[1-9]|[1-9]\d\d)Y")
"""Ages over 90: those over 89 are to become 90."""

_INTEGERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q"}
_FLOATS = {"FL": "f", "FD": "d"}
_LEAST_NUMBER = 1_000_000
"""Smaller numbers are no one's: ids and dates have eight digits or more, one of them may be a leading zero."""

_MOST_NUMBERS = 256
"""Longer lists are tables."""

_UID = re.compile(r"[0-9]+(?:\.[0-9]+){3,}")
_UID_BYTES = re.compile(rb"[0-9]+(?:\.[0-9]+){3,}")
_RUNS = re.compile(rb"[\x20-\x7e]{6,}")
_ESCAPE = re.compile(rb"\x1b[\x20-\x2f]*[\x30-\x7e]")
_TWO_BYTES = re.compile(rb"[\xc2\xc3\xcc\xcd][\x80-\xbf]")
_WORDS = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_MAKERS = re.compile(rf"(?<![^\W\d_])(?:{'|'.join(sorted(MAKERS))})(?![^\W\d_])")
_MAKERS_BYTES = re.compile(rf"(?<![a-z])(?:{'|'.join(sorted(MAKERS))})(?![a-z])".encode("ascii"))
_PARTS = re.compile(r"[\s,;:()^=\\]+")
_METHOD_TEXT = re.compile(r"aida_pipelines [\w.-]+ [\d.]+|DICOM PS3\.15 \d{4}[a-e]|1131\d\d|DCM")
_METHOD_WORDS = frozenset(
    """
    application basic characteristics clean confidentiality content data dates descriptors device features
    full graphics identity information institution longitudinal modified option patient pixel private profile
    recognizable retain safe structured temporal uids visual
    """.split()  # noqa: SIM905 - a list would be a page long
)
_NOT_ALPHANUMERIC = bytes(byte for byte in range(128) if not chr(byte).isalnum())
_BETWEEN = b"\xff\xff"


def _folding() -> bytes:
    table = bytearray(range(256))
    for byte in range(256):
        plain = folded(chr(byte))
        if len(plain) == 1 and plain.isascii():
            table[byte] = ord(plain)
    return bytes(table)


_FOLDED = _folding()
_DIGRAPHS = tuple(
    (char.encode("latin-1"), digraphed(char).encode("ascii"))
    for char in "åäöæøüÅÄÖÆØÜ"
    if digraphed(char).isascii()
)
_LIGATURES = ((b"\xdf", b"ss"), (b"\xe6", b"ae"), (b"\xc6", b"ae"), (b"\xfe", b"th"), (b"\xde", b"th"))


@dataclass(frozen=True, slots=True)
class Traces:
    """One piece of the output, ready to be searched.

    Attributes:
        where: Its tag as eight hexadecimal digits.
        uids: UID values by path.
        dates: DA and DT values by path.
        mentioned: Everything in it that looks like a UID, in values, texts and bytes.
        texts: Its texts by their own tag: folded with and without digraphs, their words, squeezed, days.
        numbers: The digits of numbers that are large enough to be an id or a date, by their own tag.
        old: Tags of ages that few people reach.
        views: Its bytes, in each way in which they can be read.
    """

    where: str
    uids: tuple[At, ...] = ()
    dates: tuple[At, ...] = ()
    mentioned: frozenset[str] = frozenset()
    texts: tuple[Text, ...] = ()
    numbers: frozenset[tuple[str, str]] = frozenset()
    old: tuple[str, ...] = ()
    views: tuple[View, ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """One text, in the forms in which it is searched.

    Attributes:
        tag: Where it stands.
        named: Folded, with and without digraphs, without manufacturers' names.
        joined: The same without separators.
        words: The words of it.
        squeezed: All of it without separators.
        whole: Its parts between blanks, each without separators.
        days: The days that it names.
        signs: Kinds of identifiers that show by their form.
    """

    tag: str
    named: str
    joined: str
    words: frozenset[str]
    squeezed: str
    whole: frozenset[str]
    days: frozenset[str]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """Bytes in one reading.

    Attributes:
        raw: As they are.
        named: Folded, without manufacturers' names.
        joined: The same without separators.
        bare: All of it without separators.
        harmless: Of that what is a well-formed number, date or UID, or a term of the standard.
    """

    raw: bytes
    named: bytes
    joined: bytes
    bare: bytes
    harmless: bytes


def uids_at(leaves: Iterable[Leaf]) -> Iterator[At]:
    """UIDs by path, in their order; a value of another shape is none."""
    for leaf in leaves:
        if leaf.vr == "UI" and _is_shaped(leaf):
            yield leaf.path, uids_of(leaf)


def dates_at(leaves: Iterable[Leaf]) -> Iterator[At]:
    """Days (``YYYYMMDD``) by path, in their order; of a value without a whole day the value."""
    for leaf in leaves:
        if leaf.vr in ("DA", "DT") and any(leaf.value):
            yield leaf.path, tuple(day_of(value) or value for value in leaf.values())


def traces_of(tag: int, leaves: Iterable[Leaf], raw: bytes | None = None) -> Traces:
    """Read a piece.

    Args:
        tag: Its tag.
        leaves: The values in it.
        raw: Its bytes, if these say more than the values.
    """
    mentioned: set[str] = set()
    texts: list[Text] = []
    numbers: set[tuple[str, str]] = set()
    excused: list[bytes] = []
    old: list[str] = []
    leaves = list(leaves)
    for _, values in uids_at(leaves):
        mentioned.update(values)
    for leaf in leaves:
        own, vr = leaf.path[-8:], leaf.vr
        if vr in SHAPED_VRS and _is_shaped(leaf):
            excused.append(leaf.value)
            if vr == "AS" and any(_OLD.fullmatch(part) for part in _parts(leaf.value)):
                old.append(own)
            if vr in ("DS", "IS"):
                numbers.update((own, number) for number in _written(leaf.value))
        elif vr in TEXT_VRS or vr in SHAPED_VRS:
            for reading in leaf.readings():
                said, terms = _without_terms(reading) if vr == "CS" else (reading, [])
                excused += terms
                if said:
                    texts.append(_text(own, said))
        else:
            numbers.update((own, number) for number in _binary(leaf.vr, leaf.value))
            for run in _readable(leaf.value):
                texts.append(_text(own, run))
    for text in texts:
        mentioned.update(_UID.findall(text.named))
    if raw is not None:
        mentioned.update(uid.decode("ascii") for uid in _UID_BYTES.findall(raw))
    return Traces(
        where=f"{tag:08x}",
        uids=tuple(uids_at(leaves)),
        dates=tuple(dates_at(leaves)),
        mentioned=frozenset(mentioned),
        texts=tuple(texts),
        numbers=frozenset(numbers),
        old=tuple(old),
        views=tuple(_views(raw, excused)) if raw is not None else (),
    )


def _without_terms(reading: str) -> tuple[str, list[bytes]]:
    """A coded value's parts that are no terms of the standard (TEXT, IMAGE), and those that are: they name nobody."""
    parts = [part.strip() for part in reading.split("\\")]
    terms = [part.encode("ascii") for part in parts if part in TERMS]
    return (reading, []) if not terms else ("\\".join(p for p in parts if p not in TERMS), terms)


def says_method(leaf: Leaf) -> bool:
    """Whether a value of the method or its codes says nothing but how it was done."""
    return all(
        _METHOD_TEXT.fullmatch(value) or _METHOD_WORDS.issuperset(value.lower().split())
        for value in leaf.values()
    )


def found_in(traces: Traces, known: Known) -> Iterator[tuple[str, str]]:
    """Kind and place of every identifier in a piece; UIDs and dates by value are looked at elsewhere."""
    for text in traces.texts:
        for kind in _in_text(text, known):
            yield kind, text.tag
    for tag in traces.old:
        yield "age", tag
    for tag, digits in traces.numbers:
        for kind, number in known.numbers:
            if number == digits or (len(number) > 8 and number in digits):
                yield kind, tag
        if len(digits) in (8, 12, 14) and digits[:8] in known.births:
            yield "birth-date", tag
    for view in traces.views:
        for kind in _in_bytes(view, known):
            yield kind, "bytes"


def _in_text(text: Text, known: Known) -> Iterator[str]:
    yield from text.signs
    if not known.short_names.isdisjoint(text.words):
        yield "name"
    named, joined, squeezed = text.named, text.joined, text.squeezed
    for name in known.long_names:
        if name in named or (len(name) > 6 and name in joined):
            yield "name"
            break
    if not known.short_ids.isdisjoint(text.whole):
        yield "id"
    for kind, needle in known.squeezed:
        if needle in squeezed:
            yield kind
    if not known.words.isdisjoint(text.words):
        yield "place"
    if text.days:
        if not known.births.isdisjoint(text.days):
            yield "birth-date"
        if not known.dates.isdisjoint(text.days):
            yield "date"


def _in_bytes(view: View, known: Known) -> Iterator[str]:
    for name in known.long_names:
        if len(name) > 5 and name.isascii():
            needle = name.encode("ascii")
            times = max(view.named.count(needle), view.joined.count(needle) if len(name) > 6 else 0)
            if times and times > view.harmless.count(needle):
                yield "name"
                break
    bare = view.bare
    for kind, text in known.squeezed:
        if text.isascii():
            needle = text.encode("ascii")
            if needle in bare and bare.count(needle) > view.harmless.count(needle):
                yield kind
    for day in known.births:
        needle = day.encode("ascii")
        if needle in bare and bare.count(needle) > view.harmless.count(needle):
            yield "birth-date"
            break
    if any(needle in view.raw for needle in known.wide):
        yield "name"


def _text(tag: str, text: str) -> Text:
    low = folded(text)
    other = low if text.isascii() else digraphed(text)
    spelt = low if other == low else f"{low}\n{other}"
    named = _MAKERS.sub("\n", spelt)
    words = set(_WORDS.findall(named))
    words.update(_LETTERS.findall(named))
    words.update([word[:-1] for word in words if word.endswith("s")])  # the genitive
    squeezed = "\n".join(_squeezed(part) for part in dict.fromkeys((low, other)))
    return Text(
        tag=tag,
        named=named,
        joined=squeezed if named == spelt else "\n".join(map(_squeezed, named.split("\n"))),
        words=frozenset(words),
        squeezed=squeezed,
        whole=frozenset(_squeezed(part) for part in _PARTS.split(low)),
        days=all_days(spelt),
        signs=tuple(dict.fromkeys(signs_of(spelt))),
    )


def _squeezed(low: str) -> str:
    return re.sub(r"[\W_]+", "", low)


def _is_shaped(leaf: Leaf) -> bool:
    shape = _SHAPES[leaf.vr]
    return all(not part or shape.fullmatch(part) for part in _parts(leaf.value))


def _parts(value: bytes) -> list[bytes]:
    return [part.strip(b"\0 ") for part in value.split(b"\\")]


def _written(value: bytes) -> Iterator[str]:
    """The digits of decimal or integer strings: as written, and as the whole number that they stand for."""
    if len(value) < 4:
        return
    for part in _parts(value):
        if len(part) < 4:
            continue
        text = part.decode("ascii").lstrip("+-").lower()
        if len(text) < 7 and "e" not in text:
            continue
        mantissa, _, exponent = text.partition("e")
        digits = mantissa.replace(".", "").strip("0")
        if len(digits) > 7 and not exponent:
            yield mantissa.replace(".", "").lstrip("0")
        number = Decimal(text)
        if number >= _LEAST_NUMBER and number.adjusted() < 24:
            yield str(int(number))


def _binary(vr: str, value: bytes) -> Iterator[str]:
    """Whole numbers in a binary value, in both byte orders."""
    code = _INTEGERS.get(vr) or _FLOATS.get(vr)
    if code is None or not value:
        return
    size = calcsize("<" + code)
    if size < 4 or len(value) % size or len(value) > size * _MOST_NUMBERS:
        return
    for order in "<>":
        for (number,) in iter_unpack(order + code, value):
            if _LEAST_NUMBER <= abs(number) < 1e20 and number == int(number):
                yield str(abs(int(number)))


def has_text(value: bytes) -> bool:
    """Whether there is any readable run in bytes of any kind."""
    return next(_readable(value), None) is not None


def _readable(value: bytes) -> Iterator[str]:
    """Text in bytes of any kind: runs of characters, and the same where each takes two bytes or four."""
    if len(value) < 6:
        return
    for data in (value, value.replace(b"\0", b"")) if b"\0" in value else (value,):
        for run in _RUNS.findall(data):
            yield run.decode("ascii")


def _views(raw: bytes, excused: list[bytes]) -> Iterator[View]:
    readings = {raw: None}
    if not raw.isascii():
        readings[_TWO_BYTES.sub(_as_latin, raw)] = None
    if b"\x1b" in raw:
        readings[_ESCAPE.sub(b"", raw)] = None
    for reading in list(readings):
        if b"\0" in reading:
            readings[reading.replace(b"\0", b"")] = None
    harmless = _BETWEEN.join(excused).lower().translate(None, _NOT_ALPHANUMERIC)
    for reading in readings:
        spellings = [_replaced(reading, _LIGATURES).translate(_FOLDED)]
        digraphs = _replaced(_replaced(reading, _LIGATURES), _DIGRAPHS).translate(_FOLDED)
        if digraphs != spellings[0]:
            spellings.append(digraphs)
        for spelt in spellings:
            named, bare = _MAKERS_BYTES.sub(b"\xff", spelt), spelt.translate(None, _NOT_ALPHANUMERIC)
            joined = bare if named == spelt else named.translate(None, _NOT_ALPHANUMERIC)
            yield View(raw, named, joined, bare, harmless)


def _as_latin(match: re.Match[bytes]) -> bytes:
    """A character of two bytes in UTF-8 as one in Latin-1; nothing for an accent that stands apart."""
    return match.group().decode("utf-8").encode("latin-1", "ignore")


def _replaced(data: bytes, pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    if data.isascii():
        return data
    for old, new in pairs:
        data = data.replace(old, new)
    return data
