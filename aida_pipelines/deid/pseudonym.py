"""Pseudonyms: subjects, UIDs and date offsets out of one secret key.

Everything is HMAC-SHA-256 under a key of its own, derived from the key file for that purpose (domain
separation), so that a subject's pseudonym says nothing about the offset of its dates. Never a plain hash:
there are so few Swedish personal numbers that all of them can be hashed in seconds; without the key nobody
can try them.

The same key gives the same pseudonyms in every file, on every machine, at any time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import unicodedata
from datetime import MAXYEAR, MINYEAR, date, timedelta
from functools import lru_cache
from pathlib import Path

from aida_pipelines.errors import StorageError, UsageError

KEY_BYTES = 32

MAX_SHIFT_DAYS = 3650
"""Dates move by 1 to this many days, to either side."""

NATIONAL_ISSUER = "se-personnummer"
"""Issuer of every Swedish personal number, whatever a header says: the tax agency issues them for all
sites."""

_PERSONAL_NUMBER = re.compile(r"(?:18|19|20)?(\d{2})(\d{2})(\d{2})[-+]?(\d{4})")
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))


def create_key(path: Path) -> None:
    """Write a new random key, readable by its owner only. An existing file is never touched.

    Raises:
        UsageError: There is a file already.
        StorageError: The file can't be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)  # fails if the name is taken, and never shows half a key
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError:
        raise UsageError(
            f"There is a key in {path} already; it was left as it is.",
            way_out="Everything pseudonymised with it depends on it: use it, or name another file.",
        ) from None
    except OSError as error:
        raise StorageError(f"The key can't be written to {path}: {os.strerror(error.errno or 0)}.") from None


def load_key(path: Path) -> bytes:
    """The key's bytes.

    Raises:
        UsageError: There is none, it is not 32 bytes, or others than its owner may read it.
    """
    try:
        mode, key = path.stat().st_mode, path.read_bytes()
    except OSError:
        raise UsageError(
            f"There is no readable pseudonym key in {path}.",
            way_out="Name yours in AIDA_PSEUDONYM_KEY_FILE; `aida deliver` makes one in a new AIDA_HOME.",
        ) from None
    if mode & 0o077:
        raise UsageError(f"Others may read the key in {path}.", way_out=f"Run: chmod 600 {path}")
    if len(key) != KEY_BYTES:
        raise UsageError(f"{path} is not a key: it has {len(key)} bytes, not {KEY_BYTES}.")
    return key


def normalise_patient_id(issuer: str, patient_id: str) -> tuple[str, str]:
    """Issuer and id such that every spelling of one person's id gives the same pair.

    A Swedish personal or coordination number (valid date, valid check digit) is reduced to its ten digits
    and to one issuer for the whole country: ``19121212-1212``, ``121212 1212`` and ``121212+1212`` are one
    person. The century is dropped because many systems don't write it; the price is that two persons born
    exactly a hundred years apart with the same last four digits would be taken for one.
    """
    text = unicodedata.normalize("NFKC", patient_id).translate(_DASHES).strip("\0 \t")
    compact = re.sub(r"\s", "", text)
    if (match := _PERSONAL_NUMBER.fullmatch(compact)) and _is_personal_number(match):
        return NATIONAL_ISSUER, "".join(match.groups())
    return unicodedata.normalize("NFKC", issuer).strip("\0 \t").casefold(), re.sub(r"\s+", " ", text)


def is_personal_number(text: str) -> bool:
    """Whether a text is a Swedish personal or coordination number: ten or twelve digits, sign or not."""
    match = _PERSONAL_NUMBER.fullmatch(text)
    return match is not None and _is_personal_number(match)


def _is_personal_number(match: re.Match[str]) -> bool:
    year, month, day = (int(part) for part in match.groups()[:3])
    # a coordination number has 60 added to the day; 2000 is a leap year, so that every 29 February passes
    try:
        date(2000 + year % 4, month, day - 60 if day > 60 else day)
    except ValueError:
        return False
    digits = "".join(match.groups())
    doubled = (int(digit) * (2 - index % 2) for index, digit in enumerate(digits))
    return sum(n // 10 + n % 10 for n in doubled) % 10 == 0


class Pseudonyms:
    """Pseudonyms under one key.

    Args:
        key: 32 bytes, from ``load_key``.

    Attributes:
        key_id: Eight hexadecimal digits that tell keys apart and say nothing about them.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError("a key has 32 bytes")
        self._subject_key, self._uid_key, self._date_key, self._token_key = (
            hmac.digest(key, purpose, hashlib.sha256)
            for purpose in (b"subject", b"uid", b"date-offset", b"token")
        )
        self.key_id = hmac.digest(key, b"key-id", hashlib.sha256).hex()[:8]
        self._offset = lru_cache(maxsize=1024)(self._offset_of)

    def __repr__(self) -> str:
        return f"Pseudonyms(key_id={self.key_id})"

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
        """A UID of the form ``2.25.`` + 128 bits as a decimal number (PS3.5 annex B.2)."""
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

    def offset(self, subject: str) -> timedelta:
        """By how much a subject's dates move: a whole number of days, never 0."""
        return self._offset(subject)

    def _offset_of(self, subject: str) -> timedelta:
        digest = hmac.digest(self._date_key, subject.encode(), hashlib.sha256)
        step = int.from_bytes(digest[:8], "big") % (2 * MAX_SHIFT_DAYS)
        return timedelta(days=step - MAX_SHIFT_DAYS if step < MAX_SHIFT_DAYS else step - MAX_SHIFT_DAYS + 1)

    def shift(self, day: date, subject: str) -> date | None:
        """The day moved by the subject's offset; None where it would leave the calendar."""
        ordinal = day.toordinal() + self.offset(subject).days
        first, last = date(MINYEAR, 1, 1).toordinal(), date(MAXYEAR, 12, 31).toordinal()
        return date.fromordinal(ordinal) if first <= ordinal <= last else None
