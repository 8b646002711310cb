"""dicom-anonymizer with its defaults, private elements removed."""

import sys
from pathlib import Path

import pydicom
from dicomanonymizer.simpledicomanonymizer import anonymize_dataset

for number, path in enumerate(sorted(Path(sys.argv[1]).rglob("*.dcm"))):
    data_set = pydicom.dcmread(path)
    anonymize_dataset(data_set, delete_private_tags=True)
    data_set.save_as(Path(sys.argv[2]) / f"{number}.dcm")
