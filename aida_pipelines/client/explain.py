"""The chain of anything back to its delivery: release ← checks ← harmonisation ← instance ← delivery ← site.

What is needed of it can be read with a curated credential only: a release carries the tables and the receipts'
fingerprints of the deliveries that it was made from. With the refined zone at hand, what was never released is
explained as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
from pydantic import BaseModel

from aida_pipelines.client.catalogue import list_datasets, read_release
from aida_pipelines.errors import NotFoundError
from aida_pipelines.stages import Stage
from aida_pipelines.storage.receipts import Receipt, list_receipts, read_receipt
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import scan

_IDS = {
    "instances": ("sop_instance_uid", "object_sha256", "source_sha256"),
    "volumes": ("volume_id", "object_sha256"),
    "series": ("series_instance_uid",),
    "studies": ("study_instance_uid",),
    "subjects": ("subject",),
}
"""Table → columns whose value may be asked for; the most precise table first."""


class Link(BaseModel, frozen=True):
    """One step of the chain.

    Attributes:
        step: What kind of thing it is (``release``, ``harmonisation``, ``delivery``, …).
        id: Which one.
        says: What is known of it, for a person.
    """

    step: str
    id: str
    says: str


class Chain(BaseModel, frozen=True):
    """Where something came from.

    Attributes:
        id: What was asked for.
        kind: What it is: the name of the table, in the singular.
        links: From the releases it is in back to the sites that delivered it.
    """

    id: str
    kind: str
    links: tuple[Link, ...]

    def rows(self) -> list[dict[str, str]]:
        """The links as rows of a table."""
        return [link.model_dump() for link in self.links]


def explain(item: str, *, curated: ObjectStore, refined: ObjectStore) -> Chain:
    """Explain an id.

    Args:
        item: A subject, study, series, instance or volume as the tables name it, or the SHA-256 of an object or of a
            delivered file.
        curated: The curated zone.
        refined: The refined zone; may be empty.

    Raises:
        NotFoundError: No table of either zone holds it.
    """
    found: list[tuple[str, dict[str, Any]]] = []
    links = []
    for entry in list_datasets(curated):
        release = read_release(curated, entry.name, entry.version)
        keys = {name: release.table_key(table) for name, table in release.tables_by_name.items()}
        hits = list(_hits(item, curated, keys))
        if hits:
            says = f"released {release.released_at:%Y-%m-%d}, signed by {release.sign_off}"
            links.append(Link(step="release", id=f"{release.name}@{release.version}", says=says))
            found += hits
    receipts = list(list_receipts(refined, Stage.DEIDENTIFICATION))
    for receipt in receipts:
        keys = {table.table: table.key for each in _chain(refined, receipt) for table in each.tables}
        found += _hits(item, refined, keys)
    if not found:
        raise NotFoundError(
            f"Nothing in the curated or the refined zone has the id {item}.",
            way_out="Ask for a subject, a UID or volume id of the tables, or the SHA-256 of a file.",
        )
    # A row of a delivery's own table says the delivery; rows of a release's subjects and studies don't.
    deliveries = {row["delivery"] for _, row in found if row.get("delivery")}
    for receipt in receipts:
        if receipt.delivery in deliveries:
            links += _stages(refined, receipt)
    links += _origin(found)
    return Chain(id=item, kind=found[0][0], links=tuple(links))


def _hits(item: str, store: ObjectStore, keys: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for table, columns in _IDS.items():
        if table not in keys:
            continue
        frame = scan(store, keys[table])
        same = pl.any_horizontal(pl.col(name) == item for name in columns)
        for row in frame.filter(same).head(1).collect().to_dicts():
            yield table.removesuffix("s") if table != "studies" else "study", row


def _chain(refined: ObjectStore, first: Receipt) -> list[Receipt]:
    later = (
        read_receipt(refined, stage, first.delivery) for stage in (Stage.HARMONISATION, Stage.QUALITY_CHECKS)
    )
    return [first, *(receipt for receipt in later if receipt)]


def _stages(refined: ObjectStore, first: Receipt) -> Iterator[Link]:
    chain = _chain(refined, first)
    for receipt in reversed(chain):
        counts = ", ".join(f"{count:,} {name}" for name, count in receipt.counts.items())
        says = f"code {receipt.code_version}; {counts}"
        yield Link(step=receipt.stage.value, id=receipt.fingerprint[:16], says=says)
    yield Link(
        step="delivery",
        id=first.delivery,
        says=f"received {first.received_on:%Y-%m-%d} from {first.site} for {first.collection}",
    )
    yield Link(step="site", id=first.site, says="a contract in data_contracts/sites")


def _origin(found: list[tuple[str, dict[str, Any]]]) -> list[Link]:
    for kind, row in found:
        if kind == "instance" and row.get("source_sha256"):
            made = (row["code_version"], row.get("profile"), row["contract_version"])
            says = "made by {}, profile {}, contract {}".format(*made)
            return [Link(step="delivered file", id=row["source_sha256"], says=says)]
    return []
