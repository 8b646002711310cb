"""The same result with less work: what was rewritten before is not rewritten again.

Within a series nearly all elements of a header are the same, byte for byte. What is done to an element depends
on its bytes and on the decisions that hold for the instance, and on nothing else; those depend on the few
attributes that were read to make them. Both are remembered: decisions by the bytes of what was read
(``Top.read``), elements by their own bytes. What is new goes through the same ``_Rewriter`` as without this
module, and what is out of the ordinary through ``Deidentifier`` whole.

Private elements depend on each other (their blocks' creators): they are one unit. Frames are walked in every
file. Offset tables, which are held against the file's size, are left to ``Deidentifier``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from aida_pipelines.deid.engine import OFFSET_TABLES, Change, Decisions, Deidentified, Deidentifier, Top
from aida_pipelines.deid.text.known import SIZE
from aida_pipelines.dicom.parse import Encoding, ParsedFile, Source, Walker
from aida_pipelines.dicom.scan import Scanned, Scanner
from aida_pipelines.dicom.values import strings

_SOP_INSTANCE = 0x00080018

MAX_REMEMBERED = 64 << 20
"""Bytes of elements and decisions, roughly; then all is forgotten."""

_ENTRY = 300
"""What Python needs for an entry beside its bytes."""

_Rewritten = tuple[dict[int, bytes], tuple[Change, ...]]


@dataclass(slots=True)
class _Context:
    """Decisions, and what was rewritten under them: by an element's bytes, or those of all private ones."""

    decided: Decisions
    elements: dict[bytes, _Rewritten] = field(default_factory=dict)


class FastDeidentifier(Deidentifier):
    """A ``Deidentifier`` with a memory. Not safe for several threads."""

    _scanner: Scanner | None = None

    def deidentify(self, source: Source, *, pixels_reviewed: bool = False) -> Deidentified:
        """De-identify one file; see ``Deidentifier.deidentify``."""
        if self._scanner is None:
            self._scanner = Scanner()
            self._forget()
        scanned = self._scanner.scan(source)
        if scanned is not None:
            try:
                result = self._remembered(source, scanned, pixels_reviewed)
            except Exception:  # noqa: BLE001 - whatever it is, the other path meets it too and gives the reason
                result = None
            if result is not None:
                return result
        return super().deidentify(source, pixels_reviewed=pixels_reviewed)

    def _forget(self) -> None:
        # Decisions by what else decides them, the tags that were read, and these elements' bytes.
        self._contexts: dict[tuple[object, ...], dict[tuple[int, ...], dict[tuple[object, ...], _Context]]]
        self._contexts = {}
        self._size = 0

    def _remembered(self, source: Source, scanned: Scanned, reviewed: bool) -> Deidentified | None:
        by_tag = dict(zip(scanned.tags, scanned.raws, strict=True))
        instance = _instance_uid(by_tag.get(_SOP_INSTANCE), scanned.encoding)
        if not instance or not OFFSET_TABLES.isdisjoint(by_tag):
            return None
        if self._size > MAX_REMEMBERED:
            self._forget()
        parsed = ParsedFile(source, scanned.transfer_syntax, scanned.encoding, scanned.start, scanned.pixels)
        context = self._context(parsed, by_tag, reviewed)
        blanks = context.decided.pixels.blanks(parsed)
        written: dict[int, bytes] = {}
        changes: list[Change] = []
        private: list[bytes] = []
        known = context.elements
        for tag, raw in by_tag.items():
            if tag & 0x10000:
                private.append(raw if isinstance(raw, bytes) else self._cut(parsed, raw))
                continue
            hit = known.get(raw) if isinstance(raw, bytes) else None
            if hit is None:
                hit = self._rewrite(parsed, context, raw)
            new, done = hit
            if new:
                written.update(new)
            if done:
                changes += done
        if private:
            new, done = known.get(whole := b"".join(private)) or self._rewrite(parsed, context, whole)
            written.update(new)
            changes += done
        return self.assembled(parsed, context.decided, instance, written, changes, blanks)

    def _context(self, parsed: ParsedFile, by_tag: dict[int, bytes | int], reviewed: bool) -> _Context:
        group = self._contexts.setdefault((parsed.encoding, parsed.transfer_syntax, reviewed), {})
        for tags, contexts in group.items():
            context = contexts.get(tuple(map(by_tag.get, tags)))
            if context is not None:
                return context
        top = Top(parsed)
        context = _Context(self.decide(top, reviewed))
        tags = tuple(sorted(top.read))
        key = tuple(map(by_tag.get, tags))
        if not any(isinstance(raw, int) for raw in key):  # of a long element only the place is known
            group.setdefault(tags, {})[key] = context
            self._size += 20 * _ENTRY + SIZE
        return context

    def _rewrite(self, parsed: ParsedFile, context: _Context, raw: bytes | int) -> _Rewritten:
        """Some elements' new bytes, from their bytes or from where the one lies in the file."""
        encoding = parsed.encoding
        if isinstance(raw, int):
            source, elements = parsed, [Walker(parsed.data).element(raw, len(parsed.data), encoding, 0)[0]]
        else:
            source, position, walker = ParsedFile(raw, "", encoding, 0, None), 0, Walker(raw)
            elements = []
            while position < len(raw):
                element, position = walker.element(position, len(raw), encoding, 0)
                elements.append(element)
        rewriter = self.rewriter(source, context.decided)
        new = rewriter.data_set(elements, encoding, context.decided.charset, top_level=True)
        result = new, tuple(rewriter.changes)
        if isinstance(raw, bytes) and len(raw) <= 1 << 14:
            context.elements[raw] = result
            self._size += 2 * len(raw) + _ENTRY
        return result

    @staticmethod
    def _cut(parsed: ParsedFile, position: int) -> bytes:
        _, stop = Walker(parsed.data).element(position, len(parsed.data), parsed.encoding, 0)
        return bytes(parsed.data[position:stop])


def _instance_uid(raw: bytes | int | None, encoding: Encoding) -> str:
    if not isinstance(raw, bytes) or not (encoding.implicit or raw[4:6] == b"UI"):
        return ""
    found = strings(raw[8:], "UI")
    return found[0] if len(found) == 1 else ""
