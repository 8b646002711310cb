"""What research needs of the images survives: dcm2niix makes the same of them before and after.

dcm2niix reads geometry, diffusion weighting, slice timing and phase encoding where each manufacturer writes them,
which is in private attributes for the most part. Compared are all volumes of all CT and MR series of the
development data: headers and voxels of the NIfTI files, b-values, vectors, and everything in the sidecars but what
names persons, places, days, or is free text.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDERS = {
    "ct-ge-head": 2,  # one of them with the gantry's tilt taken out
    "ct-philips-head-5mm": 1,
    "mr-canon-dti": 1,
    "mr-enhanced": 3,
    "mr-nih": 5,
    "mr-siemens-mosaic": 3,
    "mr-siemens-t1-sag": 1,
    "mr-siemens-xa30-classic": 1,
    "mr-siemens-xa30-enhanced": 1,
    "mr-uih-dti": 1,
}
"""Series of images, and how many volumes they make."""

IDENTITY = {
    "AccessionNumber", "AcquisitionDateTime", "InstitutionAddress", "InstitutionName", "InstitutionalDepartmentName",
    "PatientBirthDate", "PatientID", "PatientName", "ReferringPhysicianName", "SeriesInstanceUID", "StationName",
    "StudyID", "StudyInstanceUID",
}  # fmt: skip
FREE_TEXT = {
    "ImageComments", "ProcedureStepDescription", "ProtocolName", "SeriesDescription", "StudyDescription",
}  # fmt: skip
PRIVATE_TEXT = {
    "CoilString", "ConsistencyInfo", "ImageOrientationText", "PrescanReuseString", "PulseSequenceDetails",
    "ReceiveCoilActiveElements", "ReceiveCoilName",
}  # fmt: skip
OURS = {"DeidentificationMethod", "DeidentificationMethodCodeSequence"}
GUESSED = {"BidsGuess"}  # from the names of protocol and sequence
MAY_DIFFER = IDENTITY | FREE_TEXT | PRIVATE_TEXT | OURS | GUESSED

COMMENT = slice(228, 252)
"""``aux_file`` of a NIfTI header: Image Comments."""
VOXELS = 352


def volumes(folder, out):
    """What dcm2niix makes of a folder: by the voxels' hash, header, voxels, b-values, vectors, sidecar."""
    out.mkdir()
    dcm2niix = Path(sys.executable).with_name("dcm2niix")
    command = [dcm2niix, "-b", "y", "-ba", "n", "-z", "n", "-f", "%s", "-o", out, folder]
    subprocess.run(command, capture_output=True, check=True)
    found = {}
    for path in sorted(out.glob("*.nii")):
        image = path.read_bytes()
        beside = [path.with_suffix(suffix) for suffix in (".bval", ".bvec", ".json")]
        bval, bvec, sidecar = (one.read_text() if one.exists() else "" for one in beside)
        header = image[: COMMENT.start] + image[COMMENT.stop : VOXELS]
        key = hashlib.sha256(image[VOXELS:]).hexdigest()
        assert key not in found
        found[key] = header, bval, bvec, json.loads(sidecar or "{}")
    return found


@pytest.fixture
def before_and_after(deidentifier, dev_data, tmp_path):
    """``before_and_after(folder, profile)``: the volumes of a folder, and of what is made of it."""

    def both(folder, profile):
        source, after = dev_data / folder, tmp_path / "deidentified"
        after.mkdir()
        one = deidentifier(profile)
        for number, path in enumerate(sorted(path for path in source.rglob("*") if path.is_file())):
            (after / f"{number:04}.dcm").write_bytes(b"".join(one.deidentify(path.read_bytes()).parts))
        return volumes(source, tmp_path / "before"), volumes(after, tmp_path / "after")

    return both


@pytest.mark.shared
@pytest.mark.parametrize("folder", FOLDERS)
def test_dcm2niix_makes_the_same_image_values_and_vectors(before_and_after, research, folder):
    before, after = before_and_after(folder, research)
    assert len(before) == FOLDERS[folder]
    assert after.keys() == before.keys()
    for key, (header, bval, bvec, sidecar) in before.items():
        assert after[key][:3] == (header, bval, bvec)
        now = after[key][3]
        assert {name for name in sidecar | now if sidecar.get(name) != now.get(name)} <= MAY_DIFFER
        if folder.endswith("-dti"):
            assert any(float(number) for number in bval.split())
            assert any(float(number) for number in bvec.split())


@pytest.mark.shared
@pytest.mark.parametrize("folder", ["mr-siemens-mosaic", "mr-uih-dti"])
def test_without_private_attributes_it_makes_other_images(before_and_after, basic, folder):
    before, after = before_and_after(folder, basic)
    assert after.keys() != before.keys()
