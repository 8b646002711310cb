"""Text as a recogniser reads it: the same number of characters, fewer ways to write each.

Positions in the plain text are positions in the original, so that what is found in one can be cut out of the other.
"""

from __future__ import annotations

import unicodedata

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹘﹣－"), "-")
_SPACES = dict.fromkeys(map(ord, "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"), " ")  # fmt: skip
# Invisible characters between two digits split no number.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff\u034f\u061c\u200e\u200f"), "\x01")
_TABLE = {**_DASHES, **_SPACES, **_INVISIBLE}

INVISIBLE = "\x01"
"""Stands for a character that nobody sees."""


def plain(text: str) -> str:
    """One kind of dash and of space, decimal digits of every script as ASCII, full width as half width.

    Returns:
        As many characters as ``text`` has.
    """
    if text.isascii():
        return text
    return "".join(_one(char) for char in text.translate(_TABLE))


def _one(char: str) -> str:
    if char.isascii():
        return char
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    narrow = unicodedata.normalize("NFKC", char)
    return narrow if len(narrow) == 1 else char
