"""Memory does not grow with a delivery: 20,000 small instances within 1.5 GiB a process, at every stage."""

import subprocess
import time
from pathlib import Path

import psutil
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from aida_pipelines_tests.end_to_end.conftest import AIDA, Home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

INSTANCES = 20_000
LIMIT = 1.5 * 2**30


def make_delivery(folder: Path) -> None:
    """Many small CT slices: 200 a series, 16×16 pixels, one patient for each five series."""
    ds = dcmread(get_testdata_file("CT_small.dcm"))
    ds.Rows = ds.Columns = 16
    ds.PixelData = bytes(2 * 16 * 16)
    for name in [element.keyword for element in ds if element.keyword == "DataSetTrailingPadding"]:
        delattr(ds, name)
    for number in range(INSTANCES):
        series, slice_ = divmod(number, 200)
        ds.PatientID = f"SYNTHETIC-{series // 5}"
        ds.StudyInstanceUID = f"1.2.3.4.{series // 5}"
        ds.SeriesInstanceUID = f"1.2.3.4.{series // 5}.{series}"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = (
            f"1.2.3.4.{series // 5}.{series}.{slice_}"
        )
        ds.InstanceNumber = slice_
        ds.ImagePositionPatient = [0, 0, slice_]
        path = folder / f"{series:03}" / f"{slice_:03}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        ds.save_as(path)


def peak_of(home: Home, *arguments: str) -> tuple[float, int]:
    """Run ``aida``; the largest resident memory of any one process (bytes), and the exit code."""
    child = psutil.Popen([*AIDA, *arguments], env=home.env, stdout=subprocess.DEVNULL)
    peak = 0.0
    while child.poll() is None:
        for process in [child, *child.children(recursive=True)]:
            try:
                peak = max(peak, process.memory_info().rss)
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.1)
    return peak, child.returncode


def test_twenty_thousand_instances_run_in_bounded_memory(home, tmp_path):
    make_delivery(tmp_path / "in")
    here = ["--site", "norr", "--collection", "reference-images", "--id", "norr_many"]
    delivering, code = peak_of(home, "deliver", str(tmp_path / "in"), *here)
    assert code == 0
    running, code = peak_of(home, "run")
    assert code in (0, 3)
    print(f"peak of any process: deliver {delivering / 2**20:.0f} MiB, run {running / 2**20:.0f} MiB")
    assert max(delivering, running) < LIMIT
    (delivery,) = home.json("status")["deliveries"]
    assert delivery["refined"] == INSTANCES
