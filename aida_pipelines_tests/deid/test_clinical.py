"""Clinical tables: the same pseudonyms and the same shift as the images, however the CSV is written."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from aida_pipelines.contracts.documents import Problems, read_document
from aida_pipelines.contracts.odcs import table_contract
from aida_pipelines.contracts.profile import DateMode
from aida_pipelines.contracts.table import Column
from aida_pipelines.deid.clinical import ClinicalTable
from aida_pipelines.deid.dates import moved_value
from aida_pipelines.deid.timeline import timeline
from aida_pipelines.errors import ContractError, Quarantine


@pytest.fixture(scope="module")
def contract(request):
    name = "clinical_condition_occurrence"
    path = request.config.rootpath / "data_contracts" / "tables" / f"{name}.odcs.yaml"
    problems = Problems()
    contract = table_contract(read_document(path, name, problems), problems)
    problems.raise_any()
    return contract


@pytest.fixture(scope="module", params=DateMode)
def days(pseudonyms, request):
    return timeline(request.param, pseudonyms)


@pytest.fixture(scope="module")
def table(contract, pseudonyms, days):
    return ClinicalTable(contract, pseudonyms, days, issuer="norr")


def rows_of(table, path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return list(table.rows(path))


PLAIN = "patient_id,name,icd10,diagnosis_date\n19121212-1212,Anna Åberg,C34.1,2024-01-10\n47-11,Bo,J18.9,\n"


def test_pseudonyms_and_dates_are_the_images(table, tmp_path, pseudonyms, days):
    first, second = rows_of(table, tmp_path / "t.csv", PLAIN)
    subject = pseudonyms.subject("another site", "1212121212")
    assert first == {
        "subject": subject,
        "condition_code": "C34.1",
        "condition_start_date": days.moved(date(2024, 1, 10), subject),
    }
    assert f"{first['condition_start_date']:%Y%m%d}" == moved_value("20240110", "DA", days, subject)
    assert second["subject"] == pseudonyms.subject("norr", "47-11")
    assert second["condition_start_date"] is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_however_it_is_written(table, tmp_path, encoding, delimiter, ending):
    expected = rows_of(table, tmp_path / "plain.csv", PLAIN)
    varied = PLAIN.replace(",", delimiter).replace("\n", ending)
    assert rows_of(table, tmp_path / "varied.csv", varied, encoding) == expected


def test_column_names_in_other_case_and_order(table, tmp_path):
    text = "Diagnosis Date;ICD10;Patient-ID\n20240110;C34.1;19121212-1212\n"
    (row,) = rows_of(table, tmp_path / "t.csv", text)
    assert row == rows_of(table, tmp_path / "plain.csv", PLAIN)[0]


def test_what_the_contract_does_not_name_stays_behind(table, tmp_path):
    assert "Åberg" not in repr(rows_of(table, tmp_path / "t.csv", PLAIN))


@pytest.mark.parametrize("text", ["Anna", "2024-13-01", "10/01/2024", "2024"])
def test_what_is_no_date_is_nothing(table, tmp_path, text):
    (row,) = rows_of(table, tmp_path / "t.csv", f"patient_id,icd10,diagnosis_date\n1,C34,{text}\n")
    assert row["condition_start_date"] is None


def test_a_row_without_a_patient_is_left_out(table, tmp_path):
    assert rows_of(table, tmp_path / "t.csv", "patient_id,icd10,diagnosis_date\n,C34,2024-01-01\n\n") == []


@pytest.mark.parametrize("text", ["icd10,diagnosis_date\nC34,2024-01-01\n", "patient_id\n1\n", ""])
def test_a_table_without_the_required_columns_is_held(table, tmp_path, text):
    with pytest.raises(Quarantine, match="clinical-table-invalid"):
        rows_of(table, tmp_path / "t.csv", text)


def test_intervals_between_a_patients_rows_stay(contract, pseudonyms, tmp_path):
    table = ClinicalTable(contract, pseudonyms, timeline(DateMode.SHIFT, pseudonyms), issuer="norr")
    text = "patient_id,icd10,diagnosis_date\n1,C34,2024-02-28\n1,C34,2024-03-01\n"
    first, second = rows_of(table, tmp_path / "t.csv", text)
    assert second["condition_start_date"] - first["condition_start_date"] == timedelta(days=2)


def with_column(contract, pseudonyms, days, name, kind, treatment):
    column = Column(name, kind, custom={"sourceColumn": "extra", "deid": treatment})
    return ClinicalTable(
        replace(contract, columns=(*contract.columns, column)), pseudonyms, days, issuer="norr"
    )


@pytest.mark.parametrize(("written", "age"), [("45", 45), ("89", 89), ("90", 90), ("104", 90), ("old", None), ("", None)])  # fmt: skip
@pytest.mark.parametrize("kind", ["integer", "number"])
def test_ages_over_89_become_90(contract, pseudonyms, days, tmp_path, kind, written, age):
    table = with_column(contract, pseudonyms, days, "age", kind, "age")
    (row,) = rows_of(table, tmp_path / "t.csv", f"patient_id,icd10,diagnosis_date,extra\n1,C34,,{written}\n")
    assert row["age"] == age


@pytest.mark.parametrize(
    ("name", "kind", "treatment"),
    [("age", "string", "age"), ("birth_date", "date", "date"), ("year_of_birth", "integer", "keep"), ("x", "string", "hash")],
)  # fmt: skip
def test_a_contract_by_which_an_age_over_89_could_come_out_is_refused(
    contract, pseudonyms, days, name, kind, treatment
):
    with pytest.raises(ContractError, match=name):
        with_column(contract, pseudonyms, days, name, kind, treatment)


def test_free_text_loses_the_rows_own_identifiers_and_all_else_that_identifies(
    contract, pseudonyms, days, tmp_path, tokens
):
    column = Column("note", "string", custom={"sourceColumn": "anteckning", "deid": "clean-text"})
    table = ClinicalTable(
        replace(contract, columns=(*contract.columns, column)), pseudonyms, days, issuer="norr", tokens=tokens
    )
    note = (
        "Axel Attrappvist (121212-1212, kort 4711X) har ont i höger axel sedan 2024-01-10. Axels fru Vobrina ringer "
        "070-174 06 11. Inga frakturer. Mvh dr Ring"
    )
    text = (
        "patient_id,namn,kort,icd10,diagnosis_date,anteckning\n"
        f'19121212-1212,"Attrappvist, Axel",4711X,M75.1,2024-01-10,"{note}"\n'
    )
    (row,) = rows_of(table, tmp_path / "t.csv", text)
    assert row["note"].startswith("[name] ([number], kort [number]) har ont i höger [name] sedan [date].")
    assert "Inga frakturer." in row["note"]
    for planted in ("Axel", "Attrapp", "1212", "4711", "Vobrina", "070", "2024", "dr Ring"):
        assert planted.casefold() not in row["note"].casefold()


def test_free_text_that_is_a_number_is_a_mistake_of_the_contract(contract, pseudonyms, days):
    with pytest.raises(ContractError, match="free text is a string"):
        with_column(contract, pseudonyms, days, "note", "integer", "clean-text")
