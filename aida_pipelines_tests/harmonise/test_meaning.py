"""Controlled words: the shipped vocabularies and rules, on headers as scanners and people write them."""

import pytest

from aida_pipelines.contracts.vocabulary import load_vocabulary
from aida_pipelines.harmonise import meaning


@pytest.fixture(scope="session")
def words(contracts):
    return contracts.vocabulary


class Header(dict):
    """A row of `instances` in which everything that isn't said is missing."""

    def __missing__(self, _):
        return None


def header(**said):
    return [Header({"modality": "CT", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2"} | said)]


def mr(**said):
    return header(modality="MR", sop_class_uid="1.2.840.10008.5.1.4.1.1.4", **said)


# --- body part --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "value", "rule"),
    [
        ({"body_part_examined": "HEAD"}, "head", "declared"),
        ({"body_part_examined": "Huvud"}, "head", "declared"),
        ({"body_part_examined": "CHEST"}, "chest", "declared"),
        ({"body_part_examined": "HJÄRNA"}, "brain", "declared"),
        ({"series_description": "Thorax 3.0 ax"}, "chest", "description:series_description"),
        ({"protocol_name": "ÖNH med kontrast"}, "head and neck", "description:protocol_name"),
        ({"study_description": "DT buk och bäcken"}, "abdomen and pelvis", "description:study_description"),
        (
            {"body_part_examined": "UNKNOWN", "series_description": "Knä PD"},
            "knee",
            "description:series_description",
        ),
        (
            {"series_description": "Thorax, buk", "study_description": "Huvud"},
            "chest and abdomen",
            "description:series_description",
        ),
    ],
)
def test_a_body_part_is_declared_or_described_in_swedish_or_english(words, said, value, rule):
    found = meaning.body_part(header(**said), words("body_part"))
    assert (found.value, found.rule, found.unmapped) == (value, rule, None)


def test_a_body_part_has_its_snomed_code(words):
    assert meaning.body_part(header(body_part_examined="CHEST"), words("body_part")).code == "816094009"


def test_a_part_inside_another_word_is_none(words):
    found = meaning.body_part(header(series_description="overhead"), words("body_part"))
    assert (found.value, found.unmapped) == (None, ("series_description", "overhead"))


def test_a_description_of_parts_that_make_no_one_region_is_not_trusted(words):
    found = meaning.body_part(header(series_description="hand eller knä"), words("body_part"))
    assert (found.value, found.unmapped) == (None, ("series_description", "hand eller knä".replace("ä", "a")))


def test_an_unknown_declared_part_is_the_term_to_be_mapped(words):
    found = meaning.body_part(
        header(body_part_examined="Märgel_X", series_description="serie 1"), words("body_part")
    )
    assert (found.value, found.unmapped) == (None, ("body_part_examined", "margel x"))


@pytest.mark.parametrize("modality", ["SR", "SEG", "RTSTRUCT"])
def test_reports_and_annotations_leave_no_term_for_their_images_say_the_part(words, modality):
    found = meaning.body_part(header(modality=modality, series_description="qwerty"), words("body_part"))
    assert found == meaning.UNKNOWN


def test_a_header_that_says_nothing_leaves_nothing_to_map(words):
    assert meaning.body_part(header(), words("body_part")) == meaning.UNKNOWN
    assert meaning.body_part(header(series_description="--"), words("body_part")).unmapped is None


# --- manufacturer -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("GE MEDICAL SYSTEMS", "GE HealthCare"),
        ("siemens", "Siemens Healthineers"),
        ("Philips Medical Systems", "Philips"),
        ("TOSHIBA_MEC", "Canon Medical"),
    ],
)
def test_a_maker_has_one_name(words, said, value):
    found = meaning.manufacturer(header(manufacturer=said), words("manufacturer"))
    assert (found.value, found.rule) == (value, "declared")


def test_a_new_maker_is_a_term_to_be_mapped(words):
    found = meaning.manufacturer(header(manufacturer="Phantom Works"), words("manufacturer"))
    assert found.unmapped == ("manufacturer", "phantom works")


