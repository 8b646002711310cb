"""dcmanon with its defaults."""

import sys
from pathlib import Path

from dcmanon import Anonymizer

anonymizer = Anonymizer()
for number, path in enumerate(sorted(Path(sys.argv[1]).rglob("*.dcm"))):
    (Path(sys.argv[2]) / f"{number}.dcm").write_bytes(anonymizer.anonymize(str(path)))
