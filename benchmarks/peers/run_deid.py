"""pydicom's deid with a recipe (a file) and UIDs from a plain hash."""

import hashlib
import sys
from pathlib import Path

import pydicom
from deid.config import DeidRecipe
from deid.dicom.parser import DicomParser


def pseudonym(item, value, field, dicom, element_name=None):
    digest = hashlib.sha256(str(field.element.value).encode()).digest()
    return "2.25." + str(int.from_bytes(digest[:16], "big"))


recipe, src, dst = map(Path, sys.argv[1:])
rules = DeidRecipe(deid=str(recipe))
for number, path in enumerate(sorted(src.rglob("*.dcm"))):
    parser = DicomParser(pydicom.dcmread(path), recipe=rules)
    parser.define("pseudonym", pseudonym)
    parser.parse(strip_sequences=False, remove_private=True)
    result = parser.dicom
    result.file_meta.MediaStorageSOPInstanceUID = result.SOPInstanceUID
    result.save_as(dst / f"{number}.dcm")
