"""Key files: their owner's alone, never half there, never replaced but by a rotation that keeps the old one."""

import os
import stat
import subprocess
import sys

import pytest

from aida_pipelines.deid import keys
from aida_pipelines.deid.keys import DomainKey, create_key, key_id, load_key, retired_keys, rotate_key
from aida_pipelines.errors import StorageError, UsageError


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "keys" / "pseudonym.key"
    create_key(path)
    return path


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_file_is_its_owners_alone_and_never_replaced(path):
    key = load_key(path)
    assert len(key) == 32
    assert mode_of(path) == 0o600
    with pytest.raises(UsageError, match="already"):
        create_key(path)
    assert load_key(path) == key
    assert list(path.parent.iterdir()) == [path]


def test_the_umask_does_not_decide_who_may_read_a_key(tmp_path):
    before = os.umask(0)
    try:
        create_key(tmp_path / "key")
        rotate_key(tmp_path / "key")
    finally:
        os.umask(before)
    assert {mode_of(one) for one in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_read_is_refused(path, mode):
    path.chmod(mode)
    with pytest.raises(UsageError, match="Others may read"):
        load_key(path)


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)])
def test_what_is_no_key_is_refused(tmp_path, content):
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(UsageError, match="not a key"):
        load_key(path)


def test_a_missing_key_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match="AIDA_PSEUDONYM_KEY_FILE"):
        load_key(tmp_path / "none")


def test_a_key_below_a_file_can_not_be_made(path):
    with pytest.raises(StorageError, match="Not a directory"):
        create_key(path / "key")


def test_key_ids_tell_keys_apart_and_are_pinned():
    assert key_id(bytes(range(32))) == "fa0cde5e"
    assert len({key_id(bytes([n]) * 32) for n in range(256)}) == 256


# --- rotation ---------------------------------------------------------------------------------------------------------


def test_a_rotation_puts_a_new_key_in_place_and_keeps_the_old_one_under_its_id(path):
    old = load_key(path)
    kept = rotate_key(path)
    assert load_key(kept) == old != load_key(path)
    assert kept == path.with_name(f"pseudonym.key.{key_id(old)}")
    assert (mode_of(path), mode_of(kept)) == (0o600, 0o600)
    assert sorted(path.parent.iterdir()) == [path, kept]
    again = rotate_key(path)
    assert retired_keys(path) == {key_id(load_key(one)): one for one in (kept, again)}


def test_what_has_the_old_keys_new_name_is_not_touched_and_the_key_stays(path):
    old = load_key(path)
    there = path.with_name(f"pseudonym.key.{key_id(old)}")
    for content in (b"something else", bytes(32)):
        there.unlink(missing_ok=True)
        there.touch(mode=0o600)
        there.write_bytes(content)
        with pytest.raises(UsageError):
            rotate_key(path)
        assert (load_key(path), there.read_bytes()) == (old, content)
    assert sorted(path.parent.iterdir()) == [path, there]


def test_a_rotation_that_was_cut_short_is_made_again(path, monkeypatch):
    old = load_key(path)

    def power_cut(self, target):
        raise OSError(5, "power cut")

    with monkeypatch.context() as patched:
        patched.setattr(keys.Path, "replace", power_cut)
        with pytest.raises(StorageError):
            rotate_key(path)
    assert load_key(path) == old
    kept = rotate_key(path)
    assert load_key(kept) == old != load_key(path)


def test_an_old_key_that_was_put_back_can_be_rotated_again(path):
    kept = rotate_key(path)
    path.write_bytes(kept.read_bytes())
    assert rotate_key(path) == kept
    assert load_key(path) != load_key(kept)


def test_a_link_is_followed_so_that_a_key_and_its_predecessors_lie_together(path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path)
    kept = rotate_key(link)
    assert link.is_symlink()
    assert kept.parent == path.parent
    assert retired_keys(link) == {key_id(load_key(kept)): kept}


def test_of_two_rotations_at_once_one_is_refused(path):
    lock = (
        "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], 0), 2); print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", lock, str(path.parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        before = load_key(path)
        with pytest.raises(UsageError, match="under way"):
            rotate_key(path)
        assert load_key(path) == before
        other.communicate(b"\n")


@pytest.mark.parametrize("missing", ["none", "no/such/folder"])
def test_without_a_key_there_is_nothing_to_rotate(tmp_path, missing):
    with pytest.raises(UsageError, match="no readable pseudonym key"):
        rotate_key(tmp_path / missing)
    assert list(tmp_path.iterdir()) == []


# --- which key, which domain ------------------------------------------------------------------------------------------


def test_a_domain_key_gives_the_domains_pseudonyms(path):
    one, other = (DomainKey.of(path, f"collection:{name}") for name in "ab")
    assert one.key_id == other.key_id == key_id(load_key(path))
    assert one.pseudonyms().uid("1.2.3") == one.pseudonyms().uid("1.2.3") != other.pseudonyms().uid("1.2.3")


def test_a_key_that_was_replaced_under_way_is_not_taken_for_the_one_that_the_receipt_names(path):
    key = DomainKey.of(path, "collection:a")
    kept = rotate_key(path)
    with pytest.raises(UsageError, match="replaced while"):
        key.pseudonyms()
    path.write_bytes(kept.read_bytes())
    assert key.pseudonyms().domain == "collection:a"
