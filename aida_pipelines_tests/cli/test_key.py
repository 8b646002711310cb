"""``aida key``: what is said of a key, never the key; nothing is replaced unless somebody means it."""

import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from aida_pipelines.deid.keys import key_id, load_key
from aida_pipelines_tests.zones import FIRST


def says_the_key(said, path):
    key = load_key(path)
    return key.hex() in said.out + said.err or repr(key) in said.out + said.err


def test_a_new_key_is_made_where_it_is_looked_for_and_only_once(aida, tmp_path, refused):
    path = tmp_path / "home" / "pseudonym.key"
    made = aida("key", "new", "--json")
    assert made.json == {"path": str(path), "key_id": key_id(load_key(path)), "mode": "0600", "kept_keys": {}}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    before = load_key(path)
    assert "aida key rotate" in refused("key", "new")
    assert load_key(path) == before
    assert not says_the_key(made, path)


def test_a_key_can_be_made_elsewhere(aida, tmp_path):
    said = aida("key", "new", "some/where.key")
    assert key_id(load_key(tmp_path / "some" / "where.key")) in said.err
    assert said.out == ""
    assert not (tmp_path / "home").exists()


def test_a_lost_key_is_not_replaced_by_a_new_one(aida, zones, refused):
    path = zones.home / "pseudonym.key"
    path.unlink()
    aida.at(zones.home)
    assert "Put the key back" in refused("key", "new")
    assert not path.exists()


def test_show_tells_what_was_made_with_it_and_which_keys_came_before(aida, zones):
    path = zones.home / "pseudonym.key"
    first = key_id(load_key(path))
    at = aida.at(zones.home)
    assert at("key", "show", "--json").json == {
        "path": str(path), "key_id": first, "mode": "0600", "kept_keys": {}, "deliveries": 1,
        "deliveries_of_other_keys": {},
    }  # fmt: skip
    rotated = at("key", "rotate", "--yes", "--json")
    kept = f"{path}.{first}"
    assert (rotated.json["replaced"], rotated.json["kept"]) == (first, kept)
    shown = at("key", "show", "--json").json
    assert (shown["deliveries"], shown["deliveries_of_other_keys"]) == (0, {first: 1})
    assert shown["kept_keys"] == {first: kept}
    assert at("key", "show", kept, "--json").json["deliveries"] == 1
    words = at("key", "show")
    assert first in words.out
    assert not any(says_the_key(said, file) for said in (rotated, words) for file in (path, Path(kept)))


def test_a_rotation_makes_every_delivery_outstanding(aida, zones):
    from aida_pipelines.orchestration.outstanding.intake import outstanding

    path = zones.home / "pseudonym.key"
    assert not list(outstanding(zones.raw, zones.refined, zones.contracts, path))
    aida.at(zones.home)("key", "rotate", "--yes")
    assert [one.delivery for one in outstanding(zones.raw, zones.refined, zones.contracts, path)] == [FIRST]


@pytest.mark.parametrize("command", ["show", "rotate"])
def test_a_key_that_others_may_read_is_told_with_what_to_do(aida, tmp_path, refused, command):
    aida("key", "new")
    (tmp_path / "home" / "pseudonym.key").chmod(0o644)
    assert "chmod 600" in refused("key", command)


@pytest.mark.parametrize("command", [["show"], ["rotate"], ["rotate", "--yes"]])
def test_where_there_is_no_key_it_says_how_to_make_one(refused, tmp_path, command):
    assert "aida key new" in refused("key", *command)
    assert "aida key new" in refused("key", *command, "nowhere")
    assert list(tmp_path.iterdir()) == []


def rotate(home, stdin):
    """The command in a process of its own; its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "aida_pipelines.cli", "key", "rotate"],
        stdin=stdin, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "AIDA_HOME": str(home)},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def on_a_terminal(home, answer):
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer)
        return rotate(home, theirs)
    finally:
        os.close(ours)
        os.close(theirs)


def test_on_a_terminal_it_asks_and_without_one_it_wants_to_be_told(aida, tmp_path):
    path = tmp_path / "home" / "pseudonym.key"
    aida("key", "new")
    first = load_key(path)
    code, out, err = rotate(path.parent, subprocess.DEVNULL)
    assert (code, out, load_key(path)) == (2, "", first)
    assert "--yes" in err
    code, out, err = on_a_terminal(path.parent, b"n\n")
    assert (code, out.strip(), load_key(path)) == (1, "", first)
    assert "Every person gets a new pseudonym" in err
    code, out, err = on_a_terminal(path.parent, b"y\n")
    assert (code, out.strip()) == (0, "")
    assert load_key(path) != first
    assert key_id(load_key(path)) in err
