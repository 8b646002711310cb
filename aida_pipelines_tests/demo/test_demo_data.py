"""The demo's data: synthetic and looking it, the same bytes each time, with the faults that it promises."""

import hashlib
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.demo.deliveries import demo_identifiers, make_demo
from aida_pipelines.demo.identities import luhn, person
from aida_pipelines.demo.phantom import ct_phantom, ct_slices, segmentation


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return folder, make_demo(folder)


def digest(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_same_call_makes_the_same_bytes(demo, tmp_path):
    make_demo(tmp_path)
    assert digest(tmp_path) == digest(demo[0])


def test_one_hospital_hands_over_a_folder_the_other_a_zip(demo):
    folder, archive = (delivery.source for delivery in demo[1])
    assert any("Å" in path.name and " " in path.name for path in folder.iterdir())
    assert len(zipfile.ZipFile(archive).namelist()) > 40


def test_every_identifier_is_planted(demo):
    content = b"".join(path.read_bytes() for path in demo[0].rglob("*") if path.is_file())
    content += b"".join(
        map(zipfile.ZipFile(demo[1][1].source).read, zipfile.ZipFile(demo[1][1].source).namelist())
    )
    missing = [
        t for t in demo_identifiers() if t.encode() not in content and t.encode("latin-1") not in content
    ]
    # A number without its dash is only in the clinical table, which the second hospital has not.
    assert [t for t in missing if not t.isdigit() or len(t) not in (8, 12)] == []


@given(st.integers(0, 199))
def test_people_are_of_no_living_generation_and_their_numbers_are_well_formed(number):
    someone = person(number)
    assert someone.personnummer.startswith("189")
    assert luhn(someone.personnummer[2:-1]) == int(someone.personnummer[-1])
    assert (int(someone.personnummer[10]) % 2 == 1) == (someone.sex == "M")


@pytest.mark.parametrize(("digits", "check"), [("811218987", 6), ("640823323", 4)])
def test_the_check_digit_is_the_tax_agencys(digits, check):
    """Examples of SKV 704 (811218-9876) and of the agency's public test numbers (640823-3234)."""
    assert luhn(digits) == check


@given(st.integers(0, 20))
def test_a_phantoms_lesions_have_the_density_that_it_says(seed):
    phantom = ct_phantom(seed, slices=24, size=64, spacing_mm=(4.0, 5.0, 5.0))
    for number, lesion in enumerate(phantom.lesions, 1):
        inside = phantom.hu[phantom.labels == number]
        if inside.size > 20:
            assert abs(np.median(inside) - lesion.hu) < 12


def test_the_segmentation_refers_to_the_slices_and_holds_the_lesions():
    phantom = ct_phantom(0)
    slices = list(ct_slices(phantom))
    seg = segmentation(phantom, slices)
    assert seg.FrameOfReferenceUID == slices[0].FrameOfReferenceUID
    assert len(seg.SegmentSequence) == len(phantom.lesions)
    assert sum(int(frame.sum()) for frame in seg.pixel_array) == int((phantom.labels > 0).sum())
