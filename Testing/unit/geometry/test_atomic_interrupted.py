"""An interruption at the worst moments: just after a file or folder was made, and while tidying up."""

import os
import shutil
import stat

import pytest

from intrepid_rt.atomic import replacing, staged_folder


def interrupted_after(monkeypatch, module, name, calls):
    """Let a function do its work, then be interrupted, at its so many first calls; ``calls`` counts from 1."""
    real, done = getattr(module, name), []

    def function(*arguments, **options):
        answer = real(*arguments, **options)
        done.append(name)
        if len(done) in calls:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(module, name, function)


def fill(place):
    with staged_folder(place) as stage:
        (stage / "results.json").write_text("new")


@pytest.mark.parametrize("call", [1, 2, 3], ids=["parent", "folder", "stage"])
def test_a_folder_that_was_just_made(tmp_path, monkeypatch, call):
    # pathlib makes a/b by trying b first, then a, then b again; what fails is not counted.
    interrupted_after(monkeypatch, os, "mkdir", {call})
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_asked_again_while_tidying_up(tmp_path, monkeypatch):
    interrupted_after(monkeypatch, os, "rmdir", {1})
    with pytest.raises(KeyboardInterrupt), staged_folder(tmp_path / "out"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_asked_between_the_last_file_and_the_end(tmp_path, monkeypatch):
    interrupted_after(monkeypatch, shutil, "rmtree", {1})
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["results.json"]


@pytest.mark.parametrize("function", ["open", "close"])
def test_a_file_that_was_just_made(tmp_path, monkeypatch, function):
    interrupted_after(monkeypatch, os, function, {1})
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "results.json") as temporary:
        temporary.write_text("half")
    assert list(tmp_path.iterdir()) == []


def test_the_suffix_that_writers_choose_their_format_by(tmp_path):
    for name, suffix in (("dose.nii.gz", ".nii.gz"), ("a.b.nrrd", ".nrrd"), ("plain", "")):
        with replacing(tmp_path / name) as temporary:
            assert "".join(temporary.suffixes[-2:]) == suffix or temporary.suffix == suffix
            assert temporary.parent == tmp_path
            assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
        assert (tmp_path / name).is_file()
