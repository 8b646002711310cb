"""A release's tables as queries over what the contract selected, each with the contract of its columns.

What one delivery's table says of a series, an instance or a volume is taken as it is. Subjects and studies may come
from several deliveries, so their rows are computed anew, from the instances that were taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from aida_pipelines.client.sandbox import literal, quoted
from aida_pipelines.contracts.collection import Collection
from aida_pipelines.contracts.models import Contracts
from aida_pipelines.contracts.table import TableContract

ROWS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Query:
    """A table of the release.

    Attributes:
        table: Its name.
        contract: What its columns are.
        sql: The rows, in any order; columns by name.
    """

    table: str
    contract: TableContract
    sql: str

    @property
    def ordered(self) -> str:
        """The rows in their one order, columns as the contract has them."""
        names = self.contract.arrow_schema.names
        # What the contract orders by need not tell every row from every other one.
        order = [*self.contract.order_by, *(name for name in names if name not in self.contract.order_by)]
        return (
            f"SELECT {', '.join(map(quoted, names))} FROM ({self.sql}) "  # noqa: S608
            f"ORDER BY {', '.join(map(quoted, order))}"
        )


def choose_instances(db: duckdb.DuckDBPyConnection) -> None:
    """Fill the table ``chosen`` with the instances of the cohort, each once: from the earliest delivery."""
    db.execute("""
        CREATE TABLE chosen AS
        SELECT i.delivery, i.sop_instance_uid
        FROM refined.instances i JOIN cohort USING (delivery, series_instance_uid) JOIN deliveries d USING (delivery)
        QUALIFY row_number() OVER (PARTITION BY i.sop_instance_uid ORDER BY d.rank) = 1""")
    db.execute(
        "CREATE VIEW taken AS SELECT i.* FROM refined.instances i SEMI JOIN chosen "
        "USING (delivery, sop_instance_uid)"
    )


def queries(collection: Collection, contracts: Contracts, code_version: str) -> Iterator[Query]:
    """The tables of a release of a collection.

    Args:
        collection: Its contract names the clinical tables.
        contracts: Give the tables' columns.
        code_version: For the rows that are computed here.
    """
    yield _computed("subjects", contracts.table("release_subjects"), _SUBJECTS, code_version)
    yield _computed("studies", contracts.table("release_studies"), _STUDIES, code_version)
    in_cohort = "SELECT t.* FROM refined.{} t SEMI JOIN cohort USING (delivery, series_instance_uid)"
    yield Query("series", contracts.table("series"), in_cohort.format("series"))
    yield Query("instances", contracts.table("instances"), "FROM taken")
    yield Query("volumes", contracts.table("volumes"), in_cohort.format("volumes"))
    if "annotations" in contracts.tables:
        yield Query("annotations", contracts.table("annotations"), in_cohort.format("annotations"))
    for name in sorted(collection.clinical_tables):
        yield Query(name, contracts.table(name), _clinical(contracts.table(name)))
    yield Query("quality", contracts.table("quality"), _QUALITY)


OPTIONAL = ("annotations", "clinical_")
"""Tables (by the beginning of their names) that a release has only if there are rows for it."""


def _computed(table: str, contract: TableContract, sql: str, code_version: str) -> Query:
    provenance = f"{literal(code_version)} AS code_version, {literal(contract.version)} AS contract_version"
    return Query(table, contract, f"SELECT *, {provenance} FROM ({sql})")  # noqa: S608


_SUBJECTS = """
    SELECT i.*, s.body_parts, s.volumes FROM (
        SELECT subject, min(site) AS site, min(patient_sex) AS patient_sex,
               min(patient_age) AS age_min, max(patient_age) AS age_max,
               min(study_date) AS first_study_date, max(study_date) AS last_study_date,
               list_sort(list_distinct(list(modality))) AS modalities,
               count(DISTINCT study_instance_uid) AS studies, count(DISTINCT series_instance_uid) AS series,
               count(*) AS instances, sum(object_bytes)::BIGINT AS bytes
        FROM taken GROUP BY subject) i
    LEFT JOIN (
        SELECT subject, list_sort(list_distinct(list(body_part) FILTER (body_part IS NOT NULL))) AS body_parts,
               sum(volumes)::BIGINT AS volumes
        FROM refined.series SEMI JOIN cohort USING (delivery, series_instance_uid) GROUP BY subject) s
      USING (subject)"""

_STUDIES = """
    SELECT i.*, s.body_parts, s.volumes FROM (
        SELECT study_instance_uid, min(subject) AS subject, min(site) AS site, min(study_date) AS study_date,
               min(study_description) AS study_description, min(patient_sex) AS patient_sex,
               min(patient_age) AS patient_age, list_sort(list_distinct(list(modality))) AS modalities,
               count(DISTINCT series_instance_uid) AS series, count(*) AS instances,
               sum(object_bytes)::BIGINT AS bytes
        FROM taken GROUP BY study_instance_uid) i
    LEFT JOIN (
        SELECT study_instance_uid,
               list_sort(list_distinct(list(body_part) FILTER (body_part IS NOT NULL))) AS body_parts,
               sum(volumes)::BIGINT AS volumes
        FROM refined.series SEMI JOIN cohort USING (delivery, series_instance_uid) GROUP BY study_instance_uid) s
      USING (study_instance_uid)"""


_QUALITY = """
    SELECT q.* FROM refined.quality q
    WHERE (q.delivery, q.series_instance_uid) IN (SELECT delivery, series_instance_uid FROM cohort)
       OR (q.level = 'delivery' AND q.delivery IN (SELECT delivery FROM cohort))"""

_PROVENANCE = ("delivery", "source_sha256", "code_version", "contract_version")


def _clinical(contract: TableContract) -> str:
    """Rows of the subjects that were taken; what two deliveries say alike is said once, by the earlier one."""
    content = [quoted(name) for name in contract.arrow_schema.names if name not in _PROVENANCE]
    return (
        f"SELECT t.* FROM refined.{quoted(contract.name)} t JOIN deliveries d USING (delivery) "  # noqa: S608
        f"WHERE t.subject IN (SELECT subject FROM taken) "
        f"QUALIFY row_number() OVER (PARTITION BY {', '.join(f't.{name}' for name in content)} "
        f"ORDER BY d.rank, t.source_sha256) = 1"
    )


@contextmanager
def batches(db: duckdb.DuckDBPyConnection, query: Query) -> Iterator[Iterator[pa.RecordBatch]]:
    """The rows of a table, streamed."""
    cursor = db.cursor()
    try:
        yield iter(cursor.sql(query.ordered).to_arrow_reader(ROWS_AT_ONCE))
    finally:
        cursor.close()
