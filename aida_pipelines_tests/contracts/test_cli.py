"""A wrong contract stops every command that needs one: exit code 2, the place, no traceback, nothing done."""

import os
import shutil
import subprocess
import sys

import pytest
from pydicom.data import get_testdata_file


@pytest.fixture
def aida(tmp_path, folder):
    """``aida(arguments)``: the command with the broken folder, in an empty home."""

    def aida(*arguments, contracts=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("AIDA_", "DAGSTER_", "AWS_"))}
        env |= {"AIDA_HOME": str(tmp_path / "home"), "AIDA_CONTRACTS": str(contracts or folder.root)}
        command = [sys.executable, "-m", "aida_pipelines.cli", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    return aida


@pytest.mark.parametrize(
    "command",
    [
        ["deliver", ".", "--site", "norr", "--collection", "ct-bulk"],
        ["deidentify", ".", "out"],
    ],
    ids=lambda command: command[0],
)
def test_a_wrong_contract_leads_to_exit_2_with_its_file_line_and_field(aida, folder, tmp_path, command):
    line = folder.change("sites/norr.yaml", "port: 11112", "port: many")
    done = aida(*command)
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"aida: data_contracts/sites/norr.yaml:{line}: pacs.port: must be a valid integer" in done.stderr
    assert "→ Mend the contract" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "home").rglob("*.parquet"))


def test_a_contract_that_went_wrong_after_a_delivery_stops_the_run(aida, folder, tmp_path):
    (tmp_path / "in").mkdir()
    shutil.copy(get_testdata_file("CT_small.dcm"), tmp_path / "in")
    delivered = aida("deliver", str(tmp_path / "in"), "--site", "norr", "--collection", "ct-bulk")
    assert delivered.returncode == 0, delivered.stderr
    folder.change("vocabularies/plane.csv", "axial,axial,,,", "axial,axial,1,,")
    done = aida("run")
    assert done.returncode == 2
    assert "data_contracts/vocabularies/plane.csv:2: scheme: code and scheme come together." in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "home").rglob("receipts"))


def test_a_folder_that_holds_no_contracts_is_told_with_the_variable(aida, tmp_path):
    (tmp_path / "empty").mkdir()
    done = aida("deliver", ".", "--site", "norr", "--collection", "ct-bulk", contracts=tmp_path / "empty")
    assert done.returncode == 2
    assert "AIDA_CONTRACTS" in done.stderr
