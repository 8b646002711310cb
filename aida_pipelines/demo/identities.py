"""Synthetic Swedish persons. Everything about them is made up, and looks it.

Personal numbers belong to people born in the 1890s, so that no living person has one; they carry a valid check digit
(Luhn over YYMMDDNNN, Swedish Tax Agency SKV 704), because recognisers look for it. Names end in "testsson" or the like;
telephone numbers come from the series that the Swedish Post and Telecom Authority keeps for fiction: 070-1740605 to
-1740699.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

_FIRST = ("Åsa", "Örjan", "Märta", "Göran", "Linnéa", "Håkan", "Ylva", "Sören")
_LAST = ("Testsson", "Påhittsdotter", "Exempelström", "Övningsberg", "Attrappvist", "Låtsasgren")


@dataclass(frozen=True)
class Person:
    """One made-up patient and what a hospital would write into headers about a visit.

    Attributes:
        family_name: Family name.
        given_name: Given name.
        personnummer: ``YYYYMMDDNNNC``.
        sex: ``F`` or ``M``, as the ninth digit of the number says.
        address: Street and town.
        telephone: Number from the series for fiction.
        accession_number: The visit's number.
        referring_physician: Who sent the patient, as a DICOM person name.
    """

    family_name: str
    given_name: str
    personnummer: str
    sex: str
    address: str
    telephone: str
    accession_number: str
    referring_physician: str

    @property
    def patient_name(self) -> str:
        """DICOM person name (PS3.5 6.2): family^given."""
        return f"{self.family_name}^{self.given_name}"

    @property
    def birth_date(self) -> str:
        """``YYYYMMDD``."""
        return self.personnummer[:8]

    @property
    def dashed(self) -> str:
        """The number as people write it: ``YYYYMMDD-NNNC``."""
        return f"{self.personnummer[:8]}-{self.personnummer[8:]}"

    def identifiers(self) -> list[str]:
        """Everything that may not be found outside the raw zone. The sex is no identifier."""
        values = [getattr(self, field.name) for field in fields(self) if field.name != "sex"]
        return [*values, self.patient_name, self.dashed]


def luhn(digits: str) -> int:
    """Check digit of a string of digits (ISO/IEC 7812-1, annex B)."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return -total % 10


def person(number: int) -> Person:
    """The made-up person with this number; the same number gives the same person.

    Args:
        number: From 0 to 199.
    """
    first = _FIRST[number % len(_FIRST)]
    last = _LAST[number % len(_LAST)]
    born = f"189{number % 9}{1 + number % 12:02}{1 + number % 28:02}"
    serial = f"{980 + number % 19:03}"
    digits = born[2:] + serial
    return Person(
        family_name=last,
        given_name=first,
        personnummer=born + serial + str(luhn(digits)),
        sex="M" if int(serial[2]) % 2 else "F",
        address=f"Påhittsgatan {100 + number}, 999 {10 + number % 90} Exempelstad",
        telephone=f"070-17406{5 + number % 95:02}",
        accession_number=f"REMISS{880000 + number}",
        referring_physician=f"Låtsasläkare^{_FIRST[(number + 3) % len(_FIRST)]}",
    )
