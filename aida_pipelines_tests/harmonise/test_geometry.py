"""Planes in space: which of them are one volume, and why the others aren't."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.harmonise.geometry import (
    Verdict,
    anatomical_plane,
    assess,
    cross,
    dot,
    orientation_letters,
    orthonormal,
)
from aida_pipelines_tests.harmonise.stacks import AXIAL, orientations, planes, steps_mm

EVEN = [0.0, 2.5, 5.0, 7.5, 10.0, 12.5]


def verdict(given):
    found = assess(given)
    return found.verdict, found.reason


# --- a volume ---------------------------------------------------------------------------------------


@given(st.data(), orientations(), steps_mm, st.integers(2, 30))
def test_even_parallel_slices_are_one_volume_whatever_their_orientation_and_order(
    data, directions, step, many
):
    straight = planes([number * step for number in range(many)], directions=directions)
    shuffle = data.draw(st.permutations(range(many)))
    found = assess([straight[number] for number in shuffle])
    assert (found.verdict, found.reason) == (Verdict.VOLUME, None)
    assert [shuffle[index] for index in found.stack.order] == list(range(many))
    assert found.stack.plane == straight[0]
    assert found.stack.step == pytest.approx(step, abs=1e-9)
    assert found.stack.even
    assert found.stack.shear == 0.0
    assert (found.missing_slices, found.duplicate_positions) == (0, 0)


@given(st.data(), st.integers(3, 12))
def test_the_order_of_files_plays_no_part_even_where_cosines_are_rounded_differently(data, many):
    jitter = st.floats(-6e-4, 6e-4)
    given_planes = [
        replace(plane, row=(1.0, data.draw(jitter), 0.0)) for plane in planes([3.0 * n for n in range(many)])
    ]
    shuffle = data.draw(st.permutations(range(many)))
    straight, shuffled = assess(given_planes), assess([given_planes[number] for number in shuffle])
    assert (straight.verdict, straight.reason) == (shuffled.verdict, shuffled.reason)
    if straight.stack:
        assert [shuffle[index] for index in shuffled.stack.order] == list(straight.stack.order)
        assert shuffled.stack.distances == straight.stack.distances


def test_positions_rounded_by_a_scanner_are_still_even():
    assert verdict(planes([0.0, 2.52, 4.99, 7.5, 10.03, 12.5])) == (Verdict.VOLUME, None)


@pytest.mark.parametrize("degrees", [-24.5, -3.0, 3.0, 18.5])
@given(directions=orientations())
def test_slices_that_move_along_their_columns_show_the_gantrys_tilt(degrees, directions):
    found = assess(planes(EVEN, directions=directions, shear=math.tan(math.radians(degrees))))
    assert (found.verdict, found.reason) == (Verdict.VOLUME, "gantry-tilt")
    assert found.stack.tilt_degrees == pytest.approx(degrees, abs=1e-6)


def test_a_drift_of_less_than_a_tenth_of_a_millimetre_is_rounding_and_no_tilt():
    found = assess(planes(EVEN, shear=0.09 / 12.5))
    assert (found.reason, found.stack.shear) == (None, 0.0)


def test_thin_slices_at_the_base_of_the_skull_and_thick_ones_above_are_one_volume():
    distances = [0.0, 2.5, 5.0, 7.5, 12.5, 17.5, 22.5]
    thickness = [2.5, 2.5, 2.5, 2.5, 5.0, 5.0, 5.0]
    found = assess(planes(distances, thickness=thickness))
    assert (found.verdict, found.reason) == (Verdict.VOLUME, "slice-thickness-changes")
    assert not found.stack.even


# --- no volume --------------------------------------------------------------------------------------


def test_one_image_is_no_volume():
    assert verdict(planes([0.0])) == (Verdict.SINGLE_IMAGE, "one-image")


@given(st.data(), st.integers(5, 20))
def test_every_gap_is_counted_in_slices(data, many):
    lost = data.draw(st.sets(st.integers(1, many - 2), min_size=1, max_size=max(1, many // 4 - 1)))
    kept = [3.0 * number for number in range(many) if number not in lost]
    found = assess(data.draw(st.permutations(planes(kept))))
    assert (found.verdict, found.reason) == (Verdict.IRREGULAR, "missing-slices")
    assert found.missing_slices == len(lost)


def test_a_gap_where_the_thickness_changes_is_no_protocol():
    distances = [0.0, 2.5, 5.0, 7.5, 17.5, 22.5, 27.5]
    thickness = [2.5, 2.5, 2.5, 2.5, 5.0, 5.0, 5.0]
    assert assess(planes(distances, thickness=thickness)).verdict is Verdict.IRREGULAR


def test_steps_without_a_rule_are_irregular():
    assert verdict(planes([0.0, 2.5, 4.0, 7.5, 8.4])) == (Verdict.IRREGULAR, "uneven-steps")


def test_two_images_in_one_place_are_a_fault_of_the_series():
    found = assess(planes([0.0, 2.5, 2.5, 5.0, 7.5, 10.0]))
    assert (found.verdict, found.reason) == (Verdict.IRREGULAR, "duplicate-positions")
    assert found.duplicate_positions == 1


@pytest.mark.parametrize("times", [2, 5])
def test_several_images_in_every_place_are_another_dimension(times):
    found = assess(planes(EVEN) * times)
    assert (found.verdict, found.reason) == (Verdict.MULTI_VOLUME, "several-images-per-position")
    assert found.duplicate_positions == len(EVEN)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rows": 128}, "mixed-sizes"),
        ({"columns": 128}, "mixed-sizes"),
        ({"row": (0.0, 1.0, 0.0), "column": (0.0, 0.0, 1.0)}, "mixed-orientations"),
        ({"row": (math.cos(0.01), math.sin(0.01), 0.0)}, "mixed-orientations"),
        ({"row_step": 0.91}, "mixed-pixel-spacings"),
        ({"column_step": 0.69}, "mixed-pixel-spacings"),
    ],
)
@pytest.mark.parametrize("odd_one", [0, 3, 5])
def test_images_that_differ_are_mixed(change, reason, odd_one):
    stack = planes(EVEN)
    stack[odd_one] = replace(stack[odd_one], **change)
    assert verdict(stack) == (Verdict.MIXED, reason)


@given(st.permutations(range(6)))
def test_of_several_differences_the_same_one_is_told_in_any_order(shuffle):
    stack = planes(EVEN)
    stack[1] = replace(stack[1], row_step=2.0)
    stack[2] = replace(stack[2], row=(0.0, 1.0, 0.0), column=(1.0, 0.0, 0.0))
    stack[4] = replace(stack[4], rows=7)
    assert verdict([stack[at] for at in shuffle]) == (Verdict.MIXED, "mixed-sizes")


def test_a_slice_that_lies_beside_the_others_makes_the_stack_irregular():
    stack = planes(EVEN)
    stack[3] = replace(stack[3], position=(-118.0, -110.0, 37.5))
    assert verdict(stack) == (Verdict.IRREGULAR, "displaced-slices")


def test_slices_that_move_along_their_rows_are_displaced_for_no_gantry_tilts_that_way():
    stack = [replace(p, position=(p.position[0] + n, *p.position[1:])) for n, p in enumerate(planes(EVEN))]
    assert verdict(stack) == (Verdict.IRREGULAR, "displaced-slices")


def test_slices_that_slide_out_from_over_each_other_are_no_tilted_stack():
    # Straightened, they would fill a grid of any size that a header cares to ask for.
    height = 200 * 0.9
    assert verdict(planes(EVEN, shear=0.99 * height / 12.5))[0] is Verdict.VOLUME
    assert verdict(planes(EVEN, shear=1.01 * height / 12.5)) == (Verdict.IRREGULAR, "displaced-slices")


# --- directions -------------------------------------------------------------------------------------


@given(orientations(), st.lists(st.floats(-1e-4, 1e-4), min_size=6, max_size=6))
def test_rounded_cosines_are_made_exact(directions, noise):
    row, column = (
        [v + n for v, n in zip(d, noise[at:], strict=False)]
        for d, at in ((directions[0], 0), (directions[1], 3))
    )
    exact = orthonormal(tuple(row), tuple(column))
    assert dot(exact[0], exact[0]) == pytest.approx(1, abs=1e-12)
    assert dot(exact[1], exact[1]) == pytest.approx(1, abs=1e-12)
    assert dot(*exact) == pytest.approx(0, abs=1e-12)
    assert exact[0] == pytest.approx(directions[0], abs=3e-4)
    assert exact[1] == pytest.approx(directions[1], abs=6e-4)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((2.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        ((1.0, 0.0, 0.0), (1.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (0.1, 0.995, 0.0)),
    ],
)
def test_what_is_no_pair_of_directions_is_refused(row, column):
    assert orthonormal(row, column) is None


@pytest.mark.parametrize(
    ("directions", "plane", "letters"),
    [
        (AXIAL, "axial", "LPS"),
        (((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)), "coronal", "LIP"),
        (((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)), "sagittal", "PIR"),
        (((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)), "axial", "RAS"),
    ],
)
def test_planes_are_named_as_radiologists_name_them(directions, plane, letters):
    (one,) = planes([0.0], directions=directions)
    assert anatomical_plane(one.normal) == plane
    assert orientation_letters(one) == letters


def test_a_plane_between_the_axes_is_oblique():
    half = math.sqrt(0.5)
    assert anatomical_plane(cross((1.0, 0.0, 0.0), (0.0, half, half))) == "oblique"
    lean = math.radians(30)
    assert anatomical_plane(cross((1.0, 0.0, 0.0), (0.0, math.cos(lean), math.sin(lean)))) == "axial"
