"""Texts that a device writes, reduced to what devices write: makers, models, kernels, sequences, versions.

An allow-list as for descriptions (``descriptors``), of words of its own beside theirs: the terms of
``vocabularies/device_tokens.csv``. Devices also write codes that no list has all of, ``B30f``, ``FC08-H``, ``VB17A``,
``*tfl3d1_16ns``, and versions, ``2.6.3.6``. Those stay by their shape: few digits, and no letters in a row but two
or such as the list has. Ids, personal numbers, dates, telephone numbers and addresses of computers have other shapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

from aida_pipelines.contracts.vocabulary import normalise
from aida_pipelines.deid.descriptors import (
    ENCODED,
    MAX_DIGITS,
    SPELT_OUT,
    digits_of_numbers,
    is_day,
    is_latin,
    say_a_number,
    unified,
    without_initials,
    without_numbers_of_persons,
    without_spelt_out,
)
from aida_pipelines.dicom.dictionary import DicomDictionary, private_creators

_WORD = re.compile(r"[^\W_]+")
_RUN = re.compile(r"[0-9]+|[^0-9]+")
_NUMBERS = re.compile(r"(?<![0-9])[0-9]+(?:[\W_]{1,3}[0-9]+)+(?![0-9])")
_SIGNS = re.compile(r"[\x20-\x7e]*")

_MAX_CODES = 6
_MAX_SHORT = 8
_MAX_DIGITS_OF_CODES = 12
_MAX_DIGITS_OF_CODE = 4
_MAX_UNKNOWN_LETTERS = 3
_MAX_DIGITS_OF_SIZE = 7
_OF_PHONES = frozenset("-/+. \u2013")


class DeviceCleaner:
    """Keeps what devices write.

    Args:
        tokens: The allowed words and whole texts, normalised: ``device_tokens.csv`` and ``descriptor_tokens.csv``.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = frozenset(tokens)

    def __call__(self, text: str) -> str:
        """The text as it is if everything in it is known, else what is known of it.

        ``"syngo MR E11, Anna Svensson"`` becomes ``"syngo MR E11"``.
        """
        text = unified(text).strip()
        if self._is_known(text):
            return text
        cleaned = self._once(text)
        while cleaned != text:  # what went may have stood between things that go together
            text, cleaned = cleaned, self._once(cleaned)
        return cleaned

    def _once(self, text: str) -> str:
        broken = without_numbers_of_persons(ENCODED.sub("?", text), versions=True)
        broken = _NUMBERS.sub(lambda match: _version(match.group()) or "?", broken)
        broken = without_initials(SPELT_OUT.sub("?", broken), self._tokens)
        kept, last_kept = list[re.Match[str]](), True
        for match in _WORD.finditer(broken):
            word = match.group()
            last_kept = self._allowed(word) and (last_kept or not word.isdigit())
            if last_kept:
                kept.append(match)
        codes = [match for match in kept if not self._is_word(match.group())]
        digits = sum(char.isdigit() for match in codes for char in match.group())
        if digits > _MAX_DIGITS_OF_CODES or len(codes) > _MAX_CODES:
            kept = [match for match in kept if match not in codes]
        short = [match for match in kept if len(match.group()) < 3]
        if len(short) > _MAX_SHORT:
            kept = [match for match in kept if match not in short]
        signs = "".join(_WORD.split(text))
        if broken == text and kept and len(kept) == len(_WORD.findall(text)) and _SIGNS.fullmatch(signs):
            return text
        cleaned, end = "", -1
        for match in kept:
            between = broken[end : match.start()] if end >= 0 else ""
            cleaned += (between if len(between) == 1 and between in "-_./+*:" else " ") + match.group()
            end = match.end()
        return cleaned.strip()

    def values(self, texts: Sequence[str]) -> list[str]:
        """Several values of one attribute: what a number may not say, several may not say together."""
        cleaned = without_spelt_out([self(text) for text in texts])
        digits = sum(digits_of_numbers(text) for text in cleaned if text.isdigit())
        if len(cleaned) > 1 and (digits > MAX_DIGITS or say_a_number(cleaned)):
            cleaned = ["" if text.isdigit() else text for text in cleaned]
        return cleaned

    def _is_known(self, text: str) -> bool:
        """Whether the whole text is a term of the list, or the name or creator of attributes."""
        if not is_latin(text):
            return False
        folded = normalise(text)
        return (
            (folded in self._tokens and not folded.isdigit())
            or (" " in text and folded in _names())
            or (text in _keywords())
        )

    def _is_word(self, word: str) -> bool:
        return normalise(word) in self._tokens

    def _allowed(self, word: str) -> bool:
        if not is_latin(word):
            return False
        if self._is_word(word):
            return True
        runs = _RUN.findall(normalise(word))
        digits = [run for run in runs if run.isdigit()]
        if not digits or max(map(len, digits)) > _MAX_DIGITS_OF_CODE:
            return False
        if sum(map(len, digits)) > _MAX_DIGITS_OF_CODE + (len(digits) > 1):
            return False
        unknown = [run for run in runs if not run.isdigit() and run not in self._tokens]
        return all(len(run) < 3 for run in unknown) and sum(map(len, unknown)) <= _MAX_UNKNOWN_LETTERS


def _version(numbers: str) -> str | None:
    """Numbers with signs between them, if they are a version or a size."""
    parts = re.split(r"[^0-9]+", numbers)
    signs = set(re.findall(r"[^0-9]", numbers))
    digits = sum(map(len, parts))
    if len(parts) == 2 and all(len(part) < 5 for part in parts):
        return None if _is_pair_of_persons(numbers, parts, signs) else numbers
    if signs.isdisjoint(_OF_PHONES):  # nobody's number, but a sequence may be written so: 2_90_20
        return numbers if digits <= _MAX_DIGITS_OF_SIZE else None
    is_address = len(parts) == 4 and len(parts[0]) > 1  # of a computer
    if (
        signs != {"."}
        or len(parts) > 4
        or any(len(part) > 4 for part in parts)
        or len(numbers) > 13
        or is_address
    ):
        return None
    return None if len(parts) == 3 and is_day(*parts) else numbers


def _is_pair_of_persons(numbers: str, parts: Sequence[str], signs: set[str]) -> bool:
    """Whether two numbers may be a month, a telephone number or an id."""
    first, second = parts
    year = len(second) == 4 and second[:2] in ("19", "20")
    phone = signs <= _OF_PHONES and first.startswith("0") and len(first) > 1 and len(second) > 2
    if year or phone or (signs & {"/", "+"} and len(numbers) > 6):
        return True
    month = len(first) == 4 and first[:2] in ("19", "20") and int(second) < 13
    return signs != {"."} and (month or len(first + second) > _MAX_DIGITS_OF_SIZE)


@cache
def _names() -> frozenset[str]:
    """Names of the standard's attributes, and private creators of more than one word."""
    names = {normalise(entry[2]) for entry in DicomDictionary.values()}
    return frozenset(names | {normalise(creator) for creator in private_creators()})


@cache
def _keywords() -> frozenset[str]:
    return frozenset(entry[4] for entry in DicomDictionary.values() if entry[4])
