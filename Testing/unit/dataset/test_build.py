"""From a clinic's folder to a dataset: what is found, checked, refused, split, and gone on with."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from intrepid_epid.commissioning import commission
from intrepid_epid.dataset.build import BuildSettings, build_dataset
from intrepid_epid.dataset.manifest import DatasetGrid, load_manifest
from intrepid_epid.dataset.pair_file import read_pair
from intrepid_epid.open_fields import read_open_fields
from intrepid_epid.simulation.phantom_set import simulate_set
from intrepid_epid.simulation.treatment_machine import SimulatedMachine
from intrepid_rt.errors import AmbiguousInput, InvalidSetting, MissingObject, UnusableInput

MACHINE = SimulatedMachine(pixels=96, pixel_mm=4.32)
SETTINGS = BuildSettings(grid=DatasetGrid(64, 3.5), largest_shift_mm=6.0)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Two small phantoms with ten pairs, doses as NRRD, and the machine's profile."""
    folder = tmp_path_factory.mktemp("simulated") / "set"
    simulate_set(folder, seed=3, count=10, machine=MACHINE, primaries=2000, dose_suffix=".nrrd")
    fields = [field for field, _ in read_open_fields(folder / "open_fields")]
    return folder, commission(fields, machine=MACHINE.name, energy="6 MV")


@pytest.fixture
def clinic(simulated, tmp_path):
    """A copy to spoil."""
    folder, profile = simulated
    shutil.copytree(folder, tmp_path / "clinic")
    return tmp_path / "clinic", profile


