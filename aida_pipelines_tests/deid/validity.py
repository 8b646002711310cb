"""What dciodvfy (dicom3tools) says of an object, by kind of error."""

import re
import subprocess
import sys
from pathlib import Path

DCIODVFY = Path(sys.executable).parent / "dciodvfy"
_VALUES = re.compile(r"<[^</>]*>|\[\d+\]")


def error_classes(path):
    """Kinds of errors in a file: the attribute and what is wrong, without values and the items' numbers."""
    said = subprocess.run([DCIODVFY, "-new", path], capture_output=True, check=False).stderr.decode("latin-1")
    return {_VALUES.sub("", line) for line in said.splitlines() if line.startswith("Error")}
