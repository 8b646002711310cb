"""Descriptions reduced to words that are known to be harmless (PS3.15 E.3.5, option Clean Descriptors).

An allow-list, not a search for names: what isn't on the list goes, so that a name nobody has heard of, a
misspelt one or a telephone number doesn't need to be recognised. How something is written doesn't help it through:
wide digits are digits, characters without width are none, letters of other scripts are not on the list, and words
of one letter in a row are a word spelt out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from aida_pipelines.contracts.vocabulary import normalise
from aida_pipelines.deid.pseudonym import is_personal_number

MAX_DIGITS = 8
"""A description whose numbers together have more digits than this loses all of them: they may spell an id."""

UNKNOWN_WORD = " qqqq "
"""On no allow-list: stands where an identifier stood, so that the number behind it goes as well."""

_JOINED_NUMBERS = re.compile(
    r"(?<![\d.,])(?:\d{1,4}([-/.])\d{1,3}(\1\d{1,4})+|0\d{1,3}[-/ ]+\d{2,}([ -]\d{2,})*|\d+-\d{5,})(?!\d)"
)
"""Three or more numbers with one sign between them: a date, a computer's address; a telephone number; an id."""

_WORD = re.compile(r"[^\W_]+(?:[.,][0-9]+)?[^\W_]*")
_NUMBER = re.compile(r"([0-9]{1,3}(?:[.,][0-9]{1,3})?)([^\W\d_]*)")
_LETTERS_THEN_NUMBER = re.compile(r"([^\W\d_]+)([0-9]{1,4}(?:[.,][0-9]{1,2})?)([^\W\d_]*)")
ENCODED = re.compile(
    r"(?:[%=][0-9A-Fa-f]{2})+(?![0-9A-Fa-f])|(?:[%=][0-9A-Fa-f]{2}){2,}|&#?\w{1,8};"
    r"|(?<!\w)[0-9A-Fa-f]{2}(?:[ :\-][0-9A-Fa-f]{2}){4,}(?!\w)"
)
"""Percent encoding, quoted-printable, entities, bytes in hexadecimal: what they stand for is anybody's guess."""
SPELT_OUT = re.compile(r"(?<![^\W_])[^\W\d_](?:[\W_]+[^\W\d_](?![^\W_])){3,}")
_GROUPS = re.compile(r"(?<![0-9])[0-9]{1,4}(?:[\W_]{1,3}[0-9]{1,4})+(?![0-9])")
_ONE_DECIMAL = re.compile(r"(?<![0-9.,])[0-9]{1,3}[.,][0-9](?![0-9.,])")
_RESERVE_NUMBER = re.compile(r"(?<!\d)(?:18|19|20)?\d{6}[-+–−][^\W_]{4}(?![^\W_])")
"""What hospitals write for persons whose personal number they don't know: a day of birth and four signs."""
_AGE = re.compile(
    r"(?<!\d)(?:\d{1,3}[ \-]{0,2}(?:years?|yrs?|y/o|yo|år|åring|årig[at]?)|(?:0\d\d|9\d|1[01]\d) ?y)(?![^\W_])",
    re.IGNORECASE,
)
_INITIALS = re.compile(r"(?<![^\W_])[^\W\d_](?:\.\s?[^\W\d_](?![^\W_]))+")
_LEAST_DIGITS_OF_PHONE = 7
_NUMBERS_IN_A_ROW = re.compile(r"(?<![\d.,])\d{1,4}(?: +\d{1,4}(?![\d.,])){2,}(?![^\W_])")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_KEPT_SEPARATOR = re.compile(r"[\s_\-+/().,:;*%&\[\]<>=^#]{0,3}")


_GRADIENT = re.compile(r"b=[0-9]{1,5}\(-?[01]\.[0-9]{3}(,-?[01]\.[0-9]{3}){2}\)")
"""Canon's diffusion weighting, which is in Image Comments only (dcm2niix, notes on Canon): b=1500(0.895,0,0.445)
with three decimals throughout."""


