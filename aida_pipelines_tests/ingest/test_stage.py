"""Raw ingest: one true verdict for every delivered file, the same whatever ran before and with how many
processes."""

import hashlib
import logging
import shutil
import warnings
from collections import Counter
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from aida_pipelines.dicom.attributes import Attributes
from aida_pipelines.dicom.parse import parse_file
from aida_pipelines.errors import NotFoundError, Quarantine
from aida_pipelines.ingest import stage
from aida_pipelines.ingest.header import holds_a_data_set, read_header
from aida_pipelines.reasons import REASONS
from aida_pipelines.settings import CHECKOUT
from aida_pipelines_tests.ingest.conftest import NOW, Intake

BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"
SHARED = CHECKOUT.parent / "shared" / "data" / "dev"

TRUTH = {
    "CT_small.dcm": None,
    "JPEG2000.dcm": None,
    "image_dfl.dcm": None,  # deflated; no Patient ID, but a study
    "ExplVR_LitEndNoMeta.dcm": None,  # neither preamble nor file meta information
    "ExplVR_BigEnd.dcm": None,
    "rtstruct.dcm": None,  # without preamble
    "test-SR.dcm": None,
    "MR_truncated.dcm": "pixel-data-truncated",
    "rtplan_truncated.dcm": "dicom-unreadable",
    "meta_missing_tsyntax.dcm": "dicom-unreadable",  # the prefix, then nothing that makes sense
    "UN_sequence.dcm": "no-sop-class",
    "JPEGLSNearLossless_08.dcm": "no-patient-id",  # and no study either
    "dicomdirtests/DICOMDIR": "media-directory",
    "dicomdirtests/DICOMDIR-bigEnd": "media-directory",
    "dicomdirtests/DICOMDIR-nooffset": "media-directory",  # its structure is broken, yet it is one
    "README.txt": "not-dicom",
    "crayons.icc": "not-dicom",
    "zipMR.gz": "not-dicom",
}


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def put(folder: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def bundled(name: str) -> bytes:
    return Path(get_testdata_file(name)).read_bytes()


def changed(name: str, **attributes: object) -> bytes:
    """A bundled file with other attributes; None takes one out."""
    ds = pydicom.dcmread(get_testdata_file(name))
    for keyword, value in attributes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    file = BytesIO()
    ds.save_as(file)
    return file.getvalue()


def reasons(intake: Intake, folder: Path, **options: object) -> dict[str, str | None]:
    receipt = intake.ingest(intake.deliver(folder, **options))
    return {path: row["reason"] for path, row in intake.files(receipt).items()}


# --- one file at a time -------------------------------------------------------------------------------------


def test_each_file_gets_the_reason_that_is_true_of_it(intake, source):
    put(source, {name: (BUNDLED / name).read_bytes() for name in TRUTH})
    assert reasons(intake, source) == TRUTH


def test_verdict_and_kind_follow_from_the_reason(intake, source):
    put(source, {name: (BUNDLED / name).read_bytes() for name in TRUTH})
    receipt = intake.ingest(intake.deliver(source))
    for row in intake.files(receipt).values():
        assert row["verdict"] == (REASONS[row["reason"]].outcome if row["reason"] else "accepted")
        assert row["kind"] == ("other" if row["reason"] == "not-dicom" else "dicom")
    assert receipt.counts["received"] == len(TRUTH) == sum(receipt.counts.values()) - len(TRUTH)
    assert receipt.reasons == dict(sorted(Counter(filter(None, TRUTH.values())).items()))


def test_the_row_of_an_accepted_file_identifies_it(intake, source):
    put(source, {"ct.dcm": bundled("CT_small.dcm")})
    (row,) = intake.files(intake.ingest(intake.deliver(source))).values()
    assert row == {
        "delivery": "norr_20261124_1",
        "ordinal": 1,
        "path": "ct.dcm",
        "bytes": 39206,
        "source_sha256": hashlib.sha256(bundled("CT_small.dcm")).hexdigest(),
        "extension": "dcm",
        "kind": "dicom",
        "clinical_table": None,
        "verdict": "accepted",
        "reason": None,
        "patient_id": "1CT1",
        "issuer_of_patient_id": None,
        "study_instance_uid": "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322",
        "series_instance_uid": "1.3.6.1.4.1.5962.1.3.1.1.20040119072730.12322",
        "sop_instance_uid": "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "modality": "CT",
        "code_version": stage.VERSION,
        "contract_version": intake.contracts.table("files").version,
    }


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"PatientID": ""}, None),
        ({"PatientID": "  "}, None),
        ({"PatientID": None}, None),
        ({"StudyInstanceUID": None}, None),
        ({"PatientID": "", "StudyInstanceUID": None}, "no-patient-id"),
        ({"PatientID": " ", "StudyInstanceUID": ""}, "no-patient-id"),
        ({"SOPClassUID": None}, "no-sop-class"),
        ({"SOPInstanceUID": ""}, "no-sop-class"),
    ],
)
def test_without_a_patient_id_the_study_stands_for_the_subject(intake, source, attributes, reason):
    put(source, {"a.dcm": changed("CT_small.dcm", **attributes)})
    assert reasons(intake, source) == {"a.dcm": reason}


