"""What pieces of headers say, each read once.

Headers of a series are the same but for a few elements. What an element says follows from its bytes and from few
others: how the data set is written, its character set, the creator of a private block. What was found to be clean of
one patient's identifiers is clean of them the next time. All of it is remembered by these bytes, so that a memory
changes no verdict; bounded, and forgotten whole when it is full.

Long sequences, the functional groups of a multi-frame image above all, never come up again whole, but their items'
elements do: they are cut the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from pydicom.datadict import dictionary_has_tag, dictionary_VR

from aida_pipelines.deid.verification.identifiers import (
    PUBLIC_ROOTS,
    Identifier,
    Known,
    Sight,
    identifiers_of,
)
from aida_pipelines.deid.verification.leaves import Leaf, leaves_of, plain_leaf
from aida_pipelines.deid.verification.pieces import Data, Piece, UncutError, cut, items_of
from aida_pipelines.deid.verification.traces import (
    At,
    Traces,
    dates_at,
    found_in,
    says_method,
    traces_of,
    uids_at,
)
from aida_pipelines.dicom.quiet import quiet_pydicom

MAX_REMEMBERED = 48 << 20
"""Bytes of pieces and what they say, roughly; then all is forgotten."""

_MAX_PIECE = 1 << 14
"""Longer pieces are remembered by a digest, and only that they passed."""

_MAX_OPAQUE = 1 << 16
"""Bytes of a source's value that is no text and no sequence beyond which it is not read: blobs of devices."""

_LONG_SEQUENCE = 1 << 11
_ENTRY = 400
"""What Python needs for an entry beside its bytes."""

_CHARSET, _METHOD, _METHOD_CODES = 0x00080005, 0x00120063, 0x00120064

Key = tuple[frozenset[Identifier], ...]
"""What a source gives away, piece by piece: equal for equal sources."""

Found = list[tuple[str, str]]
"""Kind and place of what was found."""


@dataclass(frozen=True, slots=True)
class Given:
    """What one piece of a source gives away.

    Attributes:
        tag: Its tag.
        identifiers: Of the patient, of institutions and staff.
        uids: UIDs by path.
        own_uids: Those that are not the standard's.
        dates: Dates by path.
    """

    tag: int
    identifiers: frozenset[Identifier]
    uids: tuple[At, ...]
    own_uids: frozenset[str]
    dates: tuple[At, ...]


_Passed = dict[bytes, Traces | None]


@dataclass(slots=True)
class Context:
    """What is remembered of data sets that are written in one way: encoding and character set."""

    implicit: bool
    big_endian: bool
    charset: bytes
    given: dict[bytes, Given | None] = field(default_factory=dict)
    traces: dict[bytes, Traces] = field(default_factory=dict)
    passed: dict[Key, _Passed] = field(default_factory=dict)


