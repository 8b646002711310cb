"""The public interface of DESIGN §4: every command is there, helps, and speaks as it is promised."""

import subprocess
import sys

import pytest

COMMANDS = {
    "deliver": ["--site", "--collection", "--id", "--json"],
    "extract": [],
    "run": ["--delivery", "--until", "--json"],
    "status": ["--json"],
    "ui": [],
    "deidentify": ["--profile", "--key-file", "--collection", "--site", "--report", "--json"],
    "key new": ["--json"],
    "key show": ["--json"],
    "key rotate": ["--yes", "--json"],
    "quarantine list": ["--json"],
    "quarantine show": ["--json"],
    "quarantine release": ["--by", "--why", "--json"],
    "quarantine reject": ["--by", "--why", "--json"],
    "review": [],
    "release": ["--sign-off", "--json"],
    "withdraw": [],
    "datasets": ["--json"],
    "show": ["--json"],
    "diff": ["--json"],
    "verify": ["--json"],
    "pull": ["--format", "dicom|nifti|monai|nnunet", "--where", "--json"],
    "push": [],
    "query": ["--zone", "curated|refined", "--json"],
    "explain": ["--json"],
    "demo": [],
    "report": ["--delivery", "html|json", "--output"],
    "profile list": ["--json"],
    "profile show": ["html|md|json", "--output"],
}

NOT_BUILT = [
    "extract --site norr --collection ct-bulk",
    "review list",
    "review list --json",
    "review approve X",
    "withdraw --patient-id 1 --issuer norr --reason opt-out",
    "withdraw --subject S --reason opt-out",
    "push reference-images@1.0.0 --to http://127.0.0.1:1/dicom-web",
    "pull reference-images out --format monai",
    "pull reference-images out --format nnunet",
]

LIGHT = """
import sys
sys.argv = ["aida", *sys.argv[1:]]
from aida_pipelines.cli.main import main
try:
    main()
except SystemExit:
    pass
heavy = {"dagster", "great_expectations", "pydicom", "SimpleITK", "polars", "duckdb", "boto3", "pandas"}
print("IMPORTED", sorted(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_there_and_helps(aida, command):
    said = aida(*command.split(), "--help")
    assert said.out.startswith(f"Usage: aida {command.split()[0]}")
    assert len(said.out.splitlines()) > 3
    for option in COMMANDS[command]:
        assert option in said.out.replace("\n", " ")
    assert said.err == ""


def test_help_lists_every_command(aida):
    listed = aida("--help").out
    assert not [name for name in COMMANDS if f"\n  {name.split()[0]} " not in listed]


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["quarantine", "--help"]])
def test_help_is_quick_because_nothing_heavy_is_imported(arguments):
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "IMPORTED []"


@pytest.mark.parametrize("call", NOT_BUILT)
def test_what_later_versions_bring_says_so_and_does_nothing(aida, tmp_path, call):
    said = aida(*call.split(), expect=2)
    assert "not built yet" in said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "call",
    [
        "",
        "nonsense",
        "deliver",
        "release reference-images",
        "run --until nowhere",
        "pull",
        "query --zone raw x",
    ],
)
def test_a_call_that_is_no_command_is_wrong_use(aida, call):
    aida(*call.split(), expect=2)


def test_the_script_and_the_module_are_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "aida_pipelines.cli", "nonsense"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "nonsense" in done.stderr
