"""A release: signed, complete or not there, immutable, the same bytes from the same inputs."""

import hashlib
import json
import re
import shutil
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest

from aida_pipelines.client.catalogue import list_datasets, newest, read_release, versions
from aida_pipelines.client.verify import verify
from aida_pipelines.contracts.collection import Recipe
from aida_pipelines.errors import GateError, IntegrityError, NotFoundError
from aida_pipelines.release.publish import publish
from aida_pipelines.storage.objects import object_key
from aida_pipelines_tests.zones import COLLECTION, SIGN_OFF, SIGNED, SLICES, Interrupted, Killed

RIVAL = "Rivala Stewardsson, R-2026-9"
LATER = SIGNED + timedelta(hours=3)


def copy_of(zones, name):
    for zone in ("refined", "curated"):
        if (zones.home / zone).is_dir():
            shutil.copytree(zones.home / zone, zones.home.with_name(name) / zone)
    return replace(zones, home=zones.home.with_name(name))


def nothing_is_released(zones):
    return not versions(zones.curated, COLLECTION) and not list_datasets(zones.curated)


def everything_that_can_be_seen_is_whole(zones):
    """The versions that there are; each verifies, and each that the index names is there."""
    found = versions(zones.curated, COLLECTION)
    for version in found:
        assert verify(zones.curated, read_release(zones.curated, COLLECTION, version)) == []
    assert {entry.version for entry in list_datasets(zones.curated)} <= set(found)
    return found


# --- what a release is ----------------------------------------------------------------------------------------------


def test_the_layout_is_the_one_that_is_promised(release_to_read):
    """DESIGN §3, key by key."""
    names = release_to_read.tree("curated")
    tables = "subjects|studies|series|instances|volumes|clinical_condition_occurrence|quality"
    documents = r"README\.md|CHANGELOG\.md|croissant\.json|datacite\.json|healthdcat\.jsonld"
    folder = rf"{COLLECTION}/1\.0\.0/"
    allowed = {
        "release": rf"{folder}release\.json",
        "table": rf"{folder}({tables})\.parquet",
        "document": rf"{folder}({documents})",
        "preview": rf"{folder}previews/[0-9.]+\.png",
        "object": r"objects/([0-9a-f]{2})/\1[0-9a-f]{62}\.(dcm|nii\.gz|png)",
        "index": r"index\.parquet",
    }
    kinds = [
        next((kind for kind, form in allowed.items() if re.fullmatch(form, name)), name) for name in names
    ]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "release": 1, "table": 7, "document": 5, "preview": 2, "object": SLICES + 1 + 1 + 2, "index": 1,
    }  # fmt: skip


def test_release_json_says_what_it_is(release_to_read):
    said = json.loads(release_to_read.curated.get(f"{COLLECTION}/1.0.0/release.json"))
    assert said["name"], said["version"] == (COLLECTION, "1.0.0")
    assert said["counts"] == {"subjects": 2, "studies": 2, "series": 2, "instances": SLICES + 1, "volumes": 1}
    assert said["sign_off"] == SIGN_OFF
    assert said["released_at"] == "2026-11-24T08:30:00Z"
    assert said["parent"] is None
    assert said["code_version"].startswith("release/")
    assert said["contracts"][f"collections/{COLLECTION}"] == "1.0.0"
    assert said["approvals"][0]["valid_until"] == "2099-12-31"
    assert {used["delivery"] for used in said["deliveries"]} == {"norr_20260105_1"}


def test_every_hash_and_size_in_release_json_is_true(release_to_read):
    release = read_release(release_to_read.curated, COLLECTION)
    files = [*release.tables, *release.files]
    in_folder = {name for name in release_to_read.tree("curated") if name.startswith(release.prefix)}
    assert {release.prefix + file.file for file in files} | {f"{release.prefix}release.json"} == in_folder
    for file in files:
        content = release_to_read.curated.get(release.prefix + file.file)
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.bytes, file.sha256)
    for table in release.tables:
        frame = pl.read_parquet(release_to_read.home / "curated" / release.table_key(table))
        assert frame.height == table.rows


