"""Stewards' decisions on what is in quarantine (``decisions/ID.json`` in the raw zone), as this stage reads them."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum

from aida_pipelines.storage.receipts import fingerprint_of
from aida_pipelines.storage.store import ObjectStore


class Decision(StrEnum):
    """What a steward has decided on an item."""

    RELEASE = "release"
    REJECT = "reject"


def quarantine_id(delivery: str, source_sha256: str, ordinal: int) -> str:
    """Id of one delivered file in quarantine: the same whenever it is worked on, and not identifying."""
    return hashlib.sha256(f"{delivery}/{source_sha256}/{ordinal}".encode()).hexdigest()[:16]


def decisions_of(raw: ObjectStore, delivery: str) -> dict[str, Decision]:
    """Decisions by quarantine id. There are as many as persons have taken, so they fit in memory.

    A decision that names its delivery counts for that one only.
    """
    found = {}
    for info in raw.list("decisions/"):
        document = json.loads(raw.get(info.key))
        if document.get("delivery", delivery) == delivery:
            name = info.key.removeprefix("decisions/").removesuffix(".json")
            found[name] = Decision(document["decision"])
    return found


def decisions_fingerprint(decisions: dict[str, Decision]) -> str:
    """Changes when a decision does, not when its wording does."""
    return fingerprint_of({name: str(decision) for name, decision in decisions.items()})
