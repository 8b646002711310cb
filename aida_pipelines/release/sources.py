"""Which deliveries of a collection are checked and current: receipts that follow from each other.

Each stage's receipt holds, among its inputs, the fingerprint of the receipt before it. A delivery whose chain is broken
(a stage is outstanding, or was run again and the next one not yet) is left out and listed, never used half. So is one
whose pseudonyms are of another key or domain than the last delivery's: after a rotation, one person would be two.
"""

from __future__ import annotations

from dataclasses import dataclass

from aida_pipelines.client.release import LeftOut
from aida_pipelines.stages import Stage
from aida_pipelines.storage.receipts import Receipt, list_receipts, read_receipt
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import TableFile

CHAIN = (Stage.DEIDENTIFICATION, Stage.HARMONISATION, Stage.QUALITY_CHECKS)
"""The stages that write the refined zone, in order."""


@dataclass(frozen=True)
class Source:
    """A delivery that is checked and current.

    Attributes:
        receipts: One for each stage of ``CHAIN``, in its order.
    """

    receipts: tuple[Receipt, ...]

    @property
    def delivery(self) -> str:
        """Its id."""
        return self.receipts[0].delivery

    @property
    def last(self) -> Receipt:
        """The receipt of its quality checks: current only while all before it are."""
        return self.receipts[-1]

    @property
    def tables(self) -> dict[str, TableFile]:
        """Every table of the refined zone that the delivery has, by name."""
        return {table.table: table for receipt in self.receipts for table in receipt.tables}


def sources(refined: ObjectStore, collection: str) -> tuple[list[Source], list[LeftOut]]:
    """The deliveries of a collection that can be used, and those that can't with the reason.

    Args:
        refined: The refined zone.
        collection: The collection's name.

    Returns:
        Both ordered by the day they were received, then by delivery.
    """
    usable: list[Source] = []
    left_out: list[LeftOut] = []
    first = (r for r in list_receipts(refined, CHAIN[0]) if r.collection == collection)
    for receipt in sorted(first, key=lambda r: (r.received_on, r.delivery)):
        chain = _chain(refined, receipt)
        if isinstance(chain, LeftOut):
            left_out.append(chain)
        else:
            usable.append(chain)
    return _of_one_key(usable, left_out), left_out


def _of_one_key(usable: list[Source], left_out: list[LeftOut]) -> list[Source]:
    """Those with the last one's pseudonyms; the others are added to ``left_out``."""
    alike = []
    for source in usable:
        if _pseudonyms(source) == _pseudonyms(usable[-1]):
            alike.append(source)
            continue
        why = f"Its pseudonyms are of another key or domain than those of {usable[-1].delivery}."
        left_out.append(_left_out(source.receipts[0], CHAIN[0], f"{why} One of them has to run again."))
    return alike


def _pseudonyms(source: Source) -> tuple[str | None, ...]:
    inputs = source.receipts[0].inputs
    return inputs.get("key"), inputs.get("pseudonym_domain")


def _chain(refined: ObjectStore, first: Receipt) -> Source | LeftOut:
    receipts = [first]
    for stage in CHAIN[1:]:
        receipt = read_receipt(refined, stage, first.delivery)
        if receipt is None:
            return _left_out(first, stage, "This stage is outstanding.")
        if receipts[-1].fingerprint not in receipt.inputs.values():
            return _left_out(
                first, stage, "The stage before it has changed since; this one has to run again."
            )
        receipts.append(receipt)
    return Source(tuple(receipts))


def _left_out(first: Receipt, stage: Stage, why: str) -> LeftOut:
    return LeftOut(delivery=first.delivery, site=first.site, stage=stage.value, why=why)