def test_patient_ids_in_any_character_set_are_read(intake, source):
    put(source, {"a.dcm": changed("CT_small.dcm", SpecificCharacterSet="ISO_IR 100", PatientID="Å 12-Ö")})
    (row,) = intake.files(intake.ingest(intake.deliver(source))).values()
    assert row["patient_id"] == "Å 12-Ö"


@given(data=st.data())
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("name", ["CT_small.dcm", "test-SR.dcm", "image_dfl.dcm", "JPEG2000.dcm"])
def test_a_file_that_was_cut_is_seen(name, data):
    """Unless the cut falls between two elements, before the one that says that this is an image."""
    content = bundled(name)
    cut = content[: data.draw(st.integers(140, len(content) - 1))]
    try:
        read_header(cut)
    except Quarantine:
        return
    parsed = parse_file(cut)
    if parsed.pixels is None:
        assert len(parsed.data) - parsed.elements[-1].stop < 8
        assert Attributes(parsed).first("Rows") is None
    else:
        assert parsed.pixels == parse_file(content).pixels


@given(content=st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_get_a_verdict(content):
    for data in (content, bytes(128) + b"DICM" + content, bundled("CT_small.dcm")[:300] + content):
        with pytest.raises(Quarantine):
            read_header(data)
        holds_a_data_set(data)


@pytest.mark.parametrize(
    "name",
    ["Thumbs.db", "x/THUMBS.DB", ".DS_Store", "x/._IM1.dcm", "__MACOSX/x/a", "desktop.ini", "$RECYCLE.BIN/a"],
)
def test_what_operating_systems_leave_is_known_by_its_name(intake, folder, name):
    put(folder, {name: b"\0\5\x16\7"})
    assert reasons(intake, folder)[name] == "operating-system-file"


def test_an_image_is_an_image_whatever_its_name(intake, source):
    put(source, {"Thumbs.db": bundled("CT_small.dcm"), "bild.jpg": bundled("MR_small.dcm")})
    assert reasons(intake, source) == {"Thumbs.db": None, "bild.jpg": None}


def test_every_empty_file_is_held_on_its_own(intake, folder):
    put(folder, {"a.dcm": b"", "b.dcm": b"", "c/.DS_Store": b""})
    assert reasons(intake, folder) == {
        "ct.dcm": None,
        "a.dcm": "empty-file",
        "b.dcm": "empty-file",
        "c/.DS_Store": "operating-system-file",
    }


# --- clinical tables ----------------------------------------------------------------------------------------


def source_columns(intake: Intake) -> list[str]:
    columns = intake.contracts.table("clinical_condition_occurrence").columns
    return [str(column.custom["sourceColumn"]) for column in columns if "sourceColumn" in column.custom]


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_clinical_table_is_known_by_its_columns(intake, folder, delimiter, encoding):
    header = delimiter.join(['"Sjukhus åäö"', *map(str.upper, reversed(source_columns(intake)))])
    put(folder, {"diagnoser från COSMIC.txt": f"{header}\r\n1;2;3;4\r\n".encode(encoding)})
    row = intake.files(intake.ingest(intake.deliver(folder)))["diagnoser från COSMIC.txt"]
    assert (row["kind"], row["clinical_table"]) == ("clinical", "clinical_condition_occurrence")
    assert row["verdict"] == "accepted"


def test_a_clinical_table_that_lacks_a_column_is_held(intake, folder):
    first, *_ = source_columns(intake)
    put(folder, {"table.csv": f"{first};something;else\n1;2;3\n".encode()})
    row = intake.files(intake.ingest(intake.deliver(folder)))["table.csv"]
    assert (row["kind"], row["verdict"], row["reason"]) == (
        "clinical",
        "quarantined",
        "clinical-table-invalid",
    )


@pytest.mark.parametrize(
    "content", [b"weight;height\n1;2\n", b"no table at all", b"\xff\xfe\0\0;", b"\n\n", b";;;"]
)
def test_other_texts_are_no_clinical_tables(intake, folder, content):
    put(folder, {"other.csv": content})
    assert reasons(intake, folder)["other.csv"] == "not-dicom"


# --- files beside one another
# ---------------------------------------------------------------------------------


def test_of_equal_files_the_first_by_name_counts(intake, source):
    put(
        source,
        {"b.dcm": bundled("CT_small.dcm"), "a.dcm": bundled("CT_small.dcm"), "c/a": bundled("CT_small.dcm")},
    )
    assert reasons(intake, source) == {"a.dcm": None, "b.dcm": "duplicate", "c/a": "duplicate"}


def test_of_different_files_of_one_instance_the_first_by_hash_counts(intake, source):
    one, other = changed("CT_small.dcm", PatientName="A^A"), changed("CT_small.dcm", PatientName="B^B")
    first, second = sorted((one, other), key=lambda content: hashlib.sha256(content).hexdigest())
    put(source, {"z.dcm": first, "z copy.dcm": first, "a.dcm": second, "a copy.dcm": second})
    assert reasons(intake, source) == {
        "z copy.dcm": None,
        "z.dcm": "duplicate",
        "a copy.dcm": "conflicting-instance",
        "a.dcm": "duplicate",
    }


def test_what_an_earlier_delivery_brought_is_a_duplicate(intake, source):
    put(source, {"a.dcm": bundled("CT_small.dcm")})
    intake.deliver(source, delivery_id="first")
    put(source, {"b.dcm": bundled("MR_small.dcm")})
    assert reasons(intake, source, delivery_id="second") == {"a.dcm": "duplicate", "b.dcm": None}


def test_between_versions_of_an_instance_the_one_that_came_earlier_counts(intake, source):
    one, other = changed("CT_small.dcm", PatientName="A^A"), changed("CT_small.dcm", PatientName="B^B")
    first, second = sorted((one, other), key=lambda content: hashlib.sha256(content).hexdigest())
    put(source, {"old.dcm": second})
    intake.deliver(source, delivery_id="first")
    put(source, {"new.dcm": first})
    assert reasons(intake, source, delivery_id="second") == {
        "old.dcm": "duplicate",
        "new.dcm": "conflicting-instance",
    }


def test_what_is_faulty_stays_what_it_is_when_it_comes_again(intake, source):
    """A duplicate's first copy is used; a faulty file's isn't."""
    put(
        source,
        {
            "a.dcm": bundled("CT_small.dcm"),
            "rot.dcm": bundled("rtplan_truncated.dcm"),
            "DICOMDIR": bundled("DICOMDIR"),
        },
    )
    first = reasons(intake, source, delivery_id="first")
    put(source, {"more.dcm": bundled("MR_small.dcm")})
    second = reasons(intake, source, delivery_id="second")
    assert second == first | {"a.dcm": "duplicate", "more.dcm": None}


def test_other_collections_deliveries_do_not_count(intake, folder):
    other = intake.contracts.collection("reference-images").model_copy(update={"name": "other"})
    from dataclasses import replace

    collections = {**intake.contracts.collections, "other": other}
    intake = replace(intake, contracts=replace(intake.contracts, collections=collections))
    intake.deliver(folder, delivery_id="first", collection="other")
    assert reasons(intake, folder, delivery_id="second") == {"ct.dcm": None}


def test_the_order_in_which_deliveries_are_worked_on_makes_no_difference(intake, source, tmp_path):
    """Whichever came first counts, by time of receipt and then id; not whichever ran first."""

    def delivered(home: Path) -> tuple[Intake, list[object]]:
        side, deliveries = Intake(home, intake.contracts), []
        shutil.rmtree(source)
        put(source, {"a.dcm": bundled("CT_small.dcm")})
        deliveries.append(side.deliver(source, delivery_id="late", now=NOW + timedelta(hours=1)))
        put(source, {"b.dcm": bundled("MR_small.dcm")})
        deliveries.append(side.deliver(source, delivery_id="early", now=NOW))
        put(source, {"c.dcm": bundled("rtplan.dcm")})
        deliveries.append(side.deliver(source, delivery_id="early-too", now=NOW))
        return side, deliveries

    one, deliveries = delivered(tmp_path / "one")
    for delivery in deliveries:
        one.ingest(delivery)
    other, deliveries = delivered(tmp_path / "other")
    for delivery in reversed(deliveries):
        other.ingest(delivery)
    assert one.tree() == other.tree()


# --- again, and in parallel
# -----------------------------------------------------------------------------------


def test_the_same_bytes_again_and_with_any_number_of_processes(intake, source, tmp_path):
    put(
        source,
        {
            f"{n}.dcm": changed("CT_small.dcm", SOPInstanceUID=generate_uid(entropy_srcs=[str(n)]))
            for n in range(90)
        },
    )
    first = intake.ingest(intake.deliver(source), workers=1)
    other = Intake(tmp_path / "other", intake.contracts)
    second = other.ingest(other.deliver(source), workers=2)
    assert first == second
    assert intake.tree() == other.tree()


def test_a_current_receipt_is_returned_and_nothing_is_written(intake, folder):
    delivery = intake.deliver(folder)
    receipt = intake.ingest(delivery)
    before = {path: path.stat().st_mtime_ns for path in intake.home.rglob("*") if path.is_file()}
    assert intake.ingest(delivery) == receipt
    assert {path: path.stat().st_mtime_ns for path in intake.home.rglob("*") if path.is_file()} == before


def test_an_earlier_delivery_that_comes_to_light_makes_the_receipt_stale(intake, folder):
    """A long upload: received first, recorded last."""
    later = intake.deliver(folder, delivery_id="later", now=NOW + timedelta(hours=1))
    assert intake.ingest(later).counts["accepted"] == 1
    shutil.copy(get_testdata_file("MR_small.dcm"), folder)
    intake.deliver(folder, delivery_id="earlier", now=NOW)
    assert intake.ingest(later).counts["duplicate"] == 1


def test_killed_after_the_table_and_run_again(intake, folder, monkeypatch):
    delivery = intake.deliver(folder)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage, "write_receipt", dies)
        with pytest.raises(KeyboardInterrupt):
            intake.ingest(delivery)
    intake.ingest(delivery)
    assert not [name for name in intake.tree() if "/.work/" in name or "/.tmp/" in name]


