"""Any id is explained back to its delivery; with the curated zone alone by what the release knows."""

import pytest

from aida_pipelines.client.dataset import load
from aida_pipelines.client.explain import explain
from aida_pipelines.errors import NotFoundError
from aida_pipelines.storage.local import LocalStore
from aida_pipelines_tests.zones import COLLECTION, FIRST, SECOND, SIGN_OFF

IDS = {
    "subject": ("subjects", "subject"),
    "study": ("studies", "study_instance_uid"),
    "series": ("series", "series_instance_uid"),
    "volume": ("volumes", "volume_id"),
    "instance": ("instances", "sop_instance_uid"),
}
WHOLE = ["release", "quality_checks", "harmonisation", "deidentification", "delivery", "site"]


def first_id(dataset, kind):
    table, column = IDS[kind]
    return dataset.table(table).select(column).collect()[column].sort()[0]


def steps(chain):
    return [link.step for link in chain.links]


@pytest.mark.parametrize("kind", IDS)
def test_with_the_curated_zone_alone_the_chain_goes_back_to_the_delivery(dataset, tmp_path, kind):
    nothing = LocalStore(tmp_path / "no refined zone here")
    chain = explain(first_id(dataset, kind), curated=dataset.store, refined=nothing)
    assert chain.kind == kind
    assert steps(chain)[: len(WHOLE)] == WHOLE
    ids = {link.step: link.id for link in chain.links}
    assert (ids["release"], ids["delivery"], ids["site"]) == (f"{COLLECTION}@1.0.0", FIRST, "norr")
    assert SIGN_OFF in chain.links[0].says


@pytest.mark.parametrize("kind", IDS)
def test_with_the_refined_zone_the_stages_tell_their_counts(release_to_read, kind):
    dataset = load(COLLECTION, store=release_to_read.curated)
    chain = explain(first_id(dataset, kind), curated=release_to_read.curated, refined=release_to_read.refined)
    assert steps(chain)[: len(WHOLE)] == WHOLE
    deidentified = next(link for link in chain.links if link.step == "deidentification")
    assert "13 received" in deidentified.says


def test_both_ways_name_the_same_receipts(release_to_read, tmp_path):
    dataset = load(COLLECTION, store=release_to_read.curated)
    item = first_id(dataset, "series")
    known = explain(item, curated=release_to_read.curated, refined=release_to_read.refined)
    told = explain(item, curated=release_to_read.curated, refined=LocalStore(tmp_path / "none"))
    assert [(link.step, link.id) for link in known.links] == [(link.step, link.id) for link in told.links]


@pytest.mark.parametrize("column", ["object_sha256", "source_sha256"])
def test_a_file_is_known_by_its_hash_before_and_after(dataset, tmp_path, column):
    row = dataset.instances.select("object_sha256", "source_sha256").collect().row(0, named=True)
    chain = explain(row[column], curated=dataset.store, refined=LocalStore(tmp_path / "none"))
    assert chain.kind == "instance"
    assert (chain.links[-1].step, chain.links[-1].id) == ("delivered file", row["source_sha256"])


def test_what_was_never_released_is_explained_from_the_refined_zone(released, second_arrives):
    from aida_pipelines.warehouse.query import query

    second_arrives(released)
    sql = f"SELECT series_instance_uid AS id FROM series WHERE delivery = '{SECOND}'"
    item = query(sql, store=released.refined)["id"][0]
    chain = explain(item, curated=released.curated, refined=released.refined)
    assert steps(chain)[: len(WHOLE) - 1] == WHOLE[1:]
    assert [link.id for link in chain.links if link.step == "delivery"] == [SECOND]


def test_an_id_that_nobody_knows(dataset, tmp_path):
    with pytest.raises(NotFoundError, match=r"1\.2\.3") as unknown:
        explain("1.2.3", curated=dataset.store, refined=LocalStore(tmp_path / "none"))
    assert unknown.value.way_out


def test_after_a_rotation_of_the_key_a_release_is_explained_by_what_it_was_made_from(released, tmp_path):
    from aida_pipelines.deid import stage as deid
    from aida_pipelines.deid.keys import rotate_key

    subject = first_id(load(COLLECTION, store=released.curated), "subject")
    before = explain(subject, curated=released.curated, refined=LocalStore(tmp_path / "none"))
    key = released.home / "pseudonym.key"
    rotate_key(key)
    again = deid.run(
        FIRST, raw=released.raw, refined=released.refined, contracts=released.contracts, key_file=key,
        work_dir=tmp_path / "work", workers=1,
    )  # fmt: skip
    released.refine(FIRST)
    after = explain(subject, curated=released.curated, refined=released.refined)
    assert after == before
    assert again.fingerprint[:16] not in {link.id for link in after.links}
