"""What headers alone decide: whether a series can be a volume at all, and where an image lies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.harmonise.geometry import Verdict
from aida_pipelines.harmonise.images import geometry_of, plane_of

HEAD = {
    "subject": "sub-1", "study_instance_uid": "1.2", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2", "modality": "CT",
    "number_of_frames": None, "image_type": ["ORIGINAL", "PRIMARY", "AXIAL"], "frame_of_reference_uid": "1.3",
    "rows": 512, "columns": 512, "pixel_spacing": [0.5, 0.5], "slice_thickness": 5.0,
    "image_orientation_patient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
}  # fmt: skip


def series(many=4, **changes_of_one):
    rows = [{**HEAD, "image_position_patient": [0.0, 0.0, 5.0 * number]} for number in range(many)]
    rows[-1] |= changes_of_one
    return rows


def verdict(rows):
    found = geometry_of(rows)[0]
    return found.verdict, found.reason


def test_a_plain_ct_is_a_volume():
    found, plane = geometry_of(series())
    assert found.verdict is Verdict.VOLUME
    assert (plane.rows, plane.row_step, plane.thickness) == (512, 0.5, 5.0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"subject": "sub-2"}, (Verdict.MIXED, "mixed-subjects")),
        ({"study_instance_uid": "1.9"}, (Verdict.MIXED, "mixed-studies")),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.4"}, (Verdict.MIXED, "mixed-kinds")),
        ({"modality": "PT"}, (Verdict.MIXED, "mixed-kinds")),
        ({"frame_of_reference_uid": "1.4"}, (Verdict.MIXED, "mixed-frames-of-reference")),
        ({"number_of_frames": 20}, (Verdict.MULTI_FRAME, "multi-frame")),
        ({"image_type": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}, (Verdict.MOSAIC, "slices-side-by-side")),
        ({"image_type": ["ORIGINAL", "PRIMARY", "VFRAME"]}, (Verdict.MOSAIC, "slices-side-by-side")),
        ({"image_position_patient": None}, (Verdict.NOT_SPATIAL, "position-missing-in-some")),
        ({"pixel_spacing": [0.5, 0.0]}, (Verdict.NOT_SPATIAL, "position-missing-in-some")),
        ({"pixel_spacing": [0.5]}, (Verdict.NOT_SPATIAL, "position-missing-in-some")),
        ({"image_orientation_patient": [1.0] * 6}, (Verdict.NOT_SPATIAL, "position-missing-in-some")),
        ({"rows": 256}, (Verdict.MIXED, "mixed-sizes")),
    ],
)
def test_one_image_that_differs_decides(change, expected):
    assert verdict(series(**change)) == expected


def test_images_without_any_place_are_not_spatial():
    rows = [row | {"image_orientation_patient": None} for row in series()]
    assert geometry_of(rows)[1] is None
    assert verdict(rows) == (Verdict.NOT_SPATIAL, "no-position")


def test_what_has_no_pixels_is_no_image():
    assert verdict([HEAD | {"rows": None, "columns": None, "image_position_patient": None}]) == (
        Verdict.NOT_AN_IMAGE,
        "no-pixels",
    )


@pytest.mark.parametrize(
    "nonsense",
    [
        {"image_position_patient": [0.0, 0.0, 1e30]},
        {"image_position_patient": [0.0, 0.0, -1e308]},
        {"pixel_spacing": [1e30, 1e30]},
        {"pixel_spacing": [1e-30, 1e-30]},
    ],
)
def test_a_place_that_no_scanner_reaches_is_no_place(nonsense):
    assert plane_of(series()[0] | nonsense) is None


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "image_position_patient": st.none() | st.lists(numbers, max_size=4),
                "image_orientation_patient": st.just(HEAD["image_orientation_patient"])
                | st.lists(numbers, max_size=7),
                "pixel_spacing": st.none() | st.lists(numbers, max_size=3),
                "slice_thickness": st.none() | numbers,
                "rows": st.none() | st.integers(0, 65_535),
                "columns": st.integers(0, 65_535),
            }
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_numbers_headers_hold_there_is_a_verdict_and_a_reason(found):
    geometry, _ = geometry_of([HEAD | row for row in found])
    assert geometry.reason or geometry.verdict is Verdict.VOLUME


@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=2, max_size=6))
def test_whatever_places_headers_hold_there_is_a_verdict_and_a_reason(places):
    geometry, _ = geometry_of([HEAD | {"image_position_patient": list(place)} for place in places])
    assert geometry.reason or geometry.verdict is Verdict.VOLUME