# --- sequence type ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "value", "rule"),
    [
        ({"image_type": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"], "series_description": "t2"}, "ADC", "physics:image-type"),
        ({"diffusion_b_value": 1000.0, "series_description": "t2 tse"}, "DWI", "physics:b-value"),
        ({"scanning_sequence": ["GR"], "sequence_variant": ["TOF"]}, "MRA", "physics:time-of-flight"),
        (
            {"scanning_sequence": ["SE", "IR"], "repetition_time": 9000.0, "echo_time": 120.0, "inversion_time": 2500.0},
            "FLAIR",
            "physics:inversion-nulls-fluid",
        ),
        (
            {"scanning_sequence": ["SE", "IR"], "repetition_time": 4000.0, "echo_time": 40.0, "inversion_time": 150.0},
            "STIR",
            "physics:inversion-nulls-fat",
        ),
        ({"series_description": "t2_tirm_dark-fluid tra"}, "FLAIR", "description:series_description"),
        ({"series_description": "t1_mprage_sag"}, "T1", "description:series_description"),
        ({"protocol_name": "T2viktad tse"}, "T2", "description:protocol_name"),
        ({"scanning_sequence": ["SE"], "repetition_time": 500.0, "echo_time": 10.0}, "T1", "physics:spin-echo-short"),
        ({"scanning_sequence": ["SE"], "repetition_time": 4000.0, "echo_time": 100.0}, "T2", "physics:spin-echo-long"),
        ({"scanning_sequence": ["SE"], "repetition_time": 3000.0, "echo_time": 20.0}, "PD", "physics:spin-echo-mixed"),
        ({"scanning_sequence": ["GR"], "repetition_time": 600.0, "echo_time": 20.0}, "T2*", "physics:gradient-echo-long"),
        (
            {"scanning_sequence": ["GR", "IR"], "repetition_time": 2000.0, "echo_time": 3.0, "inversion_time": 900.0},
            "T1",
            "physics:prepared-gradient-echo",
        ),
    ],
)  # fmt: skip
def test_a_sequence_is_told_by_what_the_scanner_records_then_by_what_people_wrote(words, said, value, rule):
    found = meaning.sequence_type(mr(**said), words("sequence_type"))
    assert (found.value, found.rule) == (value, rule)


def test_a_b_value_of_zero_and_an_inversion_time_of_zero_say_nothing(words):
    said = {"scanning_sequence": ["SE"], "repetition_time": 500.0, "echo_time": 10.0}
    found = meaning.sequence_type(
        mr(**said, diffusion_b_value=0.0, inversion_time=0.0), words("sequence_type")
    )
    assert found.value == "T1"


def test_an_echo_planar_image_has_no_weighting_by_the_rules_of_spin_echo(words):
    said = {"scanning_sequence": ["SE", "EP"], "repetition_time": 500.0, "echo_time": 10.0}
    assert meaning.sequence_type(mr(**said), words("sequence_type")).value is None


def test_a_sequence_that_nothing_tells_is_a_term_to_be_mapped(words):
    found = meaning.sequence_type(mr(series_description="Försök 7"), words("sequence_type"))
    assert (found.value, found.unmapped) == (None, ("series_description", "forsok 7"))


def test_other_modalities_have_no_sequence(words):
    assert meaning.sequence_type(header(series_description="t1"), words("sequence_type")) == meaning.UNKNOWN


# --- plane and class --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("t2_tse_tra", "axial"),
        ("SAG T1", "sagittal"),
        ("koronar 3 mm", "coronal"),
        ("cor sag", None),
        ("x", None),
    ],
)
def test_a_plane_is_described_where_the_header_has_no_place(words, text, value):
    assert meaning.plane(header(series_description=text), words("plane")).value == value


@pytest.mark.parametrize(
    ("said", "value", "rule"),
    [
        ({"image_type": ["ORIGINAL", "PRIMARY", "AXIAL"]}, "original", "image-type"),
        ({"image_type": ["DERIVED", "SECONDARY", "MPR"]}, "derived", "image-type"),
        ({"image_type": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localiser", "image-type"),
        ({"image_type": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "secondary-capture", "image-type"),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.7"}, "secondary-capture", "sop-class"),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.7.4"}, "secondary-capture", "sop-class"),
        ({"modality": "OT"}, "secondary-capture", "modality"),
        ({"modality": "SR"}, "report", "modality"),
        ({"modality": "SEG"}, "annotation", "modality"),
        ({}, None, None),
    ],
)
def test_an_acquisition_is_of_one_class_and_says_what_said_so(said, value, rule):
    found = meaning.acquisition_class(header(**said))
    assert (found.value, found.rule) == (value, rule)


# --- the vocabularies -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["body_part", "manufacturer", "plane", "sequence_type"])
def test_every_term_of_a_shipped_vocabulary_is_found_as_it_stands(words, name):
    vocabulary = words(name)
    for term in vocabulary.terms.values():
        assert [found.value for found in vocabulary.search(term.term)] == [term.value]


def test_every_value_of_body_part_has_one_code_and_every_code_one_value(words):
    pairs = {(term.value, term.code, term.scheme) for term in words("body_part").terms.values()}
    assert len({value for value, _, _ in pairs}) == len({code for _, code, _ in pairs}) == len(pairs)
    assert {scheme for _, _, scheme in pairs} == {"SCT"}


def test_a_word_that_a_clinician_adds_is_understood(tmp_path):
    path = tmp_path / "body_part.csv"
    path.write_text("term,value,code,scheme,source\nkrabbklo,hand,85562004,SCT,usage\n")
    found = meaning.body_part(header(series_description="Röntgen KRABBKLO"), load_vocabulary(path))
    assert (found.value, found.code) == ("hand", "85562004")
