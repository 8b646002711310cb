"""What a delivery is when it stands: objects, manifest, record; once, whatever happens on the way."""

import hashlib
import json
import multiprocessing
import os
import resource
import signal
import tarfile
import time
import zipfile
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.errors import NotFoundError, StorageError, UsageError
from aida_pipelines.ingest import receive as receive_module
from aida_pipelines.ingest.deliveries import list_deliveries, read_delivery
from aida_pipelines.ingest.journal import Journal, clear_away
from aida_pipelines.storage.local import LocalStore
from aida_pipelines.storage.objects import object_key
from aida_pipelines.storage.s3 import S3Store
from aida_pipelines.storage.tables import iter_rows
from aida_pipelines_tests.ingest.conftest import NOW, Intake

CT = Path(get_testdata_file("CT_small.dcm")).read_bytes()
MR = Path(get_testdata_file("MR_small.dcm")).read_bytes()
NO_PREAMBLE = Path(get_testdata_file("ExplVR_LitEndNoMeta.dcm")).read_bytes()

CONTENT = {
    "Åsa Öberg/bild ett.dcm": CT,
    "Åsa Öberg/kopia av bild ett.dcm": CT,
    "mr/MR 1": MR,
    "old/no preamble": NO_PREAMBLE,
    "Thumbs.db": b"\xd0\xcf\x11\xe0",
    "empty": b"",
    "n" * 200 + ".dcm": MR + b"\0" * 8,
}


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "in"
    for name, content in CONTENT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def manifest(intake, delivery):
    return list(iter_rows(intake.raw, f"deliveries/{delivery.id}/manifest.parquet"))


# --- what is there afterwards -----------------------------------------------------------------------------


def test_every_file_is_in_the_manifest_and_its_bytes_are_in_the_zone(intake, source):
    delivery = intake.deliver(source)
    rows = manifest(intake, delivery)
    assert {row["path"]: row["source_sha256"] for row in rows} == {
        name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()
    }
    for row in rows:
        stored = intake.raw.get(object_key(row["source_sha256"], row["extension"]))
        assert stored == CONTENT[row["path"]]
        assert len(stored) == row["bytes"]
        assert row["extension"] == ("dcm" if stored[128:132] == b"DICM" else "bin")


def test_the_manifest_is_ordered_by_hash_then_path_and_counts_from_one(intake, source):
    rows = manifest(intake, intake.deliver(source))
    assert [row["ordinal"] for row in rows] == list(range(1, len(CONTENT) + 1))
    assert rows == sorted(rows, key=lambda row: (row["source_sha256"], row["path"].encode()))


def test_the_record_says_who_what_when_but_not_where_it_lay(intake, source):
    delivery = intake.deliver(source)
    record = json.loads(intake.raw.get(f"deliveries/{delivery.id}/delivery.json"))
    assert record == {
        "id": "norr_20261124_1",
        "site": "norr",
        "collection": "reference-images",
        "received_at": "2026-11-24T08:30:00Z",
        "source_kind": "folder",
        "files": len(CONTENT),
        "bytes": sum(map(len, CONTENT.values())),
        "fingerprint": delivery.fingerprint,
    }
    assert read_delivery(intake.raw, delivery.id) == delivery


def test_nothing_else_stays(intake, source):
    intake.deliver(source)
    kinds = {name.split("/")[1] for name in intake.tree()}
    assert kinds == {"objects", "deliveries"}
    assert not list(intake.work_dir.iterdir())


def test_the_source_is_left_as_it_was(intake, source):
    before = {path: path.stat() for path in source.rglob("*")}
    intake.deliver(source)
    assert {path: path.stat().st_mtime_ns for path in source.rglob("*")} == {
        path: status.st_mtime_ns for path, status in before.items()
    }


# --- every kind of source gives the same delivery -----------------------------------------------------------


