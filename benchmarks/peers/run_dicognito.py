"""dicognito with its defaults."""

import sys
from pathlib import Path

import pydicom
from dicognito.anonymizer import Anonymizer

anonymizer = Anonymizer(seed="bench")
for number, path in enumerate(sorted(Path(sys.argv[1]).rglob("*.dcm"))):
    data_set = pydicom.dcmread(path)
    anonymizer.anonymize(data_set)
    data_set.save_as(Path(sys.argv[2]) / f"{number}.dcm")