def test_its_bytes_are_those_of_its_tables_and_objects(release_to_read):
    release = read_release(release_to_read.curated, COLLECTION)
    sizes = {info.key: info.size for info in release_to_read.curated.list("objects/")}
    objects = sum(size for key, size in sizes.items() if not key.endswith(".png"))
    assert release.bytes == objects + sum(table.bytes for table in release.tables)


def test_objects_are_named_by_their_hash_and_shared_by_versions(released, second_arrives):
    before = {info.key for info in released.curated.list("objects/")}
    second_arrives(released)
    released.release()
    after = {info.key for info in released.curated.list("objects/")}
    assert before < after
    for key in after:
        assert hashlib.sha256(released.curated.get(key)).hexdigest() == key.split("/")[-1].split(".")[0]


def test_the_index_lists_every_release_with_the_hash_of_its_release_json(released, second_arrives):
    second_arrives(released)
    released.release()
    entries = list_datasets(released.curated)
    assert [(e.name, e.version, e.parent) for e in entries] == [
        (COLLECTION, "1.0.0", None),
        (COLLECTION, "1.1.0", "1.0.0"),
    ]
    for entry in entries:
        content = released.curated.get(f"{COLLECTION}/{entry.version}/release.json")
        assert hashlib.sha256(content).hexdigest() == entry.release_sha256


def test_only_the_forms_that_the_contract_asks_for_are_released(zones):
    release = zones.under(recipes=(Recipe.NIFTI,)).release()
    names = zones.tree("curated")
    assert release.forms == ("nifti",)
    assert {name.partition(".")[2] for name in names if name.startswith("objects/")} == {"nii.gz"}
    assert not [name for name in names if "/previews/" in name]
    assert verify(zones.curated, release) == []


def test_the_changelog_tells_every_version_newest_first(released, second_arrives):
    second_arrives(released)
    released.release()
    text = released.curated.get(f"{COLLECTION}/1.1.0/CHANGELOG.md").decode()
    assert text.index("## 1.1.0") < text.index("## 1.0.0") < text.index("First release.")
    assert "`subjects`: 1 rows added" in text


def test_the_card_shows_counts_selection_and_who_answers(release_to_read):
    card = release_to_read.curated.get(f"{COLLECTION}/1.0.0/README.md").decode()
    for words in (SIGN_OFF, "| series | 2 |", "every-series", "stewards@hub.example", "BSD-2-Clause AND MIT"):
        assert words in card


def test_documents_for_machines_are_json_and_name_every_table_with_its_hash(release_to_read):
    release = read_release(release_to_read.curated, COLLECTION)
    folder = release_to_read.home / "curated" / release.prefix
    hashes = {table.sha256 for table in release.tables}
    croissant = json.loads((folder / "croissant.json").read_text())
    assert {file["sha256"] for file in croissant["distribution"]} == hashes
    health = json.loads((folder / "healthdcat.jsonld").read_text())
    assert {d["spdx:checksum"]["spdx:checksumValue"] for d in health["dcat:distribution"]} == hashes
    assert json.loads((folder / "datacite.json").read_text())["version"] == "1.0.0"


def test_the_same_inputs_give_the_same_bytes(both):
    elsewhere = copy_of(both, "elsewhere")
    assert both.release() == elsewhere.release()
    assert both.tree("curated") == elsewhere.tree("curated")


def test_a_time_zone_makes_no_difference(both):
    elsewhere = copy_of(both, "elsewhere")
    both.build(), elsewhere.build()
    both.publish(now=SIGNED)
    elsewhere.publish(now=SIGNED.astimezone(timezone(timedelta(hours=9))))
    assert both.tree("curated") == elsewhere.tree("curated")


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign_off", ["", " ", "Anna Exempelsson", "Anna Exempelsson,", ", 2026-117", ","])
def test_without_a_name_and_a_decision_number_it_is_refused(zones, sign_off):
    zones.build()
    with pytest.raises(GateError, match="signature") as refused:
        zones.publish(sign_off=sign_off)
    assert "--sign-off" in refused.value.way_out
    assert zones.tree("curated") == {}


