"""The chain of anything back to its delivery: release ← checks ← harmonisation ← instance ← delivery ← site.

What is needed of it can be read with a curated credential only: a release carries the tables and the receipts'
fingerprints of the deliveries that it was made from. With the refined zone at hand, what was never released is
explained as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl
from pydantic import BaseModel

from aida_pipelines.client.catalogue import list_datasets, read_release
from aida_pipelines.client.release import Release, UsedDelivery
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


_SINGULAR = {
    "instances": "instance",
    "volumes": "volume",
    "series": "series",
    "studies": "study",
    "subjects": "subject",
}

Hit = tuple[str, dict[str, Any]]
"""What kind of thing was found, and its row."""


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
        refined: The refined zone; may be empty: then the chain is what the releases know of it.

    Raises:
        NotFoundError: No table of either zone holds it.
    """
    found: list[Hit] = []
    links: list[Link] = []
    used: dict[str, tuple[Release, UsedDelivery]] = {}
    for entry in list_datasets(curated):
        release = read_release(curated, entry.name, entry.version)
        keys = {name: release.table_key(table) for name, table in release.tables_by_name.items()}
        hits = list(_hits(item, curated, keys))
        if hits:
            says = f"released {release.released_at:%Y-%m-%d}, signed by {release.sign_off}"
            links.append(Link(step="release", id=f"{release.name}@{release.version}", says=says))
            came_with = _deliveries(item, hits, curated, keys)
            used |= {one.delivery: (release, one) for one in release.deliveries if one.delivery in came_with}
            found += hits
    receipts = {receipt.delivery: receipt for receipt in list_receipts(refined, Stage.DEIDENTIFICATION)}
    deliveries = set(used)
    for delivery, receipt in receipts.items():
        keys = {table.table: table.key for each in _chain(refined, receipt) for table in each.tables}
        hits = list(_hits(item, refined, keys))
        if hits:
            deliveries.add(delivery)
            found += hits
    if not found:
        raise NotFoundError(
            f"Nothing in the curated or the refined zone has the id {item}.",
            way_out="Ask for a subject, a UID or volume id of the tables, or the SHA-256 of a file.",
        )
    for delivery in sorted(deliveries):
        chain = _chain(refined, receipts[delivery]) if delivery in receipts else []
        made_by = {receipt.stage.value: receipt.fingerprint for receipt in chain}
        if delivery in used and used[delivery][1].receipts != made_by:
            # Stages have run again since (with a new key, say): the release is not of what they made.
            links += _stages_of_a_release(*used[delivery])
        else:  # The receipts themselves say more than what a release keeps of them.
            links += _stages(chain)
    links += _origin(found)
    return Chain(id=item, kind=found[0][0], links=tuple(links))


def _hits(item: str, store: ObjectStore, keys: dict[str, str]) -> Iterator[Hit]:
    for table, columns in _IDS.items():
        if table not in keys:
            continue
        frame = scan(store, keys[table])
        same = pl.any_horizontal(pl.col(name) == item for name in columns)
        for row in frame.filter(same).head(1).collect().to_dicts():
            yield _SINGULAR[table], row


def _deliveries(item: str, hits: list[Hit], store: ObjectStore, keys: dict[str, str]) -> set[str]:
    """Which deliveries a hit in a release came with: its rows of subjects and studies don't say, the instances do."""
    of_several = {"subject": "subject", "study": "study_instance_uid"}
    found = {row["delivery"] for _, row in hits if row.get("delivery")}
    for kind, _ in hits:
        if kind in of_several:
            instances = scan(store, keys["instances"]).filter(pl.col(of_several[kind]) == item)
            found |= set(instances.select("delivery").unique().collect()["delivery"])
    return found


def _chain(refined: ObjectStore, first: Receipt) -> list[Receipt]:
    later = (
        read_receipt(refined, stage, first.delivery) for stage in (Stage.HARMONISATION, Stage.QUALITY_CHECKS)
    )
    return [first, *(receipt for receipt in later if receipt)]


def _stages(chain: list[Receipt]) -> Iterator[Link]:
    first = chain[0]
    for receipt in reversed(chain):
        counts = ", ".join(f"{count:,} {name}" for name, count in receipt.counts.items())
        says = f"code {receipt.code_version}; {counts}"
        yield Link(step=receipt.stage.value, id=receipt.fingerprint[:16], says=says)
    yield from _handed_over(first.delivery, first.received_on, first.site, first.collection)


def _stages_of_a_release(release: Release, used: UsedDelivery) -> Iterator[Link]:
    for stage, fingerprint in reversed(used.receipts.items()):
        says = f"code {used.code_versions.get(stage, 'unknown')}; as {release.name}@{release.version} says"
        yield Link(step=stage, id=fingerprint[:16], says=says)
    yield from _handed_over(used.delivery, used.received_on, used.site, release.name)


def _handed_over(delivery: str, received_on: date, site: str, collection: str) -> Iterator[Link]:
    says = f"received {received_on:%Y-%m-%d} from {site} for {collection}"
    yield Link(step="delivery", id=delivery, says=says)
    yield Link(step="site", id=site, says="a contract in data_contracts/sites")


def _origin(found: list[Hit]) -> list[Link]:
    for kind, row in found:
        if kind == "instance" and row.get("source_sha256"):
            made = (row["code_version"], row.get("profile"), row["contract_version"])
            says = "made by {}, profile {}, contract {}".format(*made)
            return [Link(step="delivered file", id=row["source_sha256"], says=says)]
    return []
