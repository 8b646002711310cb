"""The spellings that one name has: case, accents, and Scandinavian letters written as one letter or as two."""

from __future__ import annotations

import unicodedata

_UNFOLDED = str.maketrans({"ø": "o", "æ": "ae", "đ": "d", "ł": "l", "þ": "th", "ð": "d", "œ": "oe"})
_DIGRAPHS = str.maketrans({"å": "aa", "ä": "ae", "æ": "ae", "ö": "oe", "ø": "oe", "ü": "ue"})


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
