"""All that a few bytes may say: whoever looks for a name doesn't know in which encoding it was written.

A declared character set may be missing, wrong or another one's, and a name in UTF-16 inside a Latin-1 value is
still a name to whoever opens the file with the right program. So bytes that aren't plain ASCII are read in every
encoding that a device of a Swedish hospital, or one that came from abroad, writes.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from pydicom.charset import convert_encodings, decode_bytes

from aida_pipelines.dicom.quiet import quiet_pydicom

_ESCAPE = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")
"""ISO 2022 escape sequences, by which PS3.5 section 6.1.2.5 changes the character set within a value."""

_ALWAYS = ("latin-1", "utf-8", "cp850", "mac-roman")
_WIDE = ("utf-16-le", "utf-16-be")
_OTHERS = (
    "iso8859_2", "iso8859_5", "iso8859_7", "iso8859_15", "gb18030", "shift_jis", "euc_jp", "iso2022_jp_2",
    "iso2022_kr", "euc_kr", "cp1251",
)  # fmt: skip

_DELIMITERS = {0x5C, 0x0D, 0x0A, 0x09, 0x0C, 0x5E, 0x3D}
_UNFOLDED = str.maketrans({"ø": "o", "æ": "ae", "đ": "d", "ł": "l", "þ": "th", "ð": "d", "œ": "oe"})
_DIGRAPHS = str.maketrans({"å": "aa", "ä": "ae", "æ": "ae", "ö": "oe", "ø": "oe", "ü": "ue"})


def readings(value: bytes, charset: bytes | None = None) -> tuple[str, ...]:
    """Every text that ``value`` may be, the most likely first.

    Args:
        value: An element's bytes.
        charset: Value of the Specific Character Set that holds for it.
    """
    if value.isascii() and not _has_controls(value):
        return (value.decode("ascii"),)
    plain = _ESCAPE.sub(b"", value)
    # Without its zeros UTF-16 or UTF-32 of Western text, in either order and at any offset, is Latin-1.
    narrow = plain.translate(None, b"\0")
    found = dict.fromkeys(narrow.decode(encoding, "replace") for encoding in _ALWAYS)
    if charset:
        found[_as_declared(value, charset)] = None
    found.update(dict.fromkeys(plain[odd:].decode(wide, "replace") for wide in _WIDE for odd in (0, 1)))
    found.update(dict.fromkeys(value.decode(encoding, "replace") for encoding in _OTHERS))
    return tuple(found)


def narrow_readings(value: bytes) -> tuple[str, ...]:
    """The likeliest texts only, for bytes that are numbers or unknown and may be many."""
    plain = _ESCAPE.sub(b"", value).translate(None, b"\0")
    return tuple(dict.fromkeys((plain.decode("latin-1"), plain.decode("utf-8", "replace"))))


def declared_reading(value: bytes, charset: bytes | None) -> str:
    """What ``value`` says by its own character set; as Latin-1 where that fails."""
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii").strip("\0 ")
    return _as_declared(value, charset or b"").strip("\0 ")


def _has_controls(value: bytes) -> bool:
    return b"\x1b" in value or b"\0" in value.rstrip(b"\0 ")


def _as_declared(value: bytes, charset: bytes) -> str:
    with quiet_pydicom():
        try:
            return str(decode_bytes(value, list(_encodings(charset)), _DELIMITERS))
        except (LookupError, ValueError, UnicodeError):
            return value.decode("latin-1")


@lru_cache(maxsize=64)
def _encodings(charset: bytes) -> tuple[str, ...]:
    terms = [term.strip() for term in charset.decode("ascii", "replace").strip("\0 ").split("\\")]
    return tuple(convert_encodings(terms))


def folded(text: str) -> str:
    """Lower case, without accents, full width or invisible characters: ``Åsa`` and ``ASA`` are one."""
    if text.isascii():
        return text.lower()
    lower = unicodedata.normalize("NFKD", text.casefold().translate(_UNFOLDED))
    return "".join(char for char in lower if unicodedata.category(char) not in ("Mn", "Cf"))


def digraphed(text: str) -> str:
    """``folded``, with Scandinavian and German letters written as two: ``Åsa`` and ``Aasa`` are one."""
    if text.isascii():
        return text.lower()
    return folded(unicodedata.normalize("NFKC", text.casefold()).translate(_DIGRAPHS))


def squeezed(text: str) -> str:
    """Letters and digits only, of folded text."""
    return _NO_WORD.sub("", text)


_NO_WORD = re.compile(r"[\W_]+")
