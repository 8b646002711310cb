"""De-identification scored in the form of the MIDI-B challenge: ``make bench-midi``.

Without arguments: phantoms dressed with made-up identities, their answer key as SQLite in the challenge's layout,
``aida deidentify`` over them, the score. ``--key FILE.db --src FOLDER`` takes a key and data that someone brings. The
two actions on pixels are not scored here. Values of failed checks are shown only on request (``--show``).
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from aida_pipelines.deid.keys import create_key
from aida_pipelines.demo.identities import person
from aida_pipelines.demo.phantom import ct_phantom, ct_slices, uid
from aida_pipelines.dicom.quiet import quiet_pydicom

_RETAIN = frozenset({"tag_retained", "text_notnull", "text_retained", "uid_consistent", "patid_consistent"})
_HIPAA = frozenset({"date_shifted", "uid_changed", "text_removed"})
_COLUMNS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "Modality")
_FUNCTION_WORDS = frozenset(
    {
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "for",
        "from",
        "has",
        "he",
        "her",
        "his",
        "in",
        "is",
        "it",
        "its",
        "not",
        "of",
        "on",
        "or",
        "she",
        "that",
        "the",
        "their",
        "they",
        "this",
        "to",
        "was",
        "were",
        "will",
        "with",
    }
)
_ANSWERS = "SELECT SOPInstanceUID, AnswerData FROM answer_data"
_AIDA = "from aida_pipelines.cli.main import main; main()"
_STEP = re.compile(r"<([^<>]*)>")


def checks_of(ds: Dataset, number: int) -> Iterator[dict[str, str]]:
    """Dress one instance with person ``number``; what must hold afterwards."""
    who = person(number)
    name, physician = who.patient_name, who.referring_physician
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = name, who.dashed, who.birth_date
    ds.PatientSex, ds.PatientAge, ds.PatientWeight = who.sex, "045Y", "70"
    ds.AccessionNumber, ds.StudyID = who.accession_number, who.accession_number
    ds.ReferringPhysicianName = ds.OperatorsName = physician
    ds.PatientAddress, ds.PatientTelephoneNumbers = who.address, who.telephone
    ds.InstitutionName, ds.StationName = "Påhitts lasarett", "PAHITTCT1"
    ds.StudyDescription = f"CT Thorax {who.family_name}"
    ds.SeriesDescription = f"Thorax 3.0 ax {who.telephone}"
    ds.ProtocolName = f"Lung low dose {who.given_name}"
    ds.ImageComments = f"{who.given_name} {who.family_name} {who.dashed} contrast arterial phase"
    ds.PatientComments = f"{who.address} {who.telephone}"
    ds.DerivationDescription = f"axial reformat for {who.family_name}"
    ds.AcquisitionDateTime = ds.AcquisitionDate + "101500"
    block = ds.private_block(0x0019, "PAHITT 1", create=True)
    block.add_new(0x92, "LO", name)
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = (
        ds.SOPClassUID,
        uid("ref", ds.SOPInstanceUID),
    )
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "121322", "DCM", "Source image"
    reference.PurposeOfReferenceCodeSequence = [code]
    ds.SourceImageSequence = [reference]
    ds.RequestAttributesSequence = [Dataset()]
    ds.RequestAttributesSequence[0].RequestedProcedureID = who.accession_number
    ds.RequestAttributesSequence[0].ScheduledProcedureStepDescription = f"Thorax {who.family_name}"

    def check(action: str, place: str, text: str = "", category: str = "") -> dict[str, str]:
        return {
            "action": action, "tag": place, "action_text": f"<{text}>" if text else "", "value": "",
            "tag_name": "", "answer_category_v2": category,
        }  # fmt: skip

    for keyword, text in (
        ("PatientName", name), ("PatientID", who.dashed), ("PatientBirthDate", who.birth_date),
        ("AccessionNumber", who.accession_number), ("StudyID", who.accession_number), ("OperatorsName", physician),
        ("ReferringPhysicianName", physician), ("PatientAddress", who.address), ("StationName", "PAHITTCT1"),
        ("PatientTelephoneNumbers", who.telephone), ("InstitutionName", "Påhitts lasarett"),
        ("StudyDescription", who.family_name), ("SeriesDescription", who.telephone), ("ProtocolName", who.given_name),
        ("ImageComments", f"{who.given_name} {who.family_name}"), ("ImageComments", who.dashed),
        ("PatientComments", who.address), ("DerivationDescription", who.family_name),
    ):  # fmt: skip
        yield check("text_removed", _place(keyword), text, "hipaa_m")
    yield check("text_removed", '<(0019,"PAHITT 1",92)>', name, "hipaa_m")
    request = _place("RequestAttributesSequence") + "[<0000>]"
    yield check("text_removed", request + _place("RequestedProcedureID"), who.accession_number, "hipaa_m")
    yield check(
        "text_removed", request + _place("ScheduledProcedureStepDescription"), who.family_name, "hipaa_m"
    )
    for keyword, text in (
        ("StudyDescription", "CT Thorax"), ("SeriesDescription", "Thorax 3.0 ax"), ("ProtocolName", "Lung low dose"),
        ("ImageComments", "contrast arterial phase"), ("DerivationDescription", "axial reformat"),
        ("Manufacturer", "Aida Phantom Works"), ("ManufacturerModelName", "Phantom 1"), ("ConvolutionKernel", "B30f"),
        ("BodyPartExamined", "CHEST"), ("PatientPosition", "HFS"), ("SliceThickness", str(ds.SliceThickness)),
        ("KVP", "120"), ("PatientSex", who.sex), ("PatientAge", "045Y"), ("PatientWeight", "70"), ("Modality", "CT"),
        ("RescaleType", "HU"), ("InstanceNumber", str(ds.InstanceNumber)),
    ):  # fmt: skip
        yield check("text_retained", _place(keyword), text, "tcia_rev")
    code_place = f"{_place('SourceImageSequence')}[<0000>]{_place('PurposeOfReferenceCodeSequence')}[<0000>]"
    yield check("text_retained", code_place + _place("CodeMeaning"), "Source image", "tcia_rev")
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "AcquisitionDateTime"):
        yield check("date_shifted", _place(keyword), str(ds[keyword].value), "hipaa_c")
    source = f"{_place('SourceImageSequence')}[<0000>]{_place('ReferencedSOPInstanceUID')}"
    for place, value in (
        *((_place(k), ds[k].value) for k in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
                                             "FrameOfReferenceUID")),
        (source, reference.ReferencedSOPInstanceUID),
    ):  # fmt: skip
        yield check("uid_changed", place, str(value), "hipaa_r")
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        yield check("uid_consistent", _place(keyword), str(ds[keyword].value), "dicom_u")
    yield check("patid_consistent", _place("PatientID"), who.dashed, "dicom_c")
    for keyword in (
        "Rows",
        "Columns",
        "BitsAllocated",
        "SOPClassUID",
        "PixelSpacing",
        "ImagePositionPatient",
    ):
        yield check("tag_retained", _place(keyword), "", "dicom_iod")
        yield check("text_notnull", _place(keyword), "", "dicom_iod")


def _place(keyword: str) -> str:
    tag = pydicom.tag.Tag(keyword)
    return f"<({tag.group:04x},{tag.element:04x})>"


def generate(src: Path, key: Path, *, patients: int, slices: int) -> None:
    """Dressed phantoms and their answer key."""
    src.mkdir(parents=True)
    connection = sqlite3.connect(key)
    connection.execute(f"CREATE TABLE answer_data ({', '.join(_COLUMNS)}, AnswerData)")
    for number in range(patients):
        for ds in ct_slices(ct_phantom(number, slices=slices, size=32)):
            checks = {str(i): check for i, check in enumerate(checks_of(ds, number))}
            ds.save_as(src / f"{ds.SOPInstanceUID}.dcm", enforce_file_format=True)
            row = [str(ds[column].value) for column in _COLUMNS]
            connection.execute("INSERT INTO answer_data VALUES (?,?,?,?,?,?,?)", [*row, json.dumps(checks)])
    connection.commit()
    connection.close()


def value_at(ds: Dataset, place: str) -> str | None:
    """The text at a place as keys write it; None where nothing is."""
    here: Any = ds
    for step in _STEP.findall(place):
        try:
            if re.fullmatch(r"\d{4}", step):
                here = here.value[int(step)]
            elif match := re.fullmatch(r'\(([0-9a-fA-F]{4}),"(.*)",([0-9a-fA-F]{2})\)', step):
                block = here.private_block(int(match[1], 16), match[2])
                here = here[block.get_tag(int(match[3], 16))]
            else:
                group, element = step.strip("()").split(",")
                here = here[int(group, 16), int(element, 16)]
        except (KeyError, IndexError, ValueError, AttributeError, TypeError):
            return None
    value = here.value
    many = not isinstance(value, str | bytes) and hasattr(value, "__iter__") and here.VR != "PN"
    return "\\".join(map(str, value)) if many else "" if value is None else str(value)


def _kept_share(wanted: str, value: str) -> float:
    try:
        return float(float(wanted) == float(value))
    except ValueError:
        pass
    if wanted in value:
        return 1.0
    words = [word for word in re.findall(r"\w+", wanted) if word.lower() not in _FUNCTION_WORDS]
    return sum(word in value for word in words) / len(words) if words else 1.0


def passes(check: dict[str, Any], ds: Dataset | None, uids: dict[str, str], patients: dict[str, str]) -> bool:
    """The challenge's rule for one check; ``ds`` is None where the instance did not come out."""
    action = check["action"]
    if ds is None:
        return action not in _RETAIN
    text = str(check.get("action_text") or check.get("value") or "").removeprefix("<").removesuffix(">")
    value = value_at(ds, check["tag"])
    match action:
        case "tag_retained":
            return value is not None
        case "text_notnull":
            return bool(value)
        case "text_retained":
            return value is not None and _kept_share(text, value) == 1.0
        case "text_removed":
            return value is None or _kept_share(text, value) == 0.0
        case "date_shifted" | "uid_changed":
            return value is None or text not in value
        case "uid_consistent":
            return value is None or value == uids.get(text)
        case _:
            return value is None or value == patients.get(text)


