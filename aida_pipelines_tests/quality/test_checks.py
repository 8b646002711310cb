"""What gates measure: a number, its unit, the side of the bound that is good; what can't be measured misses any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.contracts.collection import GateCheck
from aida_pipelines.quality.checks import CHECKS, Level


@pytest.fixture
def measured(contracts):
    """``measured(check, row)``: the number, by the CT collection."""
    collection = contracts.collection("ct-bulk")
    return lambda check, **row: CHECKS[GateCheck(check)].measure(row, collection)


@pytest.mark.parametrize(
    ("check", "row", "number"),
    [
        ("geometry", {"geometry_verdict": "volume"}, 1),
        ("geometry", {"geometry_verdict": "irregular"}, 0),
        ("missing-slices", {"missing_slices": 0}, 0),
        ("missing-slices", {"missing_slices": 3}, 3),
        ("missing-slices", {"missing_slices": None}, None),
        ("pixels-decodable", {"geometry_verdict": "volume", "preview_reason": None}, 1),
        ("pixels-decodable", {"geometry_verdict": "not-an-image", "preview_reason": "no-pixels"}, 1),
        ("pixels-decodable", {"geometry_verdict": "undecodable", "preview_reason": None}, 0),
        ("pixels-decodable", {"geometry_verdict": "single-image", "preview_reason": "pixels-undecodable"}, 0),
        ("value-range", {"minimum": -1000.0, "maximum": 3000.0}, 4000),
        ("value-range", {"minimum": 7.0, "maximum": 7.0}, 0),
        ("value-range", {"minimum": None, "maximum": None}, None),
        ("body-part", {"body_part": "head"}, 1),
        ("body-part", {"body_part": None}, 0),
        ("modality", {"modality": "CT"}, 1),
        ("modality", {"modality": "MR"}, 0),
        ("modality", {"modality": None}, 0),
        ("vocabulary-coverage", {"series": 4, "body_parts": 3}, 0.75),
        ("vocabulary-coverage", {"series": 0, "body_parts": 0}, None),
    ],
)
def test_each_check_gives_its_number(measured, check, row, number):
    assert measured(check, **row) == number


def test_every_check_that_a_gate_can_ask_for_has_a_measure_a_unit_and_words():
    assert set(CHECKS) == set(GateCheck)
    for check in CHECKS.values():
        assert check.unit
        assert check.says.endswith(".")
    assert {check.level for check in CHECKS.values()} == set(Level)


@given(st.sampled_from(list(CHECKS)), st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_the_bound_itself_is_good_and_so_is_the_side_that_the_check_names(name, value, bound):
    check = CHECKS[name]
    assert check.passes(bound, bound)
    assert check.passes(value, bound) == (value == bound or (value > bound) == check.at_least)


@given(st.sampled_from(list(CHECKS)), st.floats())
def test_what_could_not_be_measured_misses_any_bound(name, bound):
    assert not CHECKS[name].passes(None, bound)
    assert not CHECKS[name].passes(float("nan"), bound)