def rewrite(folder: Path, change):
    """Change the rows of ``pairs.csv``."""
    rows = list(csv.DictReader((folder / "pairs.csv").read_text(encoding="utf-8").splitlines()))
    change(rows)
    with (folder / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def keep_one_phantom(folder: Path, which: int, *, split: str) -> str:
    """Take all other phantoms out of the table, and state a split."""
    names = []

    def change(rows):
        names.append(sorted({row["phantom"] for row in rows})[which])
        rows[:] = [row | {"split": split} for row in rows if row["phantom"] == names[0]]

    rewrite(folder, change)
    return names[0]


def shift_dose(path: Path, x_mm: float, y_mm: float):
    """Move a portal dose in the imager plane: +X, +Y (the file's second axis is -Y)."""
    import SimpleITK as sitk  # noqa: N813

    image = sitk.ReadImage(str(path))
    origin = image.GetOrigin()
    image.SetOrigin((origin[0] + x_mm, origin[1] - y_mm))
    sitk.WriteImage(image, str(path))


def test_pairs_hold_signal_physics_dose_thickness_and_field(simulated, tmp_path):
    folder, profile = simulated
    built = build_dataset([folder], tmp_path / "set", profile, SETTINGS)
    manifest = load_manifest(tmp_path / "set")
    assert manifest == built.manifest
    assert len(manifest.pairs) == 10
    assert manifest.open_gy_per_mu == pytest.approx(0.00407, rel=0.03)
    assert {pair.split for pair in manifest.pairs} == {"train"}  # as the published list states
    pair = next(one for one in manifest.pairs if one.field == "10x10")
    arrays = read_pair(tmp_path / "set", pair, manifest.grid)
    middle = slice(28, 36), slice(28, 36)
    ratio = arrays.physics_gy[middle].mean() / arrays.portal_dose_gy[middle].mean()
    assert ratio == pytest.approx(0.98, abs=0.03)  # behind a phantom the open beam's physics is a little low
    assert arrays.field_map.sum() * 0.35**2 == pytest.approx(100.0, rel=1e-3)
    assert pair.area_cm2 == 100.0
    assert pair.equivalent_square_cm == pytest.approx(10.0, abs=0.4)
    # The phantom is 48 or 72 mm thick, of 1.0 to 1.045 g/cm3, and the rays are all but perpendicular at 0 or 180.
    if pair.gantry_angle_deg in (0.0, 180.0):
        assert 4.7 < arrays.thickness_g_cm2[middle].mean() < 7.8
    assert "no saturated pixel" in pair.checks
    assert any("not applied" in check for check in pair.checks)


def test_headers_and_names_find_the_same_pairs_without_a_table(clinic, tmp_path):
    folder, profile = clinic
    (folder / "pairs.csv").unlink()
    shutil.rmtree(folder / "open_fields")
    built = build_dataset([folder], tmp_path / "set", profile, SETTINGS)
    assert len(built.manifest.pairs) == 10
    assert {pair.phantom for pair in built.manifest.pairs} == {"OMG-L01", "OMG-L02"}
    assert all(pair.meterset_mu > 0 and pair.plan for pair in built.manifest.pairs)


def test_a_small_shift_is_found_and_taken_out(clinic, tmp_path):
    folder, profile = clinic
    whole = build_dataset([folder], tmp_path / "straight", profile, SETTINGS).manifest
    pair = next(one for one in whole.pairs if one.field == "5x5")
    dose = folder / pair.sources[1].file
    shift_dose(dose, 4.0, -2.4)  # 2.5 and -1.5 mm at the isocentre plane
    moved = build_dataset([folder], tmp_path / "moved", profile, SETTINGS).manifest
    found = next(one for one in moved.pairs if one.id == pair.id)
    (check,) = [text for text in found.checks if "applied to the portal dose" in text]
    x, y = (float(word) for word in (check.split("X ")[1].split(",")[0], check.split("Y ")[1].split(" ")[0]))
    assert (x, y) == pytest.approx((-2.5, 1.5), abs=0.15)
    before = read_pair(tmp_path / "straight", pair, whole.grid).portal_dose_gy
    after = read_pair(tmp_path / "moved", found, moved.grid).portal_dose_gy
    assert np.abs(after - before).max() < 0.03 * before.max()


def test_a_large_shift_is_refused_by_name(clinic, tmp_path):
    folder, profile = clinic
    dose = next(folder.glob("OMG-L01/*10x10*portal_dose.nrrd"))
    shift_dose(dose, 20.0, 0.0)
    with pytest.raises(UnusableInput, match=r"1 pairs cannot be used.*mm off RTIMAGE"):
        build_dataset([folder], tmp_path / "set", profile, SETTINGS)
    assert not (tmp_path / "set" / "manifest.json").exists()
    built = build_dataset([folder], tmp_path / "set", profile, replace(SETTINGS, leave_out=True))
    assert len(built.manifest.pairs) == 9
    assert "mm off" in (tmp_path / "set" / "refused.csv").read_text(encoding="utf-8")


def test_a_dose_in_another_unit_is_brought_to_gy(clinic, tmp_path):
    folder, profile = clinic
    plain = build_dataset([folder], tmp_path / "gy", profile, SETTINGS).manifest
    rewrite(folder, lambda rows: [row.update(gy_per_unit="0.01") for row in rows])
    other = build_dataset([folder], tmp_path / "cgy", profile, SETTINGS).manifest
    a, b = (read_pair(tmp_path / name, m.pairs[4], m.grid) for name, m in (("gy", plain), ("cgy", other)))
    np.testing.assert_allclose(b.portal_dose_gy, 0.01 * a.portal_dose_gy, atol=1e-6)


def test_a_saturated_image_is_refused(tmp_path):
    machine = replace(MACHINE, saturates_at=0.5)
    folder = tmp_path / "set"
    simulate_set(folder, seed=3, count=4, machine=machine, primaries=400, dose_suffix=".nrrd")
    fields = [field for field, _ in read_open_fields(folder / "open_fields")]
    profile = commission(fields, machine=machine.name, energy="6 MV")
    with pytest.raises(UnusableInput, match="is saturated in"):
        build_dataset([folder], tmp_path / "dataset", profile, SETTINGS)


def test_missing_files_are_counted_and_named(clinic, tmp_path):
    folder, profile = clinic
    next(folder.glob("OMG-L01/*portal_dose.nrrd")).unlink()
    with pytest.raises(UnusableInput, match=r"1 pairs cannot be used.*is not there"):
        build_dataset([folder], tmp_path / "set", profile, SETTINGS)
    shutil.rmtree(folder / "OMG-L01")
    shutil.rmtree(folder / "OMG-L02")
    with pytest.raises(MissingObject, match="holds no image with its portal dose"):
        build_dataset([folder], tmp_path / "set", profile, SETTINGS)


def test_an_image_of_another_machine_or_distance_is_refused(simulated, tmp_path):
    import msgspec

    folder, profile = simulated
    for change, message in (
        ({"machine": "OTHER"}, "is from machine SIM6MV"),
        ({"source_to_image_mm": 1500.0}, "Commission that"),
    ):
        with pytest.raises(UnusableInput, match=message):
            build_dataset([folder], tmp_path / "set", msgspec.structs.replace(profile, **change), SETTINGS)


def test_the_same_pair_in_two_folders_is_refused(simulated, tmp_path):
    folder, profile = simulated
    with pytest.raises(AmbiguousInput, match="Give each its own id"):
        build_dataset([folder, folder], tmp_path / "set", profile, SETTINGS)


def test_half_a_stated_split_is_refused(clinic, tmp_path):
    folder, profile = clinic
    rewrite(folder, lambda rows: rows[0].update(split=""))
    with pytest.raises(AmbiguousInput, match="State all, or none"):
        build_dataset([folder], tmp_path / "set", profile, SETTINGS)


@pytest.mark.parametrize("stated", [True, False])
def test_a_folder_kept_for_validation_joins_that_part_alone(clinic, tmp_path, stated):
    folder, profile = clinic
    apart = tmp_path / "apart"
    shutil.copytree(folder, apart)
    learned = keep_one_phantom(folder, 0, split="train" if stated else "")
    kept = keep_one_phantom(apart, -1, split="test")
    settings = replace(SETTINGS, validation_folders=(apart,))
    manifest = build_dataset([folder], tmp_path / "set", profile, settings).manifest
    assert {(pair.phantom, pair.split) for pair in manifest.pairs} == {(learned, "train"), (kept, "validation")}


def test_a_phantom_learned_from_cannot_be_kept_for_validation(clinic, tmp_path):
    folder, profile = clinic
    apart = tmp_path / "apart"
    shutil.copytree(folder, apart)
    rewrite(apart, lambda rows: [row.update(id=f"again-{row['id']}") for row in rows])
    with pytest.raises(AmbiguousInput, match="a phantom must lie in one"):
        build_dataset([folder], tmp_path / "set", profile, replace(SETTINGS, validation_folders=(apart,)))


def test_a_grid_that_the_panel_does_not_cover_is_refused(simulated, tmp_path):
    folder, profile = simulated
    with pytest.raises(UnusableInput, match="take a smaller one"):
        build_dataset([folder], tmp_path / "set", profile, replace(SETTINGS, grid=DatasetGrid(128, 3.5)))
    with pytest.raises(InvalidSetting, match="16 are needed"):
        build_dataset([folder], tmp_path / "set", profile, replace(SETTINGS, grid=DatasetGrid(4, 3.5)))


def test_an_interrupted_build_goes_on_and_ends_the_same(clinic, tmp_path):
    folder, profile = clinic
    out = tmp_path / "set"

    def stop(done, _total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_dataset([folder], out, profile, SETTINGS, progress=stop)
    assert not (out / "manifest.json").exists()
    before = {path: path.stat().st_mtime_ns for path in (out / "pairs").glob("*.npz")}
    assert len(before) == 4
    resumed = build_dataset([folder], out, profile, SETTINGS).manifest
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert resumed.pairs == build_dataset([folder], tmp_path / "other", profile, SETTINGS).manifest.pairs


def test_a_changed_source_is_made_anew(clinic, tmp_path):
    folder, profile = clinic
    first = build_dataset([folder], tmp_path / "set", profile, SETTINGS).manifest
    dose = folder / first.pairs[0].sources[1].file
    shift_dose(dose, 1.0, 0.0)
    second = build_dataset([folder], tmp_path / "set", profile, SETTINGS).manifest
    assert second.pairs[0].sha256 != first.pairs[0].sha256
    assert second.pairs[1:] == first.pairs[1:]
