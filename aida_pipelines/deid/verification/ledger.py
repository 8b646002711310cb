"""What holds from one instance to the next: a UID has one successor, a patient one pseudonym and one offset.

In bounded memory: of the UIDs and patients that were seen last. What comes up again within that (series, study,
frame of reference, an image that others refer to) is compared; a contradiction to an instance that was forgotten
is not seen. A process knows only what it has verified itself.
"""

from __future__ import annotations

from collections.abc import Iterable

MOST = 1 << 15
"""Entries of each kind in each of two generations."""


class _Recent:
    """A mapping of fingerprints that forgets what was not asked for of late."""

    def __init__(self) -> None:
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def agrees(self, key: int, value: int) -> bool:
        """Whether this is the key's value, or the key is not remembered."""
        known = self._young.get(key)
        if known is None:
            known = self._old.get(key, value)
        return known == value

    def enter(self, key: int, value: int) -> None:
        """Remember it."""
        if len(self._young) >= MOST:
            self._young, self._old = {}, self._young
        self._young[key] = value


class Ledger:
    """Compares instances with those before them. Holds fingerprints only, no value."""

    def __init__(self) -> None:
        self._forth, self._back = _Recent(), _Recent()
        self._subjects, self._offsets = _Recent(), _Recent()

    def uids_agree(self, pairs: Iterable[tuple[str, str]]) -> bool:
        """Whether each UID has the successor that it had before, and no other had that successor."""
        # Python's own string hash: 64 bits, keyed anew in every process.
        return all(
            self._forth.agrees(hash(old), hash(new)) and self._back.agrees(hash(new), hash(old))
            for old, new in pairs
        )

    def subject_agrees(self, patient: bytes, subject: str, offset: int | None) -> bool:
        """Whether a patient has the pseudonym, and that one the offset, that it had before.

        Args:
            patient: Id and issuer as written; empty if there is none.
            subject: The pseudonym.
            offset: By how many days the dates have moved, if that can be told.
        """
        same = not patient or self._subjects.agrees(hash(patient), hash(subject))
        return same and (offset is None or self._offsets.agrees(hash(subject), offset))

    def enter(
        self, pairs: Iterable[tuple[str, str]], patient: bytes, subject: str, offset: int | None
    ) -> None:
        """Remember an instance in which nothing was found."""
        for old, new in pairs:
            self._forth.enter(hash(old), hash(new))
            self._back.enter(hash(new), hash(old))
        if patient:
            self._subjects.enter(hash(patient), hash(subject))
        if offset is not None:
            self._offsets.enter(hash(subject), offset)