def test_a_delivery_that_is_not_there(intake):
    with pytest.raises(NotFoundError, match="no delivery nothing"):
        stage.run("nothing", raw=intake.raw, contracts=intake.contracts, work_dir=intake.work_dir)


# --- the table --------------------------------------------------------------------------------------------


def test_the_table_is_as_its_contract_says(intake, source):
    put(source, {name: (BUNDLED / name).read_bytes() for name in TRUTH})
    receipt = intake.ingest(intake.deliver(source))
    contract = intake.contracts.table("files")
    table = pq.read_table(intake.home / "raw" / receipt.table("files").key)
    assert table.schema.equals(contract.arrow_schema)
    assert table["ordinal"].to_pylist() == list(range(1, len(TRUTH) + 1))
    for column in contract.required:
        assert table[column].null_count == 0, column


def test_nothing_identifying_is_logged_or_warned(intake, source, caplog):
    odd = changed("CT_small.dcm", PatientID="19121212-1212")
    put(
        source,
        {
            "a.dcm": odd,
            "b.dcm": odd[:900],
            "c.dcm": bundled("badVR.dcm"),
            "Åsa.dcm": bundled("MR_truncated.dcm"),
        },
    )
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        intake.ingest(intake.deliver(source))
    said = caplog.text + "".join(str(warning.message) for warning in warned)
    assert "19121212" not in said
    assert "Åsa" not in said


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the development data are not beside this checkout")
def test_every_one_of_the_real_files_has_a_verdict(intake):
    """1,049 files; the four that are quarantined for their patient have neither Patient ID nor study."""
    delivery = intake.deliver(SHARED)
    receipt = intake.ingest(delivery)
    assert receipt.counts["received"] == 1049
    assert receipt.counts["accepted"] + receipt.counts["quarantined"] == 1049
    assert set(receipt.reasons) == {
        "conflicting-instance", "no-patient-id", "no-sop-class", "pixel-data-truncated",
    }  # fmt: skip
    rows = intake.files(receipt)
    for path in ("ct-ge-head", "ct-philips-head-5mm", "mr-siemens-t1-sag", "mr-canon-dti"):
        assert {row["verdict"] for name, row in rows.items() if name.startswith(path)} == {"accepted"}
