"""A hospital runs intake inside its own walls, a hub only refinement: what passes between them is the refined zone."""

import shutil

from aida_pipelines.demo.phantom import write_ct_series
from aida_pipelines.settings import shipped_file


def test_refinement_runs_to_a_release_where_there_is_no_raw_zone_and_no_key(home, tmp_path):
    write_ct_series(tmp_path / "in", seed=1, slices=4)
    here = ["--site", "norr", "--collection", "reference-images", "--id", "norr_1"]
    home.run("deliver", str(tmp_path / "in"), *here)
    home.run("run", "--until", "deidentification")

    hub = type(home)(tmp_path / "hub")
    shutil.copytree(home.path / "refined", hub.path / "refined")
    ran = hub.json("run")
    assert {run["job"] for run in ran["runs"]} == {"refine", "candidate", "warehouse"}
    assert all(run["success"] for run in ran["runs"])
    hub.run("release", "reference-images", "--sign-off", "Testa Stewardsson, T-1")
    assert hub.json("verify", "reference-images@1.0.0")["objects"] > 0
    assert hub.json("run")["runs"] == []
    assert not (hub.path / "raw").exists()
    assert not (hub.path / "pseudonym.key").exists()


def test_what_did_not_pass_a_blocking_check_of_intake_is_not_refined_until_it_does(home, tmp_path):
    contracts = shutil.copytree(shipped_file("data_contracts"), tmp_path / "contracts")
    instances = contracts / "tables" / "instances.odcs.yaml"
    sound = instances.read_text()
    rule = "{type: library, name: many, metric: rowCount, mustBeGreaterThan: 1000, severity: error}"
    strict = sound.replace("    properties:\n", f"    quality:\n      - {rule}\n    properties:\n", 1)
    at_home = type(home)(home.path, {"AIDA_CONTRACTS": str(contracts)})
    write_ct_series(tmp_path / "in", seed=1, slices=4)
    at_home.run("deliver", str(tmp_path / "in"), "--site", "norr", "--collection", "reference-images")

    instances.write_text(strict)
    for _ in range(2):  # also when de-identification has nothing left to do
        ran = at_home.json("run", expect=3)["runs"]
        assert [(run["job"], run["failed_checks"]) for run in ran] == [
            ("intake", ["refined/instances:contract"])
        ]
    instances.write_text(sound)
    ran = at_home.json("run")["runs"]
    assert [run["job"] for run in ran] == ["intake", "refine", "candidate", "warehouse"]
