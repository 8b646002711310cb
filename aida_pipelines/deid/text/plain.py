"""Text as a recogniser reads it: the same number of characters, fewer ways to write each.

Positions in the plain text are positions in the original, so that what is found in one can be cut out of the other.
"""

from __future__ import annotations

import unicodedata

INVISIBLE = "\x01"
"""Stands for a character that nobody sees: between two digits it splits no number."""

_INVISIBLE = frozenset("\u00ad\u034f")  # soft hyphen and grapheme joiner; others are of category Cf
_MINUS = "\u2212"


def plain(text: str) -> str:
    """One kind of dash and of space, decimal digits of every script as ASCII, full width as half width.

    Returns:
        As many characters as ``text`` has.
    """
    return text if text.isascii() else "".join(map(_one, text))


def _one(char: str) -> str:
    if char.isascii():
        return char
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    category = unicodedata.category(char)
    if category == "Cf" or char in _INVISIBLE:
        return INVISIBLE
    if category == "Pd" or char == _MINUS:
        return "-"
    if category in ("Zs", "Zl", "Zp"):
        return " "
    narrow = unicodedata.normalize("NFKC", char)
    return narrow if len(narrow) == 1 else char
