"""Which deliveries have work to do: pure functions over receipts, shared by sensors and by `aida run`.

What belongs here: reading receipts and comparing fingerprints. No Dagster: the truth about what is done lies in the
zones; Dagster's event log is the record of how it came about. One module for each side of the legal line, so that
the refinement side imports nothing of intake's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aida_pipelines.storage.receipts import Receipt, fingerprint_of


@dataclass(frozen=True)
class Outstanding:
    """A delivery with work to do on one side of the line.

    Attributes:
        delivery: Its id.
        key: Changes exactly when there is something new to do, so it serves as a run key: the same work is not
            asked for twice, and a failed run is not repeated for ever.
    """

    delivery: str
    key: str


def stale(
    delivery: str, receipt: Receipt | None, wanted: Mapping[str, str], version: str
) -> Outstanding | None:
    """What is outstanding if ``receipt`` isn't that of ``wanted`` inputs and ``version``; else None."""
    if receipt is not None and receipt.inputs == dict(wanted) and receipt.code_version == version:
        return None
    return Outstanding(delivery, fingerprint_of([version, dict(wanted)]))
