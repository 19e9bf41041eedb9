"""Archives, links and folders that lead elsewhere; files of ours that others could read; clocks that jump."""

import json
import os
import shutil
import stat
import subprocess
import tarfile
import time
import zipfile
from datetime import datetime
from pathlib import Path

import pydicom
import pytest

import builders
from chain_study import write_profile, write_study
from intrepid_cli.main import run
from intrepid_dvh.text.reading import read_dvh_files
from intrepid_rt.atomic import replacing, staged_folder
from intrepid_rt.deidentify import SecretKey, deidentify_folder
from intrepid_rt.errors import OutputNotWritable, UnreadableFile
from intrepid_rt.resources import resource_folder
from intrepid_rt.scan import scan
from SlicerInTrEPIDLib.sample import unpack_sample


def test_an_archive_that_leads_out_of_its_folder_writes_nothing_there(tmp_path):
    for number, pack in enumerate(("zip", "tar.gz")):
        place = tmp_path / str(number)
        place.mkdir()
        if pack == "zip":
            with zipfile.ZipFile(place / "study.zip", "w") as archive:
                archive.writestr("../../escaped", "x")
                archive.writestr("study/kept", "x")
        else:
            (place / "payload").write_text("x")
            with tarfile.open(place / "study.tar.gz", "w:gz") as archive:
                archive.add(place / "payload", "../../escaped")
        try:
            unpack_sample(place, place / "out")
        except (OSError, tarfile.TarError, shutil.ReadError):
            assert pack == "tar.gz"
        assert not list(tmp_path.rglob("escaped"))


def test_a_zip_of_exports_is_read_in_memory_and_bombs_are_refused(tmp_path):
    path = tmp_path / "patient.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../DoseInfo.csv", "a,b\n1,2\n")
    with pytest.raises(UnreadableFile):
        read_dvh_files([path])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("p/DoseInfo.csv", bytes(300_000_000))
    with pytest.raises(UnreadableFile, match="unpacks to 300 MB"):
        read_dvh_files([path])
    assert [one.name for one in tmp_path.iterdir()] == ["patient.zip"]


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
def test_a_dicomdir_is_never_followed(tmp_path):
    """Its file names may point anywhere: it is listed as unused, and only files below the folder are read."""
    builders.write_treatment(tmp_path / "study")
    outside = builders.save(builders.new_dataset("CT", builders.Ids(patient="OUTSIDE")), tmp_path / "outside.dcm")
    record = builders.item(DirectoryRecordType="IMAGE", ReferencedFileID=["..", outside.name])
    directory = builders.new_dataset("CT", builders.Ids())
    directory.SOPClassUID, directory.Modality = "1.2.840.10008.1.3.10", ""
    directory.DirectoryRecordSequence = [record]
    builders.save(directory, tmp_path / "study" / "DICOMDIR")
    studies = scan(tmp_path / "study")
    assert not any("outside" in str(path) for study in studies for path, _ in study.unused)
    assert all(study.patient_id != "OUTSIDE" for study in studies)
    result = deidentify_folder(tmp_path / "study", tmp_path / "out", SecretKey(bytes(32)))
    assert "DICOMDIR" in dict(result.left_out)
    assert not any("OUTSIDE" in name for name in result.written)


def test_unfinished_files_are_their_owners_alone(tmp_path):
    os.umask(0o022)
    with replacing(tmp_path / "result.json") as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
        temporary.write_text("{}")
    with staged_folder(tmp_path / "out") as stage:
        assert stat.S_IMODE(stage.stat().st_mode) == 0o700
        (stage / "a").write_text("x")


def test_a_disk_that_is_full_in_truth(tmp_path):
    """A file system of half a megabyte, where the machine lets us make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        builders.write_treatment(tmp_path / "in")
        with pytest.raises(OutputNotWritable, match="No space left"), staged_folder(disk / "out") as stage:
            (stage / "dose").write_bytes(bytes(1_000_000))
        assert list(disk.iterdir()) == []
        for number in range(40):
            shutil.copy(tmp_path / "in" / "RTSTRUCT.dcm", tmp_path / "in" / f"copy{number}.dcm")
        (disk / "filler").write_bytes(bytes(490_000))
        with pytest.raises(OutputNotWritable, match="No space left"):
            deidentify_folder(tmp_path / "in", disk / "out", SecretKey(bytes(32)))
        assert [path.name for path in disk.iterdir()] == ["filler"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_clock_that_jumps_back_changes_no_number(tmp_path, monkeypatch):
    """Times are for people: receipts, resumption and numbers do not rest on them."""
    builders.write_treatment(tmp_path / "in")
    first = deidentify_folder(tmp_path / "in", tmp_path / "a", SecretKey(bytes(32)))
    for path in (tmp_path / "in").iterdir():
        os.utime(path, (0, 0))
    monkeypatch.setattr(time, "time", lambda: datetime(1999, 1, 1).timestamp())
    second = deidentify_folder(tmp_path / "in", tmp_path / "b", SecretKey(bytes(32)))
    assert first.written == second.written
    for name in first.written:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def numbers(tree, key=""):
    if isinstance(tree, int | float) and not isinstance(tree, bool) and "seconds" not in key:
        yield key, tree
    for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from numbers(value, f"{key}/{name}")


def numbers_of(out):
    results = json.loads((out / "results.json").read_text())
    doses = [pydicom.dcmread(path).pixel_array for path in sorted(out.glob("RTDOSE_*.dcm"))]
    sums = {"dose": [int(dose.astype("u8").sum()) for dose in doses]}
    return {key: value for key, value in numbers(results) if "/provenance" not in key} | sums


def test_the_main_job_gives_the_same_numbers_on_the_deidentified_study(tmp_path):
    write_study(tmp_path / "study")
    profile = write_profile(tmp_path / "profile.json")
    result = deidentify_folder(tmp_path / "study", tmp_path / "shared", SecretKey(bytes(32)))
    assert (result.leaks, result.left_out) == ([], [])
    found = []
    for source in ("study", "shared"):
        out = tmp_path / f"out-{source}"
        command = ["reconstruct", str(tmp_path / source), "--machine", str(profile), "--out", str(out)]
        assert run(command) == 1  # the planned dose of this study is no truth
        found.append(numbers_of(out))
    assert len(found[0]) > 30
    assert found[0] == found[1]
    assert "Secret" not in (tmp_path / "out-shared" / "report.html").read_text()


def test_the_sample_keeps_its_numbers_when_it_is_deidentified(tmp_path):
    """On a coarse grid and by the first-order dose, which is no good (exit code 1) but reads all that there is."""
    sample = resource_folder("SampleData")
    unpack_sample(sample, tmp_path / "study")
    shared = deidentify_folder(tmp_path / "study", tmp_path / "shared", SecretKey(bytes(32)))
    assert shared.leaks == []
    assert {Path(name).suffix for name, _ in shared.left_out} == {".nrrd"}  # no DICOM: said, and not copied
    settings = ["--machine", str(sample / "MC6MV.profile.json"), "--constraints", str(sample / "constraints.csv")]
    settings += ["--grid-mm", "12", "--model", "first-order"]
    for source in ("study", "shared"):
        assert run(["reconstruct", str(tmp_path / source), "--out", str(tmp_path / f"out-{source}"), *settings]) == 1
    first, second = (numbers_of(tmp_path / f"out-{source}") for source in ("study", "shared"))
    assert len(first) > 200
    assert first == second
