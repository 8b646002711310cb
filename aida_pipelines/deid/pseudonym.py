"""Pseudonyms: subjects, UIDs and the numbers that dates are moved by, out of one secret key.

Everything is HMAC-SHA-256, never a plain hash: there are so few Swedish personal numbers that all of them can be
hashed in seconds; without the key nobody can try them. Two steps of derivation lie between the key and a pseudonym:

* the **domain**, usually a collection: nothing that was made in one domain is found in another, so that two
  datasets can't be joined by whoever has both;
* the **purpose**, so that a subject's pseudonym says nothing about how its dates were moved.

The same key and domain give the same pseudonyms in every file, on every machine, at any time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata
from datetime import date

from aida_pipelines.deid.luhn import luhn

KEY_BYTES = 32

NATIONAL_ISSUER = "se-personnummer"
"""Issuer of every Swedish personal number, whatever a header says: the tax agency issues them for all
sites."""

# Year, month and day may be apart, as dates are; so may the number that follows them, by a plus sign too.
_PERSONAL_NUMBER = re.compile(
    r"(?P<century>18|19|20)?([0-9]{2})(?P<apart>[-./_]?)([0-9]{2})(?P=apart)([0-9]{2})[-+./_]?([0-9]{4})"
)
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−﹘", "-"))


def normalise_patient_id(issuer: str, patient_id: str) -> tuple[str, str]:
    """Issuer and id such that every spelling of one person's id gives the same pair.

    A Swedish personal or coordination number (valid date, valid check digit) is reduced to its ten digits
    and to one issuer for the whole country: ``19121212-1212``, ``121212 1212``, ``1912-12-12-1212`` and
    ``121212+1212`` are one person, and so is ``191212121212^^^PNR`` (HL7's CX: what follows the id says who
    issued it). The century is dropped because many systems don't write it; the price is that two persons born
    exactly a hundred years apart with the same last four digits would be taken for one.
    """
    text = _plain(patient_id).translate(_DASHES)
    compact = re.sub(r"[\s\0]", "", text.partition("^")[0])
    if (match := _PERSONAL_NUMBER.fullmatch(compact)) and _is_personal_number(match):
        return NATIONAL_ISSUER, "".join(match.group(2, 4, 5, 6))
    return _plain(issuer).casefold(), re.sub(r"\s+", " ", text)


def is_personal_number(text: str) -> bool:
    """Whether a text is a Swedish personal or coordination number: ten or twelve digits, sign or not."""
    match = _PERSONAL_NUMBER.fullmatch(text)
    return match is not None and _is_personal_number(match)


def _plain(text: str) -> str:
    """Compatible forms, invisible characters and foreign digits as the plain ones that they stand for."""
    text = unicodedata.normalize("NFKC", text)
    if not text.isascii():
        text = "".join(
            str(digit) if (digit := unicodedata.decimal(character, -1)) >= 0 else character
            for character in text
            if unicodedata.category(character) != "Cf"
        )
    return text.strip("\0 \t")


def _is_personal_number(match: re.Match[str]) -> bool:
    digits = "".join(match.group(2, 4, 5, 6))
    year, month, day = int(digits[:2]), int(digits[2:4]), int(digits[4:6])
    # Without a century the year that has a 29 February if any of its centuries has one: 2000 does, 1900 doesn't.
    century = int(match["century"] or 20)
    # A coordination number has 60 added to the day.
    try:
        date(century * 100 + year, month, day - 60 if day > 60 else day)
    except ValueError:
        return False
    return luhn(digits)


class Pseudonyms:
    """Pseudonyms of one domain of a key.

    Args:
        key: 32 bytes.
        domain: Its name. There is no default: what is made without one could be joined to anything.

    Attributes:
        domain: The domain's name.
    """

    def __init__(self, key: bytes, domain: str) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError("a key has 32 bytes")
        if not domain:
            raise ValueError("a domain has a name")
        self.domain = domain
        self._key = hmac.digest(key, b"domain:" + domain.encode(), hashlib.sha256)
        self._subject_key, self._uid_key = self._key_for("subject"), self._key_for("uid")
        self._token_key = self._key_for("token")

    def __repr__(self) -> str:
        return f"Pseudonyms(domain={self.domain!r})"

    def subject(self, issuer: str, patient_id: str) -> str:
        """``sub-`` and 16 characters of base32 (80 bits) for a patient.

        Args:
            issuer: Who gave the id: Issuer of Patient ID (0010,0021), else the site's.
            patient_id: As written; spellings are normalised.
        """
        pair = "\0".join(normalise_patient_id(issuer, patient_id))
        digest = hmac.digest(self._subject_key, pair.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return "sub-" + base64.b32encode(digest[:10]).decode().lower()

    def uid(self, original: str) -> str:
        """A UID of the form ``2.25.`` + 128 bits as a decimal number (PS3.5 annex B.2): at most 44 characters."""
        digest = hmac.digest(self._uid_key, original.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"2.25.{int.from_bytes(digest[:16], 'big')}"

    def token(self, kind: str, value: str) -> str:
        """16 characters of base32 (80 bits) for an opaque identifier: a serial number, a local code.

        Args:
            kind: What it identifies; the same value of two kinds gives two tokens.
            value: As written.
        """
        pair = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
        digest = hmac.digest(self._token_key, pair, hashlib.sha256)
        return base64.b32encode(digest[:10]).decode().lower()

    def secret(self, purpose: str) -> Secret:
        """A source of secret numbers for one purpose."""
        return Secret(self._key_for(purpose))

    def _key_for(self, purpose: str) -> bytes:
        return hmac.digest(self._key, purpose.encode(), hashlib.sha256)


class Secret:
    """Secret numbers by name: the same name, the same number; without the key no better than chance.

    Args:
        key: 32 bytes, derived for one purpose.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def below(self, bound: int, *names: str) -> int:
        """A number from 0 to ``bound`` - 1, evenly spread; ``bound`` is far below 2**64."""
        digest = hmac.digest(self._key, "\0".join(names).encode(), hashlib.sha256)
        return int.from_bytes(digest[:8], "big") % bound