def as_zip(source, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(source.rglob("*"), reverse=True):
            archive.write(file, file.relative_to(source))
    return path


def as_tar(mode):
    def pack(source, path):
        with tarfile.open(path, mode) as archive:
            archive.add(source, arcname=".")
        return path

    return pack


@pytest.mark.parametrize(
    ("kind", "pack"),
    [
        ("zip", as_zip),
        ("tar", as_tar("w")),
        ("tar", as_tar("w:gz")),
        ("tar", as_tar("w:bz2")),
        ("tar", as_tar("w:xz")),
    ],
)
def test_an_archive_is_the_folder_it_was_made_from(intake, source, tmp_path, kind, pack):
    """Recognised even: the fingerprint is of content and names, not of the packing."""
    delivery = intake.deliver(source)
    packed = intake.deliver(pack(source, tmp_path / "packed"))
    assert packed.already_there
    assert packed.id == delivery.id
    alone = intake.deliver(tmp_path / "packed", site="syd")
    assert (alone.source_kind, alone.files, alone.already_there) == (kind, len(CONTENT), False)
    assert {row["path"] for row in manifest(intake, alone)} == set(CONTENT)


def test_names_in_a_zip_that_does_not_say_that_they_are_utf8(intake, tmp_path):
    """As Info-ZIP on older Unix systems and macOS write them: UTF-8 bytes without flag 11."""
    archive = tmp_path / "mac.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("röntgen.dcm", CT)
    raw = bytearray(archive.read_bytes())
    for at in (raw.index(b"PK\x03\x04") + 7, raw.index(b"PK\x01\x02") + 9):
        raw[at] &= ~0x08
    archive.write_bytes(raw)
    assert [row["path"] for row in manifest(intake, intake.deliver(archive))] == ["röntgen.dcm"]


def test_names_that_are_no_utf8(intake, folder):
    (Path(os.fsdecode(os.fsencode(folder) + b"/r\xf6ntgen.dcm"))).write_bytes(MR)
    assert r"r\xF6ntgen.dcm" in {row["path"] for row in manifest(intake, intake.deliver(folder))}


def test_a_single_file(intake, folder):
    delivery = intake.deliver(folder / "ct.dcm")
    assert (delivery.source_kind, delivery.files) == ("file", 1)


def test_a_clinical_table_alone(intake, tmp_path):
    contract = intake.contracts.table("clinical_condition_occurrence")
    columns = [c.custom["sourceColumn"] for c in contract.columns if "sourceColumn" in c.custom]
    (tmp_path / "table.csv").write_text(";".join(columns) + "\n1;2;3\n")
    assert intake.deliver(tmp_path / "table.csv").files == 1


def test_files_larger_than_what_is_held_in_memory(intake, tmp_path, monkeypatch):
    monkeypatch.setattr(receive_module, "_IN_MEMORY", 1 << 20)
    large = CT + bytes(3 << 20)
    (tmp_path / "large.dcm").write_bytes(large)
    (row,) = manifest(intake, intake.deliver(tmp_path / "large.dcm"))
    assert intake.raw.get(object_key(row["source_sha256"], "dcm")) == large


def test_a_bucket(intake, source, seaweedfs, monkeypatch):
    store = S3Store("raw", "out/2026 nov", access=seaweedfs.access())
    for name, content in CONTENT.items():
        store.put(name, content)
    access = seaweedfs.access()
    monkeypatch.setenv("AWS_ENDPOINT_URL", access.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", access.secret_access_key)
    monkeypatch.setenv("AWS_REGION", access.region)
    monkeypatch.setenv("AWS_DEFAULT_REGION", access.region)
    delivery = intake.deliver("s3://raw/out/2026 nov")
    assert (delivery.source_kind, delivery.files) == ("bucket", len(CONTENT))
    assert intake.deliver(source).already_there
    assert "holds nothing" in intake.refuses("s3://raw/out/nothing")
    assert "can't be read" in intake.refuses("s3://no-such-bucket-here/x")


# --- ids ----------------------------------------------------------------------------------------------------


def test_ids_count_up_on_a_day_and_site(intake, folder):
    ids = []
    for number in range(3):
        (folder / "ct.dcm").write_bytes(CT + bytes([number]))
        ids.append(intake.deliver(folder).id)
    ids.append(intake.deliver(folder, site="syd").id)
    ids.append(intake.deliver(folder, site="syd", now=NOW + timedelta(days=1), delivery_id="own").id)
    assert ids == [
        "norr_20261124_1",
        "norr_20261124_2",
        "norr_20261124_3",
        "syd_20261124_1",
        "syd_20261124_1",
    ]
    assert [one.id for one in list_deliveries(intake.raw)] == sorted(set(ids))


def test_an_id_that_is_taken_is_refused(intake, folder):
    intake.deliver(folder, delivery_id="mine")
    (folder / "ct.dcm").write_bytes(MR)
    assert "has this id" in intake.refuses(folder, delivery_id="mine")


def test_asking_for_a_delivery_that_is_not_there_names_the_newest(intake, folder):
    intake.deliver(folder)
    with pytest.raises(NotFoundError, match="norr_20261124_1"):
        read_delivery(intake.raw, "nothing")


# --- again --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"delivery_id": "another"}, {"now": NOW + timedelta(days=400)}])
def test_the_same_content_again_is_recognised_and_nothing_is_written(intake, source, options):
    first = intake.deliver(source)
    before = intake.tree()
    again = intake.deliver(source, **options)
    assert again.already_there
    assert again.model_copy(update={"already_there": False}) == first
    assert intake.tree() == before


def test_the_same_content_from_another_site_is_another_delivery(intake, source):
    assert intake.deliver(source).fingerprint != intake.deliver(source, site="syd").fingerprint


def test_another_name_is_another_delivery(intake, source):
    first = intake.deliver(source)
    (source / "empty").rename(source / "void")
    second = intake.deliver(source)
    assert not second.already_there
    assert second.id != first.id


# --- interrupted --------------------------------------------------------------------------------------------


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying_at(call: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, which kills the process instead when it is called for the ``call``-th time."""
    calls = count(1)
    return lambda *args, **options: die() if next(calls) == call else function(*args, **options)


def after_some_objects() -> None:
    LocalStore.create = dying_at(4, LocalStore.create)


def in_the_middle_of_an_object() -> None:
    LocalStore._fill = die


def before_the_manifest() -> None:
    receive_module._manifest = die


def after_the_claim() -> None:
    receive_module.delivery_key = dying_at(2, receive_module.delivery_key)


def after_the_record() -> None:
    Journal.forget = die


def on_a_full_disk() -> None:
    """A limit on the size of files stands for it: the kernel refuses the write in the same way."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


def undisturbed() -> None:
    pass


def waiting_before_the_manifest() -> None:
    """Says that it has come so far, and goes on when it is told."""
    manifest_of = receive_module._manifest

    def wait(folder: Path, *rest: str) -> Any:
        signs = folder.parents[3]  # the test's own folder: tmp/home/raw/.work/scratch
        (signs / "ready").touch()
        while not (signs / "go").exists():
            time.sleep(0.01)
        return manifest_of(folder, *rest)

    receive_module._manifest = wait


def _receive(home: Path, contracts: Path, source: Path, disturb: Callable[[], None]) -> None:
    disturb()
    Intake(home, load_contracts(contracts)).deliver(source)


def receiving(intake: Intake, source: Path, disturb: Callable[[], None]) -> BaseProcess:
    """A process that delivers ``source`` while it is disturbed."""
    arguments = (intake.home, intake.contracts.root, source, disturb)
    child = multiprocessing.get_context("forkserver").Process(target=_receive, args=arguments)
    child.start()
    return child


def ending(child: BaseProcess) -> int | None:
    child.join()
    return child.exitcode


@pytest.mark.parametrize(
    "moment",
    [after_some_objects, in_the_middle_of_an_object, before_the_manifest, after_the_claim, after_the_record],
)
def test_killed_and_delivered_again_ends_with_the_same_bytes(intake, source, moment, tmp_path):
    assert ending(receiving(intake, source, moment)) == -signal.SIGKILL
    delivery = intake.deliver(source)
    intake.raw.sweep()
    uninterrupted = Intake(tmp_path / "other", intake.contracts)
    assert uninterrupted.deliver(source).fingerprint == delivery.fingerprint
    assert intake.tree() == uninterrupted.tree()


@pytest.mark.parametrize("moment", [after_some_objects, after_the_claim])
def test_killed_and_never_delivered_again_the_next_delivery_clears_it_away(intake, source, moment, tmp_path):
    assert ending(receiving(intake, source, moment)) == -signal.SIGKILL
    (tmp_path / "other.dcm").write_bytes(MR)
    delivery = intake.deliver(tmp_path / "other.dcm")
    intake.raw.sweep()
    sha256 = hashlib.sha256(MR).hexdigest()
    assert set(intake.tree()) == {
        f"raw/deliveries/{delivery.id}/delivery.json",
        f"raw/deliveries/{delivery.id}/manifest.parquet",
        f"raw/{object_key(sha256, 'dcm')}",
    }


def test_a_refusal_while_another_delivery_is_under_way_takes_nothing_from_it(intake, source, tmp_path):
    """Both hold the same slices."""
    child = receiving(intake, source, waiting_before_the_manifest)
    while not (tmp_path / "ready").exists():
        time.sleep(0.01)
    archive = tmp_path / "bad.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in (("new.dcm", CT + b"new"), ("ct.dcm", CT), ("rotten.dcm", MR)):
            file.writestr(name, content)
    content = bytearray(archive.read_bytes())
    content[-1000] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(UsageError, match="damaged"):
        intake.deliver(archive)
    (tmp_path / "go").touch()
    assert ending(child) == 0
    stored = {Path(name).stem for name in intake.tree() if "/objects/" in name}
    assert stored == {hashlib.sha256(content).hexdigest() for content in CONTENT.values()}


def test_deliveries_at_the_same_moment_get_ids_of_their_own(intake, tmp_path):
    sources = [tmp_path / f"{number}.dcm" for number in range(4)]
    for number, source in enumerate(sources):
        source.write_bytes(CT + bytes([number]))
    children = [receiving(intake, source, undisturbed) for source in sources]
    assert [ending(child) for child in children] == [0, 0, 0, 0]
    deliveries = list(list_deliveries(intake.raw))
    assert [one.id for one in deliveries] == [f"norr_20261124_{n}" for n in range(1, 5)]
    for delivery in deliveries:
        (row,) = manifest(intake, delivery)
        assert intake.raw.stat(object_key(row["source_sha256"], "dcm"))


def test_the_same_content_at_the_same_moment_is_one_delivery(intake, source):
    children = [receiving(intake, source, undisturbed) for _ in range(3)]
    assert [ending(child) for child in children] == [0, 0, 0]
    (delivery,) = list_deliveries(intake.raw)
    assert len({name.split("/")[2] for name in intake.tree() if "/deliveries/" in name}) == 1
    assert intake.deliver(source).id == delivery.id


def test_a_full_disk_leaves_nothing(intake, source):
    (source / "big.dcm").write_bytes(CT + bytes(4 << 20))
    before = intake.tree()
    assert ending(receiving(intake, source, on_a_full_disk)) == 1
    assert intake.tree() == before


def test_an_error_of_the_zone_takes_back_what_was_stored(intake, source, monkeypatch):
    create, calls = LocalStore.create, []

    def fails(self, key, data, *, synced=True):
        calls.append(key)
        if len(calls) > 2:
            raise StorageError("No space left.")
        return create(self, key, data, synced=synced)

    before = intake.tree()
    monkeypatch.setattr(LocalStore, "create", fails)
    with pytest.raises(StorageError):
        intake.deliver(source)
    assert intake.tree() == before


def test_clearing_away_keeps_what_a_delivery_refers_to(intake, source, tmp_path):
    """The journal of a delivery that was killed just after its record was written names only its own."""
    delivery = intake.deliver(source)
    before = intake.tree()
    keys = [object_key(row["source_sha256"], row["extension"]) for row in manifest(intake, delivery)]
    intake.raw.put("objects/ab/abcd.bin", b"nobody's")
    journal = tmp_path / "x.keys"
    journal.write_text(
        "\n".join([*keys, f"deliveries/{delivery.id}/manifest.parquet", "objects/ab/abcd.bin", ""])
    )
    empty = tmp_path / "y.keys"
    empty.touch()
    clear_away(intake.raw, [empty, journal])
    assert intake.tree() == before
    assert not journal.exists()