class DescriptorCleaner:
    """Keeps the words of an allow-list, small numbers with a unit, and codes like ``T1`` or ``b1000``.

    Args:
        tokens: The allowed words, normalised: the terms of ``vocabularies/descriptor_tokens.csv``.

    Attributes:
        tokens: The same.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens = frozenset(tokens)

    def __call__(self, text: str) -> str:
        """The text with everything else left out; words keep their order and the signs between them.

        ``"T1 ax +Gd Anna Svensson"`` becomes ``"T1 ax +Gd"``.
        """
        if _GRADIENT.fullmatch(text):
            return text
        text, cleaned = unified(text), self._once(unified(text))
        while cleaned != text:  # what went may have stood between things that go together
            text, cleaned = cleaned, self._once(cleaned)
        return cleaned

    def _once(self, text: str) -> str:
        text = _JOINED_NUMBERS.sub("?", without_numbers_of_persons(ENCODED.sub("?", text)))
        text = SPELT_OUT.sub("?", _NUMBERS_IN_A_ROW.sub("?", text))
        text = without_initials(text, self.tokens)
        kept, last_kept = [], True
        for match in _WORD.finditer(text):
            # A bare number behind a word that goes is part of it: house numbers, post codes, numbers of wards.
            last_kept = self._allowed(match.group()) and (last_kept or not match.group().isdigit())
            if last_kept:
                kept.append(match)
        numeric = [match for match in kept if _NUMBER.fullmatch(match.group())]
        if sum(char.isdigit() for match in numeric for char in match.group()) > MAX_DIGITS:
            kept = [match for match in kept if match not in numeric]
        cleaned, end = "", -1
        for match in kept:
            between = text[end if end >= 0 else max(0, match.start() - 1) : match.start()]
            if not _KEPT_SEPARATOR.fullmatch(between):
                between = " "
            if end < 0:
                between = "+" if between == "+" else ""
            elif between[-1:] != "+" and len(between) > 1:
                between = " " if between.isspace() else between
            cleaned += between + match.group()
            end = match.end()
        return cleaned.strip()

    def values(self, texts: Sequence[str]) -> list[str]:
        """Several values of one attribute: what a number may not say, several may not say together."""
        cleaned = without_spelt_out([self(text) for text in texts])
        if len(cleaned) > 1 and (sum(map(digits_of_numbers, cleaned)) > MAX_DIGITS or say_a_number(cleaned)):
            cleaned = [text if not digits_of_numbers(text) else "" for text in cleaned]
        return cleaned

    def _allowed(self, word: str) -> bool:
        if not word.isascii() and not is_latin(word):
            return False
        folded = word.casefold() if word.isascii() else normalise(word)
        if folded in self.tokens:
            return True
        if match := _NUMBER.fullmatch(folded):
            return not match[2] or match[2] in self.tokens
        if match := _LETTERS_THEN_NUMBER.fullmatch(folded):
            return match[1] in self.tokens and (not match[3] or match[3] in self.tokens)
        return False


def without_numbers_of_persons(text: str, *, versions: bool = False) -> str:
    """The text with a question mark for ages, reserve numbers, and numbers in groups that are an id or a day.

    Whatever stands between the groups: ``17/11-23``, ``1964_0823_3234``, ``(08) 465 004``.

    Args:
        text: The text.
        versions: Leave numbers with nothing but points between them to who asks.
    """

    def group(match: re.Match[str]) -> str:
        between = set(re.sub("[0-9]", "", match.group()))
        return match.group() if versions and between == {"."} else _group(match)

    return _GROUPS.sub(group, _AGE.sub("?", _RESERVE_NUMBER.sub("?", text)))


def without_initials(text: str, tokens: frozenset[str]) -> str:
    """The text with a question mark for letters with points between them, unless they are a word's (``a.p.``)."""

    def letters(match: re.Match[str]) -> str:
        return match.group() if normalise(match.group().replace(".", "")) in tokens else "?"

    return _INITIALS.sub(letters, text)


def say_a_number(values: Sequence[str]) -> bool:
    """Whether those of several values that are numbers are an id or a day when they are read in a row."""
    row = "_".join(value for value in values if value.isdigit())
    return without_numbers_of_persons(row) != row


def is_day(first: str, second: str, third: str) -> bool:
    """Whether three numbers can be a day in one of the usual orders, the year with two or four digits.

    The day of a coordination number has 60 more.
    """
    one, two, three = int(first), int(second), int(third)
    year_last = len(third) == 2 or (len(third) == 4 and third[:2] in ("18", "19", "20"))
    year_first = len(first) in (2, 4) and len(second) == len(third) == 2
    in_order = (0 < one < 32 and 0 < two < 13) or (0 < one < 13 and 0 < two < 32)
    return (year_last and in_order) or (year_first and 0 < two < 13 and (0 < three < 32 or 60 < three < 92))


def _group(match: re.Match[str]) -> str:
    """Numbers with signs between them as they are, or a question mark."""
    text, behind_letters = match.group(), match.string[: match.start()][-1:].isalpha()
    if not _is_of_a_person(text):
        return text
    code = re.split("[^0-9]", text, maxsplit=1)[0]
    # "T1 1895-06-14": the day goes, and the code that it stands behind stays.
    rest = re.sub(r"^[\W_]+", "", text[len(code) :])
    return f"{code} ?" if behind_letters and _is_of_a_person(rest) else "?"


def _is_of_a_person(text: str) -> bool:
    """Whether numbers with signs between them are a telephone number, an id, a personal number or a day."""
    parts = re.findall("[0-9]+", _ONE_DECIMAL.sub("", text))
    digits = "".join(re.findall("[0-9]+", text))
    is_phone = re.match("0[0-9]", text) is not None and len(digits) >= _LEAST_DIGITS_OF_PHONE
    is_id = len(digits) >= MAX_DIGITS and len(parts) > 3
    triples = zip(parts, parts[1:], parts[2:], strict=False)
    return is_phone or is_id or is_personal_number(digits) or any(is_day(*triple) for triple in triples)


def unified(text: str) -> str:
    """The text with each character written in one way (NFKC), without those that have no width."""
    text = _CONTROLS.sub(" ", text)
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text)
    return "".join(char for char in text if unicodedata.category(char) not in ("Cf", "Mn", "Co", "Cn"))


def without_spelt_out(values: list[str]) -> list[str]:
    """Values without those of one character, if there are so many of them that they may be a word."""
    return (
        [text if len(text) > 1 else "" for text in values] if sum(len(v) == 1 for v in values) > 3 else values
    )


def is_latin(text: str) -> bool:
    """Whether all letters and digits are those of the vocabularies: Latin, with accents or without."""
    return text.isascii() or all(normalise(char) for char in text if char.isalnum())


def digits_of_numbers(text: str) -> int:
    """How many digits the words have that are nothing but numbers."""
    return sum(len(word) for word in re.split(r"[\W_]+", text) if word.isdigit())
