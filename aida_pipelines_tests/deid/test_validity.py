"""De-identification makes no object less valid: dciodvfy finds no kind of error that was not in the source."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest

from aida_pipelines.errors import Quarantine
from aida_pipelines_tests.deid.validity import error_classes

JUSTIFIED: frozenset[str] = frozenset()
"""Kinds of errors that the standard's own actions bring about; none so far."""


@pytest.mark.slow
@pytest.mark.shared
def test_no_file_of_the_development_data_becomes_less_valid(deidentifier, any_profile, dev_data, tmp_path):
    one = deidentifier(any_profile)

    def new_errors(path):
        try:
            result = one.deidentify(path.read_bytes(), pixels_reviewed=True)
        except Quarantine:
            return None
        out = tmp_path / f"{path.relative_to(dev_data)}".replace("/", "-")
        out.write_bytes(b"".join(result.parts))
        found = error_classes(out) - error_classes(path) - JUSTIFIED
        out.unlink()
        return found

    files = sorted(path for path in dev_data.rglob("*") if path.is_file())
    worse = defaultdict(list)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(new_errors, files))
    for path, found in zip(files, results, strict=True):
        for error in found or ():
            worse[error].append(str(path.relative_to(dev_data)))
    assert dict(worse) == {}
    assert sum(found is not None for found in results) > 800