def _mapping(path: Path) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row["id_old"]: row["id_new"] for row in csv.DictReader(file)}


def main() -> int:
    """Generate if nothing is brought, de-identify, score, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--src", type=Path)
    parser.add_argument("--patients", type=int, default=25)
    parser.add_argument("--slices", type=int, default=36)
    parser.add_argument(
        "--show", action="store_true", help="show values of failed checks (synthetic data only)"
    )
    given = parser.parse_args()
    if (given.key is None) != (given.src is None):
        parser.error("--key and --src belong together")
    with tempfile.TemporaryDirectory() as folder, quiet_pydicom():
        work = Path(folder)
        key, src = given.key or work / "key.db", given.src or work / "src"
        if given.key is None:
            generate(src, key, patients=given.patients, slices=given.slices)
        create_key(work / "pseudonym.key")
        command = [sys.executable, "-c", _AIDA, "deidentify", str(src), str(work / "out"),
                   "--profile", "research-longitudinal", "--key-file", str(work / "pseudonym.key"),
                   "--report", str(work / "report")]  # fmt: skip
        code = subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode
        if code not in (0, 3):
            return 1
        uids, patients = (
            _mapping(work / "report/uid_mapping.csv"),
            _mapping(work / "report/patid_mapping.csv"),
        )
        files = {path.stem: path for path in (work / "out").rglob("*.dcm")}
        total: Counter[str] = Counter()
        failed: Counter[str] = Counter()
        places: Counter[tuple[str, ...]] = Counter()
        for instance, answers in sqlite3.connect(key).execute(_ANSWERS):
            path = files.get(uids.get(instance, ""))
            ds = pydicom.dcmread(path, stop_before_pixels=True) if path else None
            for check in json.loads(answers).values():
                if check["action"].startswith("pixels_"):
                    continue
                names = {check["action"], "all", "HIPAA" if check["action"] in _HIPAA else "others"}
                total.update(names)
                if not passes(check, ds, uids, patients):
                    failed.update(names)
                    shown = (str(check.get("action_text")),) if given.show else ()
                    places[check["action"], check["tag"], *shown] += 1
    for name in sorted(total):
        share = 100 - 100 * failed[name] / total[name]
        print(f"{name:18} {total[name]:8} checks {failed[name]:6} failed {share:9.3f} %")
    for where, times in places.most_common(40):
        print(f"{times:8}  {'  '.join(where)}")
    return int(bool(failed["HIPAA"]) or failed["all"] > 0.0005 * total["all"])


if __name__ == "__main__":
    raise SystemExit(main())