def test_an_approval_holds_on_its_last_day_and_not_on_the_next(zones):
    last = (
        zones.collection.approvals[0].model_copy(update={"id": "EX 1", "valid_until": date(2026, 11, 24)}),
    )
    limited = zones.under(approvals=last)
    limited.refine("norr_20260105_1")
    limited.build()
    with pytest.raises(GateError, match=r"EX 1 \(2026-11-24\)") as refused:
        limited.publish(now=datetime(2026, 11, 25, tzinfo=UTC))
    assert "Renew" in refused.value.way_out
    assert nothing_is_released(limited)
    assert limited.publish(now=datetime(2026, 11, 24, 23, 59, tzinfo=UTC)).version == "1.0.0"


def test_a_collection_that_does_not_exist(zones):
    with pytest.raises(NotFoundError, match="no-such"):
        publish(
            "no-such", sign_off=SIGN_OFF, now=SIGNED, refined=zones.refined, curated=zones.curated,
            contracts=zones.contracts,
        )  # fmt: skip


def test_without_a_candidate_it_is_refused(zones):
    with pytest.raises(GateError, match="no candidate"):
        zones.publish()


def test_what_the_steward_has_not_seen_is_not_released(zones, second_arrives):
    """A delivery came after the candidate was built: the signature was for something else."""
    zones.build()
    second_arrives(zones)
    with pytest.raises(GateError, match="not what would be built today"):
        zones.publish()
    assert nothing_is_released(zones)


def test_an_empty_candidate_is_not_released(zones):
    from aida_pipelines.contracts.collection import Criterion

    empty = zones.under(criteria=(Criterion(name="none", description="Nothing.", sql="false"),))
    empty.build()
    with pytest.raises(GateError, match="0 series"):
        empty.publish()
    assert nothing_is_released(zones)


# --- complete or not there ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["missing", "changed"])
@pytest.mark.parametrize("extension", ["dcm", "nii.gz", "png"])
def test_an_object_that_is_missing_or_damaged_stops_it_before_anything_points_to_it(zones, extension, damage):
    zones.build()
    victim = next(zones.home.glob(f"refined/objects/*/*.{extension}"))
    content = victim.read_bytes()
    victim.unlink()
    if damage == "changed":
        victim.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(IntegrityError, match=victim.name) as refused:
        zones.publish()
    assert refused.value.way_out
    assert nothing_is_released(zones)
    victim.write_bytes(content)
    assert everything_that_can_be_seen_is_whole(zones) == []
    assert zones.publish(sign_off=RIVAL).sign_off == RIVAL, "nobody has signed for what could not be released"


def test_a_candidate_whose_table_was_changed_is_not_released(zones):
    candidate = zones.build()
    table = zones.home / "refined" / next(t.key for t in candidate.tables if t.table == "series")
    pl.read_parquet(table).with_columns(modality=pl.lit("MR")).write_parquet(table)
    with pytest.raises(IntegrityError, match="series"):
        zones.publish()
    assert nothing_is_released(zones)


def test_killed_at_any_write_there_is_the_old_release_or_the_new_one_and_never_half(released, second_arrives):
    second_arrives(released)
    released.build()
    whole = copy_of(released, "whole")
    watched = Interrupted(whole.curated)
    whole.publish(curated=watched)
    seen = set()
    objects = SLICES + 2  # that the second delivery brings: the first and the last of them stand for all
    for at in (1, *range(objects, watched.writes + 1)):
        zones = copy_of(released, f"killed-{at}")
        with pytest.raises(Killed):
            zones.publish(curated=Interrupted(zones.curated, at))
        seen.add(tuple(everything_that_can_be_seen_is_whole(zones)))
        # Once the objects are there the signature stands: the time of the second try shows nowhere.
        zones.publish(now=LATER if at > objects else SIGNED)
        assert zones.tree("curated") == whole.tree("curated")
        shutil.rmtree(zones.home)
    assert seen == {("1.0.0",), ("1.0.0", "1.1.0")}


def test_a_killed_release_that_was_never_finished_does_not_spoil_the_next_candidate(zones, second_arrives):
    zones.build()
    with pytest.raises(Killed):
        zones.publish(curated=Interrupted(zones.curated, SLICES + 10))
    second_arrives(zones)
    release = zones.release()
    assert (release.version, release.counts["subjects"]) == ("1.0.0", 3)
    assert everything_that_can_be_seen_is_whole(zones) == ["1.0.0"]


# --- immutable ------------------------------------------------------------------------------------------------------


