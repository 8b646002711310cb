"""fw-file-rs with a profile (a file): the header through it, the rest copied."""

import sys
from pathlib import Path

from fw_file_rs.dcm import Context

profile, src, dst = map(Path, sys.argv[1:])
context = Context().deid_profile(profile.read_text())
for number, path in enumerate(sorted(src.rglob("*.dcm"))):
    header = context.read_until_pixels(str(path))
    with path.open("rb") as source, (dst / f"{number}.dcm").open("wb") as target:
        source.seek(len(header))
        target.write(context.deid_header(header))
        while chunk := source.read(1 << 20):
            target.write(chunk)
