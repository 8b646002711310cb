"""A folder of contracts: everything that is wrong, at once, each with its file, line and field."""

import os

import pytest

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.errors import ContractError


def test_what_is_no_folder_is_told_with_the_variable_that_names_it(tmp_path):
    with pytest.raises(ContractError, match="no folder of contracts") as raised:
        load_contracts(tmp_path / "nowhere")
    assert "AIDA_CONTRACTS" in raised.value.way_out


def test_a_folder_without_any_contracts_is_not_taken_for_one(tmp_path):
    with pytest.raises(ContractError, match="no folder of contracts"):
        load_contracts(tmp_path)


@pytest.mark.parametrize(
    ("file", "old", "new", "field", "said"),
    [
        # an unknown key
        ("sites/norr.yaml", "title:", "titel:", "titel", "is no field here; did you mean title?"),
        ("sites/norr.yaml", "  email:", "  mail:", "contact.mail", "is no field here; did you mean email?"),
        ("collections/ct-bulk.yaml", "    threshold: 1\n", "    treshold: 1\n", "gates[0].treshold", "did you mean threshold?"),
        ("deid/basic.yaml", "options:", "option:", "option", "did you mean options?"),
        ("tables/series.odcs.yaml", "logicalType: string", "logicaltype: string", "schema[0].properties[0].logicaltype", "did you mean logicalType?"),
        # a wrong type
        ("sites/norr.yaml", "port: 11112", "port: many", "pacs.port", "must be a valid integer"),
        ("sites/norr.yaml", "port: 11112", "port: 70000", "pacs.port", "must be less than or equal to 65535, not 70000"),
        ("collections/ct-bulk.yaml", "subjects: 20000", "subjects: 0", "target.subjects", "must be greater than 0"),
        ("collections/ct-bulk.yaml", "sites: [norr, syd]", "sites: norr", "sites", "must be a valid tuple"),
        ("collections/ct-bulk.yaml", "valid_until: 2029-06-30", "valid_until: soon", "approvals[0].valid_until", "must be a valid date"),
        ("collections/ct-bulk.yaml", "severity: block", "severity: stop", "gates[0].severity", "must be 'block' or 'warn', not 'stop'"),
        ("collections/ct-bulk.yaml", "check: geometry", "check: geometri", "gates[2].check", "not 'geometri'"),
        ("sites/norr.yaml", "email: bild", "email: bild @", "contact.email", "match pattern"),
        ("deid/basic.yaml", "base: basic", "base: full", "base", "must be 'basic', not 'full'"),
        # a wrong version or name
        ("sites/norr.yaml", "version: 1.0.0", "version: 1.0", "version", "must be a valid string"),
        ("sites/norr.yaml", "name: norr", "name: norrr", "name", "must be the file's name, norr, not 'norrr'"),
        ("tables/series.odcs.yaml", "version: 1", "version: v1", "version", "must be a semantic version"),
        # a wrong reference between contracts
        ("collections/ct-bulk.yaml", "sites: [norr, syd]", "sites: [norr, sud]", "sites[1]", "no site 'sud'; did you mean syd?"),
        ("collections/ct-bulk.yaml", "deid_profile: research-longitudinal", "deid_profile: basics", "deid_profile", "no profile 'basics'; did you mean basic?"),
        ("collections/ct-bulk.yaml", "clinical_tables: [clinical_condition_occurrence]", "clinical_tables: [labs]", "clinical_tables[0]", "no clinical table 'labs'"),
        ("collections/ct-bulk.yaml", "sql: modality = 'CT'", "sql: modalty = 'CT'", "criteria[0].sql", "is no expression over series"),
        ("collections/ct-bulk.yaml", "sql: modality = 'CT'", "sql: modality", "criteria[0].sql", "must be true or false for a series"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_file_line_and_field(folder, file, old, new, field, said):
    line = folder.change(file, old, new)
    line += len(old) - len(old.lstrip("\n"))
    problems = folder.problems()
    expected = f"data_contracts/{file}:{line}: {field}: "
    found = next((problem for problem in problems if problem.startswith(expected)), None)
    assert found, problems
    assert said in found


@pytest.mark.parametrize(
    ("file", "line", "field"),
    [
        ("sites/norr.yaml", "issuer_of_patient_id: NORR\n", "issuer_of_patient_id"),
        ("collections/ct-bulk.yaml", "deid_profile: research-longitudinal\n", "deid_profile"),
        ("deid/basic.yaml", "base: basic\n", "base"),
    ],
)
def test_a_missing_field_is_named(folder, file, line, field):
    folder.change(file, line, "")
    assert folder.problem().startswith(f"data_contracts/{file}:1: {field}: is missing")


def test_all_mistakes_of_all_files_are_told_at_once_in_order(folder):
    folder.change("sites/syd.yaml", "title:", "titel:")
    folder.change("collections/ct-bulk.yaml", "priority: 1", "priority: first")
    folder.change("tables/series.odcs.yaml", "kind: DataContract", "kind: Contract")
    folder.change("vocabularies/plane.csv", "axial,axial,,,", "axial,axial,1,,")
    problems = folder.problems()
    files = [problem.split(":")[0] for problem in problems]
    assert files == sorted(files)
    assert {file.split("/")[1] for file in files} == {"collections", "sites", "tables", "vocabularies"}


def test_a_contract_that_would_be_overlooked_is_a_problem(folder):
    folder.write("sites/oster.yml", "name: oster\n")
    assert "sites/oster.yml: is no contract: files here are named NAME.yaml." in folder.problem()


def test_readmes_and_hidden_files_are_no_contracts(folder):
    folder.write("sites/README.md", "# Sites")
    folder.write("sites/.norr.yaml.swp", b"\x00")
    folder.load()


def test_wrong_yaml_is_told_once_and_not_as_missing_references_too(folder):
    folder.write("sites/syd.yaml", "name: syd\n  version: [")
    assert folder.problem().startswith("data_contracts/sites/syd.yaml:2: is not YAML")


def test_a_fingerprint_cannot_be_written_by_hand(folder):
    folder.change("sites/norr.yaml", "title:", "fingerprint: abc\ntitle:")
    assert "fingerprint: is computed from the file; take this line out." in folder.problem()


def test_a_criterion_cannot_read_files(folder):
    folder.change(
        "collections/ct-bulk.yaml", "sql: modality = 'CT'", "sql: modality IN (SELECT a FROM '/etc/passwd')"
    )
    assert "criteria[0].sql: is no expression over series" in folder.problem()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
@pytest.mark.parametrize("file", ["sites/norr.yaml", "vocabularies/plane.csv"])
def test_a_file_without_permission_is_a_problem_and_no_crash(folder, file):
    (folder.root / file).chmod(0)
    assert f"{file}: can't be read" in folder.problem()


def test_a_link_to_nowhere_is_a_problem_and_no_crash(folder):
    (folder.root / "vocabularies" / "gone.csv").symlink_to("nowhere.csv")
    assert "vocabularies/gone.csv" in folder.problem()