def test_a_later_release_changes_no_byte_of_an_earlier_one(released, second_arrives):
    before = {k: v for k, v in released.tree("curated").items() if k != "index.parquet"}
    second_arrives(released)
    released.release()
    after = released.tree("curated")
    assert before.items() <= after.items()


def test_signed_a_second_time_by_someone_else_it_stays_as_it_was(released):
    before = released.tree("curated")
    assert released.publish(sign_off=RIVAL, now=LATER).sign_off == SIGN_OFF
    assert released.tree("curated") == before


def test_of_two_stewards_at_the_same_moment_one_wins_and_the_other_is_told_who(zones):
    zones.build()
    together, ended = threading.Barrier(2), {}

    def sign(name):
        together.wait()
        try:
            ended[name] = zones.publish(sign_off=name)
        except GateError as error:
            ended[name] = error

    threads = [threading.Thread(target=sign, args=(name,)) for name in (SIGN_OFF, RIVAL)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    release = newest(zones.curated, COLLECTION)
    loser = RIVAL if release.sign_off == SIGN_OFF else SIGN_OFF
    assert ended[release.sign_off] == release
    # Who comes when all is done finds the release; who was under way is told.
    assert ended[loser] == release or release.sign_off in str(ended[loser])
    assert everything_that_can_be_seen_is_whole(zones) == ["1.0.0"]


def test_whenever_the_other_releases_first_the_release_is_whole_and_one_is_told(zones):
    """The other steward's release happens, from begin to end, just before the n-th write of the first one's."""
    zones.build()
    plain = copy_of(zones, "plain")
    watched = Interrupted(plain.curated)
    plain.publish(curated=watched)
    winners = set()
    for at in (1, *range(SLICES, watched.writes - 1)):
        rivals = copy_of(zones, f"rivals-{at}")
        told = []

        def rival(rivals=rivals, told=told):
            try:
                rivals.publish(sign_off=RIVAL, now=LATER)
            except GateError as error:
                told.append(str(error))

        try:
            rivals.publish(curated=Interrupted(rivals.curated, at, rival))
        except GateError as error:
            told.append(str(error))
        assert everything_that_can_be_seen_is_whole(rivals) == ["1.0.0"]
        winner = newest(rivals.curated, COLLECTION).sign_off
        winners.add(winner)
        assert all(f"signed by {winner}" in words for words in told)
        assert len(told) == 1 or at >= watched.writes - 2
        shutil.rmtree(rivals.home)
    assert winners == {SIGN_OFF, RIVAL}


def test_whenever_the_candidate_is_built_anew_what_was_signed_is_released_or_nothing(zones, second_arrives):
    zones.build()
    plain = copy_of(zones, "plain")
    watched = Interrupted(plain.curated)
    plain.publish(curated=watched)
    for at in range(1, watched.writes + 1, 6):
        home = copy_of(zones, f"anew-{at}")

        def anew(home=home):
            second_arrives(home)
            home.build()

        release = home.publish(curated=Interrupted(home.curated, at, anew))
        assert release.counts["subjects"] == 2, "what was signed, not what came after"
        assert everything_that_can_be_seen_is_whole(home) == ["1.0.0"]
        shutil.rmtree(home.home)


def test_objects_are_there_before_tables_and_tables_before_release_json_and_the_index_last(zones):
    zones.build()
    order = []

    class Noted(Interrupted):
        def _counted(self, write):
            return lambda key, *rest, **options: order.append(key) or write(key, *rest, **options)

    release = zones.publish(curated=Noted(zones.curated))
    places = [
        "object" if key.startswith("objects/") else "release.json" if key.endswith("release.json") else
        "index" if key == "index.parquet" else "file"
        for key in order
    ]  # fmt: skip
    assert sorted(places, key=["object", "file", "release.json", "index"].index) == places
    assert order.count(f"{release.prefix}release.json") == 1


def test_every_instance_of_the_release_can_be_read_by_a_dicom_library(release_to_read):
    import pydicom

    frame = pl.read_parquet(release_to_read.home / "curated" / COLLECTION / "1.0.0" / "instances.parquet")
    for sha256, uid in frame.select("object_sha256", "sop_instance_uid").iter_rows():
        path = release_to_read.home / "curated" / object_key(sha256, "dcm")
        assert pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID == uid
