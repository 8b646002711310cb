"""Sites as contracts: ``data_contracts/sites/NAME.yaml``. Who delivers, and how much may come at one time."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

NAME = r"^[a-z0-9][a-z0-9_-]{1,40}$"
"""Names of sites and collections; they become parts of delivery ids and of keys in the object stores."""

VERSION = r"^\d+\.\d+\.\d+$"
"""Semantic versions of contracts."""

Words = Annotated[str, Field(min_length=1)]
"""A text that is there."""


class Strict(BaseModel):
    """A contract's part: unknown fields are errors, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Contact(Strict):
    """Whom to ask.

    Attributes:
        name: A function rather than a person, so that it outlives staff.
        email: Its address.
    """

    name: Words
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")


class Limits(Strict):
    """What one delivery may hold; more is refused while it is read, whatever an archive declares.

    Attributes:
        max_delivery_bytes: All files together, unpacked.
        max_file_bytes: One file, unpacked.
        max_compression_ratio: Unpacked over packed size of an archive's member.
    """

    max_delivery_bytes: int = Field(gt=0)
    max_file_bytes: int = Field(gt=0)
    max_compression_ratio: float = Field(ge=1)


class Pacs(Strict):
    """Where the site's archive answers DICOM queries (PS3.4 annex C).

    Attributes:
        ae_title: Application entity title, PS3.5's AE: at most 16 characters.
        host: Name or address inside the site's network.
        port: TCP port.
    """

    ae_title: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,16}$")
    host: Words
    port: int = Field(ge=1, le=65535)


class Site(Strict):
    """A hospital or region that delivers.

    Attributes:
        name: The file's name without its ending.
        version: Semantic; raised with every change.
        title: What people call it.
        region: The region that answers for the data.
        issuer_of_patient_id: Whose patient ids its headers bear when they don't say (0010,0021): the same id
            of two issuers is two persons.
        contact: Whom to ask about a delivery.
        limits: What one delivery may hold.
        pacs: Where its archive is; None where the site only delivers files.
        fingerprint: SHA-256 of the contract's bytes.
    """

    name: str = Field(pattern=NAME)
    version: str = Field(pattern=VERSION)
    title: Words
    region: Words
    issuer_of_patient_id: Words
    contact: Contact
    limits: Limits
    pacs: Pacs | None = None
    fingerprint: str