class Memory:
    """Reads pieces of sources and outputs, and searches the latter.

    Args:
        sight: What is looked for.
    """

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._forget()

    def _forget(self) -> None:
        self._contexts: dict[tuple[bool, bool, bytes], Context] = {}
        self._known: dict[Key, Known] = {}
        self._interned: dict[frozenset[Identifier], frozenset[Identifier]] = {}
        self._size = 0

    def trim(self) -> bool:
        """Forget everything if it is too much; say if so. Not while an instance is worked on."""
        if self._size <= MAX_REMEMBERED:
            return False
        self._forget()
        return True

    # --- sources ------------------------------------------------------------------------------------------

    def given(
        self, data: Data, start: int, stop: int, *, implicit: bool, big_endian: bool
    ) -> tuple[list[Given], list[Piece]]:
        """What a source's data set gives away, and its pieces."""
        try:
            pieces = cut(data, start, stop, implicit=implicit, big_endian=big_endian, most=_MAX_OPAQUE)
        except UncutError:
            pieces = [(0, bytes(data[start:stop]))]  # pydicom will make of it what it can
        return self.given_by(pieces, self.context(pieces, implicit=implicit, big_endian=big_endian)), pieces

    def given_by(self, pieces: Iterable[Piece], context: Context) -> list[Given]:
        """What pieces of a source give away; those that give away nothing are left out."""
        given: list[Given] = []
        memory, creators = context.given, _Creators()
        private = context.implicit
        for tag, raw in pieces:
            key, before = raw, b""
            if private and tag & 0x10000:
                before = creators.before(tag, raw)
                key = before + raw
            try:
                one = memory[key]
            except KeyError:
                one = self._read_given(tag, raw, before, context)
                if len(key) <= _MAX_PIECE:
                    memory[key] = one
                    self._size += len(key) + _ENTRY
            if one is not None:
                given.append(one)
        return given

    def _read_given(self, tag: int, raw: bytes, before: bytes, context: Context) -> Given | None:
        items = _items(tag, raw, context)
        if items is not None:
            inner = [one for item in items for one in self.given_by(item, self._inside(item, context))]
            identifiers = frozenset().union(*[one.identifiers for one in inner])
            uids, dates = _below(tag, (one.uids for one in inner)), _below(tag, (one.dates for one in inner))
        else:
            leaves, _ = _leaves(tag, raw, before, context)
            identifiers = frozenset(found for leaf in leaves for found in identifiers_of(leaf, self._sight))
            uids, dates = tuple(uids_at(leaves)), tuple(dates_at(leaves))
        if not (identifiers or uids or dates):
            return None
        own = frozenset(
            uid for _, values in uids for uid in values if len(uid) > 4 and not uid.startswith(PUBLIC_ROOTS)
        )
        return Given(tag, self._interned.setdefault(identifiers, identifiers), uids, own, dates)

    def known(self, given: Sequence[Given]) -> tuple[Key, Known]:
        """The needles that are to be looked for."""
        key = tuple([one.identifiers for one in given if one.identifiers])
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = Known.of(identifier for some in key for identifier in some)
            self._size += _ENTRY * (len(known.identifiers) + 4)
        return key, known

    # --- outputs ------------------------------------------------------------------------------------------

    def context(self, pieces: Iterable[Piece], *, implicit: bool, big_endian: bool) -> Context:
        """What is remembered of data sets like this one."""
        charset = b""
        for tag, raw in pieces:
            if tag >= _CHARSET:
                charset = raw if tag == _CHARSET else b""
                break
        key = implicit, big_endian, charset
        context = self._contexts.get(key)
        if context is None:
            context = self._contexts[key] = Context(implicit, big_endian, charset)
        return context

    def search(
        self, pieces: Iterable[Piece], context: Context, wanted: tuple[Key, Known], found: Found
    ) -> list[Traces]:
        """Search what was not searched for this patient before.

        Args:
            pieces: The output's.
            context: Theirs.
            wanted: The needles.
            found: What is found is added here.

        Returns:
            Those that hold UIDs or dates.
        """
        passed = context.passed.setdefault(wanted[0], {})
        lively: list[Traces] = []
        creators, private = _Creators(), context.implicit
        for tag, raw in pieces:
            name, before = raw, b""
            if private and tag & 0x10000:
                before = creators.before(tag, raw)
                name = before + raw
            if len(name) > _MAX_PIECE:
                name = blake2b(name, digest_size=32).digest()
            try:
                traces = passed[name]
            except KeyError:
                here: Found = []
                traces = self._searched(tag, raw, before, context, wanted, here)
                if here:
                    found += here
                else:
                    passed[name] = traces
                    self._size += len(name) + _ENTRY // 4
            if traces is not None:
                lively.append(traces)
        return lively

    def _searched(
        self,
        tag: int,
        raw: bytes,
        before: bytes,
        context: Context,
        wanted: tuple[Key, Known],
        found: Found,
    ) -> Traces | None:
        name = before + raw
        traces = context.traces.get(name)
        if traces is None:
            items = _items(tag, raw, context)
            if items is not None:
                inner = [
                    traces
                    for item in items
                    for traces in self.search(item, self._inside(item, context), wanted, found)
                ]
                uids, dates = (
                    _below(tag, (one.uids for one in inner)),
                    _below(tag, (one.dates for one in inner)),
                )
                mentioned = frozenset().union(*[one.mentioned for one in inner])
                return Traces(f"{tag:08x}", uids, dates, mentioned) if uids or dates or mentioned else None
            leaves, whole = _leaves(tag, raw, before, context)
            if tag in (_METHOD, _METHOD_CODES) and all(map(says_method, leaves)):
                leaves, whole = [], True
            traces = traces_of(tag, leaves, None if whole else raw)
            if len(name) <= _MAX_PIECE:
                context.traces[name] = traces
                self._size += (1 if whole else 8) * len(name) + _ENTRY
        found += found_in(traces, wanted[1])
        return traces if traces.mentioned or traces.dates else None

    def _inside(self, item: Sequence[Piece], context: Context) -> Context:
        """The context of an item: its own character set, if it has one."""
        if any(tag == _CHARSET for tag, _ in item):
            return self.context(item, implicit=context.implicit, big_endian=context.big_endian)
        return context


class _Creators:
    """The creators of a data set's private blocks, as they come by."""

    def __init__(self) -> None:
        self._known: dict[int, bytes] = {}

    def before(self, tag: int, raw: bytes) -> bytes:
        """The creator's element that says what a private one is; empty for the creators themselves."""
        if not tag & 0xFF00:
            self._known[tag >> 16 << 8 | tag & 0xFF] = raw
            return b""
        return self._known.get(tag >> 8, b"")


def _items(tag: int, raw: bytes, context: Context) -> list[list[Piece]] | None:
    """The pieces of each item of a long sequence; None for all else, and for what can't be cut."""
    if len(raw) <= _LONG_SEQUENCE:
        return None
    implicit, big_endian = context.implicit, context.big_endian
    if implicit:
        if tag & 0x10000 or not dictionary_has_tag(tag) or dictionary_VR(tag) != "SQ":
            return None
    elif raw[4:6] != b"SQ":
        return None
    try:
        return [
            cut(item, 0, len(item), implicit=implicit, big_endian=big_endian)
            for item in items_of(raw, implicit=implicit, big_endian=big_endian)
        ]
    except UncutError:
        return None


def _leaves(tag: int, raw: bytes, before: bytes, context: Context) -> tuple[list[Leaf], bool]:
    """The values in a piece, and whether they are all that is in it."""
    leaf = plain_leaf(tag, raw, implicit=context.implicit) if tag else None
    if leaf is not None:
        return [leaf], True
    charset = context.charset if tag != _CHARSET else b""
    with quiet_pydicom():
        leaves = leaves_of(raw, charset + before, implicit=context.implicit, big_endian=context.big_endian)
    return leaves, False


def _below(tag: int, inner: Iterable[tuple[At, ...]]) -> tuple[At, ...]:
    above = f"{tag:08x}"
    return tuple([(above + path, values) for some in inner for path, values in some])
