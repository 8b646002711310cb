"""One instance from bytes to verified result and table row: what the stage and the folder command share."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import keyword_for_tag

from aida_pipelines.contracts.profile import DeidProfile
from aida_pipelines.contracts.table import TableContract
from aida_pipelines.deid.descriptors import DescriptorCleaner
from aida_pipelines.deid.devices import DeviceCleaner
from aida_pipelines.deid.engine import Change, Deidentified
from aida_pipelines.deid.fast import FastDeidentifier
from aida_pipelines.deid.pseudonym import Pseudonyms, load_key
from aida_pipelines.deid.verify import Verifier
from aida_pipelines.dicom.attributes import Attributes
from aida_pipelines.dicom.parse import Source, parse_file

CHUNK = 4 << 20
"""Bytes of pixel data at a time."""

Done = tuple[str, str, str]
"""What was done to an attribute: tag as ``(gggg,eeee)``, ``PRIVATE`` or ``UNKNOWN``; VR; action."""


@dataclass(frozen=True)
class Recipe:
    """What a process needs to de-identify: small, and without the key itself, so that it can be sent to it.

    Attributes:
        profile: The profile.
        tokens: The descriptions' allow-list.
        device_tokens: The allow-list of what devices write, beside it.
        key_file: Where the key is.
        issuer: Issuer of patient ids whose header names none.
    """

    profile: DeidProfile
    tokens: frozenset[str]
    key_file: Path
    issuer: str
    device_tokens: frozenset[str] = frozenset()


class Processor:
    """De-identifies and verifies, in that order and never one without the other.

    Args:
        recipe: How.

    Raises:
        UsageError: The key can't be used.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.pseudonyms = Pseudonyms(load_key(recipe.key_file))
        self._deidentifier = FastDeidentifier(
            recipe.profile,
            self.pseudonyms,
            DescriptorCleaner(recipe.tokens),
            DeviceCleaner(recipe.tokens | recipe.device_tokens),
            issuer=recipe.issuer,
        )
        self._verifier = Verifier(recipe.profile, recipe.tokens)

    def __call__(self, source: Source, *, pixels_reviewed: bool = False) -> Deidentified:
        """A verified result.

        Raises:
            Quarantine: With the reason.
        """
        result = self._deidentifier.deidentify(source, pixels_reviewed=pixels_reviewed)
        self._verifier.verify(result)
        return result


def chunks(result: Deidentified) -> Iterator[bytes | memoryview]:
    """What to write, in order, in pieces; a mapped file's pages are let go of after each.

    Whatever the size of the pixel data, no more of them than a piece is in the process's memory.
    """
    data = result.source.data
    for part in result.parts:
        for start in range(0, len(part), CHUNK):
            yield part[start : start + CHUNK]
            if isinstance(data, mmap.mmap):
                data.madvise(mmap.MADV_DONTNEED)


def done(changes: Iterable[Change]) -> frozenset[Done]:
    """What was done to the instance, each thing once."""
    return frozenset((_named(change.tag), change.vr, str(change.action)) for change in changes)


def keyword(tag: str) -> str:
    """The keyword of a tag as ``Done`` writes it; empty where there is none."""
    return keyword_for_tag(int(tag[1:5] + tag[6:10], 16)) if tag.startswith("(") else ""


def _named(tag: int) -> str:
    if tag >> 16 & 1:
        return "PRIVATE"
    # Group lengths are not in the dictionary but no mystery; there are as many as groups.
    if tag not in DicomDictionary and tag & 0xFFFF:
        return "UNKNOWN"
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


class RowMaker:
    """Rows of ``instances`` from de-identified headers, by the table's contract.

    Args:
        contract: The table's contract; columns with a custom property ``dicomKeyword`` are filled from the
        header.
    """

    def __init__(self, contract: TableContract) -> None:
        schema = contract.arrow_schema
        self._columns = [
            (
                column.name,
                str(column.custom["dicomKeyword"]),
                pa.types.is_list(schema.field(column.name).type),
            )
            for column in contract.columns
            if "dicomKeyword" in column.custom
        ]

    def __call__(self, result: Deidentified) -> dict[str, Any]:
        """The columns that come from the header."""
        attributes = Attributes(parse_file(result.header))
        row: dict[str, Any] = {
            name: (list(attributes.values(word)) or None) if many else attributes.first(word)
            for name, word, many in self._columns
        }
        row["subject"] = result.subject
        row["transfer_syntax_uid"] = result.source.transfer_syntax
        return row


def action_row(entry: Done) -> Mapping[str, str]:
    """The columns that say what was done to which attribute."""
    tag, vr, action = entry
    return {"tag": tag, "keyword": keyword(tag), "vr": vr, "action": action}
