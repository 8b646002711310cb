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
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian

from aida_pipelines.dicom.quiet import quiet_pydicom

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
    "AccessionNumber", "DeviceSerialNumber", "AcquisitionDateTime", "InstitutionAddress", "InstitutionName", "InstitutionalDepartmentName",
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
def before_and_after(deidentifier, tmp_path):
    """``before_and_after(folder, profile)``: the volumes of a folder, and of what is made of it."""

    def both(source, profile):
        deidentified = tmp_path / "deidentified"
        deidentified.mkdir()
        one = deidentifier(profile)
        for number, path in enumerate(files(source)):
            result = one.deidentify(path.read_bytes())
            (deidentified / f"{number:04}.dcm").write_bytes(b"".join(result.parts))
        return volumes(source, tmp_path / "before"), volumes(deidentified, tmp_path / "after")

    return both


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def same(before, after):
    """Whether all that is compared is the same in both."""
    assert after.keys() == before.keys()
    for key, (header, bval, bvec, sidecar) in before.items():
        assert after[key][:3] == (header, bval, bvec)
        now = after[key][3]
        assert {name for name in sidecar | now if sidecar.get(name) != now.get(name)} <= MAY_DIFFER


@pytest.mark.shared
@pytest.mark.parametrize("folder", FOLDERS)
def test_dcm2niix_makes_the_same_image_values_and_vectors(before_and_after, research, dev_data, folder):
    before, after = before_and_after(dev_data / folder, research)
    assert len(before) == FOLDERS[folder]
    same(before, after)
    if folder.endswith("-dti"):
        assert weighted(before)


@pytest.mark.shared
@pytest.mark.parametrize("folder", ["mr-siemens-mosaic", "mr-uih-dti"])
def test_without_private_attributes_it_makes_other_images(before_and_after, basic, dev_data, folder):
    before, after = before_and_after(dev_data / folder, basic)
    assert after.keys() != before.keys()


# Of Siemens, GE and Philips there is no diffusion series in the development data. Real series are dressed as such.
DIRECTIONS = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, 0.8, 0), (0, 0.6, 0.8), (0.8, 0, -0.6)]
GE_SLICES = 15


def weighted(made):
    """Whether a volume of these has b-values and vectors."""
    ((_, bval, bvec, _),) = made.values()
    return all(any(float(number) for number in text.split()) for text in (bval, bvec))


def siemens(folder):
    """One mosaic after the other, each the same image."""
    for number, direction in enumerate(DIRECTIONS, 1):
        data_set = dcmread(files(folder / "mr-siemens-mosaic")[0])
        block = data_set.private_block(0x0019, "SIEMENS MR HEADER")
        block.add_new(0x0C, "IS", 1000 if any(direction) else 0)
        if any(direction):
            block.add_new(0x0E, "FD", [float(part) for part in direction])
        data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = f"1.2.752.99.{number}"
        data_set.InstanceNumber = data_set.AcquisitionNumber = number
        yield data_set


def ge_series(folder):
    """Slices of GE, each with its volume and its number in it."""
    for path in files(folder / "mr-nih" / "20180918GE"):
        data_set = dcmread(path)
        volume, number = divmod(data_set.InstanceNumber - 1, GE_SLICES)
        if volume < len(DIRECTIONS):
            yield data_set, volume, number


def ge(folder):
    for data_set, volume, _ in ge_series(folder):
        direction = DIRECTIONS[volume]
        acquisition = data_set.private_block(0x0019, "GEMS_ACQU_01")
        for element, part in zip((0xBB, 0xBC, 0xBD), direction, strict=True):
            acquisition.add_new(element, "DS", part)
        acquisition.add_new(0xE0, "DS", len(DIRECTIONS) - 1)
        acquisition.add_new(0x9C, "LO", "epi2")
        b_value = 1000 if any(direction) else 0
        data_set.private_block(0x0043, "GEMS_PARM_01").add_new(0x39, "IS", [1_000_000_000 + b_value, 8, 0, 0])
        yield data_set


def philips(folder):
    for data_set, volume, number in ge_series(folder):
        direction = DIRECTIONS[volume]
        data_set.remove_private_tags()
        data_set.Manufacturer = "Philips Medical Systems"
        data_set.RescaleSlope, data_set.RescaleIntercept = "2.5", "0"
        image = data_set.private_block(0x2001, "Philips Imaging DD 001", create=True)
        image.add_new(0x03, "FL", 1000.0 if any(direction) else 0.0)
        image.add_new(0x0A, "IS", number + 1)
        image.add_new(0x18, "SL", GE_SLICES)
        scan = data_set.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
        scan.add_new(0x0D, "FL", 0.0)
        scan.add_new(0x0E, "FL", 0.0084)
        for element, part in zip((0xB0, 0xB1, 0xB2), direction, strict=True):
            scan.add_new(element, "FL", float(part))
        more = data_set.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
        more.add_new(0x12, "IS", 2 if any(direction) else 1)
        more.add_new(0x13, "IS", max(volume, 1))
        yield data_set


@pytest.mark.shared
@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("manufacturer", [siemens, ge, philips])
def test_diffusion_series_of_the_other_manufacturers(
    before_and_after, research, dev_data, tmp_path, manufacturer, implicit
):
    source = tmp_path / "source"
    source.mkdir()
    with quiet_pydicom():
        for number, data_set in enumerate(manufacturer(dev_data)):
            if implicit:
                data_set.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
            data_set.save_as(source / f"{number:04}.dcm", implicit_vr=implicit, little_endian=True)
    before, after = before_and_after(source, research)
    assert weighted(before)
    same(before, after)
