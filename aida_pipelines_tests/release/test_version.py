"""The version follows from what changed: what a user had is gone → major; there is more → minor; corrected → patch."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.client.difference import CASES, Difference, TableDifference
from aida_pipelines.client.release import version_order
from aida_pipelines.contracts.collection import Criterion
from aida_pipelines.contracts.vocabulary import Vocabulary
from aida_pipelines.release.version import Level, level_of, next_version
from aida_pipelines_tests.zones import FIRST, Zones

# --- the law --------------------------------------------------------------------------------------------------------

counts, names = st.integers(0, 3), st.lists(st.sampled_from("abc"), max_size=1).map(tuple)
tables = st.sampled_from([*CASES, "quality", "clinical_condition_occurrence"])
table_differences = st.builds(
    TableDifference,
    rows_added=counts, rows_removed=counts, rows_changed=counts,
    columns_added=names, columns_removed=names, columns_changed=names,
)  # fmt: skip
differences = st.builds(
    Difference,
    tables_added=names,
    tables_removed=names,
    tables=st.dictionaries(tables, table_differences.filter(bool), max_size=3),
)
ORDER = [Level.NONE, Level.PATCH, Level.MINOR, Level.MAJOR]


@given(differences)
def test_whatever_a_user_had_and_has_no_more_makes_a_major_version(difference):
    gone = bool(difference.tables_removed) or any(
        found.columns_removed or found.columns_changed or (table in CASES and found.rows_removed)
        for table, found in difference.tables.items()
    )
    assert (level_of(difference) is Level.MAJOR) == gone


@given(differences)
def test_any_difference_makes_a_version_and_none_makes_none(difference):
    assert (level_of(difference) is Level.NONE) == (not difference)


@given(differences, differences)
def test_a_larger_difference_never_means_less(one, other):
    both = Difference(
        tables_added=one.tables_added + other.tables_added,
        tables_removed=one.tables_removed + other.tables_removed,
        tables=other.tables | one.tables,
    )
    assert ORDER.index(level_of(both)) >= ORDER.index(level_of(one))


@given(st.tuples(counts, counts, counts), st.sampled_from(ORDER))
def test_versions_rise_with_every_change_and_only_then(parent, level):
    before = ".".join(map(str, parent))
    after = next_version(before, level)
    assert (version_order(after) > version_order(before)) == (level is not Level.NONE)
    assert next_version(before, Level.NONE) == before


# --- the law on data ------------------------------------------------------------------------------------------------


def with_columns(zones: Zones, table: str, change) -> Zones:
    """The zones under a contract of ``table`` whose columns are what ``change`` makes of them."""
    contract = zones.contracts.table(table)
    other = replace(contract, columns=tuple(change(list(contract.columns))), fingerprint="another")
    contracts = replace(zones.contracts, tables={**zones.contracts.tables, table: other})
    return replace(zones, contracts=contracts)


def test_the_first_release_is_1_0_0(zones):
    assert zones.build().level is Level.FIRST
    assert zones.publish().version == "1.0.0"


def test_nothing_changed_no_new_release(released):
    before = released.tree("curated")
    assert released.release().version == "1.0.0"
    assert released.tree("curated") == before


def test_cases_added_minor(released, second_arrives):
    second_arrives(released)
    release = released.release()
    assert (release.version, release.parent) == ("1.1.0", "1.0.0")
    assert release.change.tables["subjects"].rows_added == 1


def test_cases_removed_major(released):
    only_ct = (Criterion(name="ct", description="CT only.", sql="modality = 'CT'"),)
    release = released.under(criteria=only_ct).release()
    assert release.version == "2.0.0"
    assert release.change.tables["series"].rows_removed == 1


def test_a_column_of_another_type_major(released):
    zones = with_columns(
        released,
        "series",
        lambda columns: [replace(c, logical_type="number") if c.name == "slices" else c for c in columns],
    )
    release = zones.release()
    assert release.version == "2.0.0"
    assert release.change.tables["series"].columns_changed == ("slices",)


def test_a_column_taken_out_major(released):
    zones = with_columns(released, "series", lambda columns: [c for c in columns if c.name != "plane"])
    assert zones.release().version == "2.0.0"


def test_a_column_added_minor(released):
    zones = with_columns(
        released,
        "series",
        lambda columns: [*columns, replace(columns[-1], name="scanner_mood", required=False)],
    )
    release = zones.release()
    assert release.version == "1.1.0"
    assert release.change.tables["series"].columns_added == ("scanner_mood",)


def test_values_corrected_patch(released):
    """A clinician mends the vocabulary; harmonisation and checks follow; nobody's case comes or goes."""
    words: Vocabulary = released.contracts.vocabulary("body_part")
    mended = {
        term: replace(meaning, value="mended") if meaning.value == "chest" else meaning
        for term, meaning in words.terms.items()
    }
    vocabulary = replace(words, terms=mended, fingerprint="mended")
    vocabularies = {**released.contracts.vocabularies, "body_part": vocabulary}
    zones = replace(released, contracts=replace(released.contracts, vocabularies=vocabularies))
    zones.refine(FIRST)
    release = zones.release()
    assert release.version == "1.0.1"
    assert release.change.tables["series"].values_changed["body_part"] == 1


def test_another_description_patch(released):
    release = released.under(version="1.0.1", description="Said better.").release()
    assert (release.version, release.description) == ("1.0.1", "Said better.")
    assert not release.change


def test_code_that_gives_the_same_values_makes_no_version(released):
    """How a row was made is no difference: the stages were run again by other code, with the same result."""
    receipt = released.home / "refined" / "receipts" / "quality_checks" / f"{FIRST}.json"
    receipt.write_text(
        receipt.read_text().replace('"code_version": "quality/1"', '"code_version": "quality/2"')
    )
    assert released.build().level is Level.NONE
    assert released.publish().version == "1.0.0"


@pytest.mark.parametrize(
    ("parent", "level", "version"),
    [
        ("1.4.2", Level.MAJOR, "2.0.0"),
        ("1.4.2", Level.MINOR, "1.5.0"),
        ("1.4.2", Level.PATCH, "1.4.3"),
        ("1.9.9", Level.MINOR, "1.10.0"),
    ],
)
def test_the_lower_places_begin_again(parent, level, version):
    assert next_version(parent, level) == version
