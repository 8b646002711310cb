"""A steward's decision on one item in quarantine: ``decisions/QUARANTINE_ID.json`` in the raw zone.

De-identification reads it (``deid.decisions``) and does what it says at its next run.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from pydantic import BaseModel

from aida_pipelines.deid.decisions import Decision
from aida_pipelines.errors import NotFoundError, UsageError
from aida_pipelines.reasons import REASONS, Outcome
from aida_pipelines.stages import Stage
from aida_pipelines.storage.receipts import list_receipts
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import iter_rows


class Decided(BaseModel, frozen=True):
    """What a person decided on one item.

    Attributes:
        id: The item in quarantine.
        delivery: What it came with.
        decision: To let it pass, or to refuse it for good.
        reason: Why it was held.
        by: Who decided.
        why: On what ground.
        decided_at: When (UTC).
        replaces: The decision before this one, if the person's mind was changed.
    """

    id: str
    delivery: str
    decision: Decision
    reason: str
    by: str
    why: str
    decided_at: datetime
    replaces: Decided | None = None


def decision_key(quarantine_id: str) -> str:
    """``decisions/QUARANTINE_ID.json``."""
    return f"decisions/{quarantine_id}.json"


def read_decision(raw: ObjectStore, quarantine_id: str) -> Decided | None:
    """The decision in force, or None."""
    try:
        return Decided.model_validate_json(raw.get(decision_key(quarantine_id)))
    except NotFoundError:
        return None


def decide(
    quarantine_id: str,
    decision: str,
    *,
    by: str,
    why: str,
    now: datetime,
    raw: ObjectStore,
    refined: ObjectStore,
) -> Decided:
    """Record a steward's decision. It takes effect when the delivery is run again.

    Args:
        quarantine_id: The item, from `aida quarantine list`.
        decision: ``release`` or ``reject``.
        by: Who decides; not blank.
        why: On what ground; not blank.
        now: When.
        raw: The raw zone, where decisions are kept.
        refined: The refined zone, whose ``rejections`` tables say what is held.

    Returns:
        The decision; the one in force, unchanged, if it says the same already.

    Raises:
        NotFoundError: Nothing that is or was held has this id.
        UsageError: Another word than the two, nobody's name or ground, or a release where the reason allows
            none.
    """
    try:
        word = Decision(decision)
    except ValueError:
        raise UsageError(f"{decision!r} is no decision.", way_out="It is release or reject.") from None
    if not (by.strip() and why.strip()):
        raise UsageError("A decision needs a person and a ground.", way_out="Give --by and --why.")
    delivery, reason = _held(refined, quarantine_id)
    if word is Decision.RELEASE and not REASONS[reason].releasable:
        raise UsageError(
            f"{quarantine_id} is held for {reason}, which nobody can release.", way_out=REASONS[reason].advice
        )
    before = read_decision(raw, quarantine_id)
    if before is not None and (before.decision, before.reason) == (word, reason):
        return before
    made = Decided(
        id=quarantine_id,
        delivery=delivery,
        decision=word,
        reason=reason,
        by=by.strip(),
        why=why.strip(),
        decided_at=now.astimezone(UTC),
        replaces=before,
    )
    raw.put(decision_key(quarantine_id), made.model_dump_json(indent=2).encode())
    return made


def _held(refined: ObjectStore, quarantine_id: str) -> tuple[str, str]:
    """Delivery and reason of an item, whether it is undecided or was rejected by a steward."""
    for row in _rejections(refined):
        if row["id"] == quarantine_id and REASONS[row["reason"]].outcome is Outcome.QUARANTINED:
            return row["delivery"], row["reason"]
    raise NotFoundError(
        f"Nothing in quarantine has the id {quarantine_id}.", way_out="See: aida quarantine list"
    )


def _rejections(refined: ObjectStore) -> Iterator[dict[str, str]]:
    for receipt in list_receipts(refined, Stage.DEIDENTIFICATION):
        yield from iter_rows(refined, receipt.table("rejections").key, ["id", "delivery", "reason"])
