"""Rules for peers that have none of their own, made from table E.1-1 so that they do work equal to ours.

What they do with the attributes of the table: dates moved, UIDs replaced, Patient's Name and ID replaced, sex, age,
size and weight kept, all others removed; private elements removed; of sequences, those in which any of these may be are
removed whole where the tool can't go through them. What they don't: keep harmless words of descriptions, look at the
values of attributes that the table doesn't list, hash, verify.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from aida_pipelines.dicom.dictionary import DicomDictionary

_TABLE = Path(__file__).parents[2] / "data_contracts" / "standards" / "ps3_15_e1_1.csv"
_KEPT = frozenset({"PatientSex", "PatientAge", "PatientSize", "PatientWeight"})
_REPLACED = frozenset({"PatientName", "PatientID"})
_NESTING = ("RequestAttributesSequence", "ReferencedStudySequence", "ReferencedImageSequence")


def actions() -> Iterator[tuple[str, str]]:
    """Keyword and ``remove``, ``date``, ``uid`` or ``replace``, for every attribute of the table that is changed."""
    with _TABLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        group, _, element = row["tag"].strip("()").partition(",")
        if not element or "x" in element + group or group < "0008":
            continue  # private attributes; repeating groups; commands and media directories
        entry = DicomDictionary.get(int(group + element, 16))
        if entry is None or entry[4] in _KEPT:
            continue
        vr, keyword = entry[0], entry[4]
        if keyword in _REPLACED:
            yield keyword, "replace"
        elif vr == "UI" and row["basic_profile"] == "U":
            yield keyword, "uid"
        elif vr == "DA" and keyword != "PatientBirthDate":
            yield keyword, "date"
        elif vr != "TM":
            yield keyword, "remove"
    for keyword in _NESTING:
        yield keyword, "remove"


def fw_file_rs() -> str:
    """A profile for fw-file-rs 0.9. Its ``recurse-sequence`` fails on headers without the sequences it expects."""
    how = {
        "remove": "remove: true",
        "date": "increment-date: true",
        "uid": "hashuid: true",
        "replace": "replace-with: REMOVED",
    }
    fields = [f"    - name: {name}\n      {how[action]}" for name, action in actions()]
    fields.append("    - name: MediaStorageSOPInstanceUID\n      hashuid: true")
    head = "version: 1\nname: bench\ndicom:\n  date-increment: -43\n  remove-private-tags: true\n  fields:\n"
    return head + "\n".join(fields) + "\n"


def deid() -> str:
    """A recipe for pydicom's deid."""
    how = {
        "remove": "REMOVE {0}",
        "date": "JITTER {0} -43",
        "uid": "REPLACE {0} func:pseudonym",
        "replace": "REPLACE {0} REMOVED",
    }
    return (
        "FORMAT dicom\n\n%header\n\n"
        + "\n".join(how[action].format(name) for name, action in actions())
        + "\n"
    )


def dcmodify() -> str:
    """Arguments for DCMTK's dcmodify, one a line. It can't hash UIDs nor move dates."""
    lines = ["--no-backup", "--ignore-errors", "--ignore-missing-tags", "--erase-private"]
    lines += ["--gen-stud-uid", "--gen-ser-uid", "--gen-inst-uid"]
    for name, action in actions():
        if action == "replace":
            lines += ["--modify", f"{name}=REMOVED"]
        elif action in ("remove", "date"):
            lines += ["--erase-all", name]
    return "\n".join(lines) + "\n"
