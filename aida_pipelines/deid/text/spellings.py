"""The letters of a text under which spellings of one word meet, and where in the text each of them stands.

Lower case, no accents, no invisible characters: ``Åsa``, ``ÅSA``, ``ASA`` and a decomposed ``Åsa`` are ``asa``. What
is written with two letters for one (``Aasa``) is another word here; ``spellings`` gives both for a name.
"""

from __future__ import annotations

import re
import unicodedata

from aida_pipelines.deid.text.plain import INVISIBLE, plain

_ONE_LETTER = str.maketrans(
    {"ø": "o", "æ": "a", "ß": "ss", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "œ": "o"}
)
_TWO_LETTERS = str.maketrans({"å": "aa", "ä": "ae", "æ": "ae", "ö": "oe", "ø": "oe", "ü": "ue"})
_FROM_TWO = re.compile(r"aa|ae|oe|ue")


class Folded:
    """A text folded.

    Args:
        text: The original.

    Attributes:
        text: Its letters, folded; other characters as ``plain`` has them.
    """

    def __init__(self, text: str) -> None:
        self._places: list[int] | None = None
        self._length = len(text)
        if text.isascii():
            self.text = text.lower()
            return
        letters: list[str] = []
        self._places = []
        for place, char in enumerate(plain(text)):
            piece = fold_letter(char)
            letters.append(piece)
            self._places += [place] * len(piece)
        self.text = "".join(letters)

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """A place in the folded text as one in the original."""
        if self._places is None or start >= stop:
            return start, stop
        last = self._places[stop] if stop < len(self._places) else self._length
        return self._places[start], last


def fold_letter(char: str) -> str:
    """One character folded: none, one or two."""
    if char.isascii():
        return "" if char == INVISIBLE else char.lower()
    pieces = unicodedata.normalize("NFKD", char.casefold().translate(_ONE_LETTER))
    return "".join(piece for piece in pieces if unicodedata.category(piece) not in ("Mn", "Cf"))


def fold(text: str) -> str:
    """``Folded.text``."""
    return Folded(text).text


def spellings(word: str) -> frozenset[str]:
    """A name's folded spellings: its letters as one and as two; two that may stand for one as that."""
    whole = unicodedata.normalize("NFC", word).casefold()
    folded = fold(whole)
    return frozenset(
        {folded, fold(whole.translate(_TWO_LETTERS)), _FROM_TWO.sub(lambda two: two[0][0], folded)}
    )
