"""A dataset's folder: what is written is read back, and what was changed or contradicts itself is refused."""

import msgspec
import numpy as np
import pytest

from intrepid_epid.dataset.manifest import DatasetGrid, Manifest, Pair, load_manifest, save_manifest
from intrepid_epid.dataset.pair_file import PairArrays, read_pair, write_pair
from intrepid_rt.errors import InvalidSetting, UnreadableFile

GRID = DatasetGrid(4, 2.0)


def pair(**changes):
    made = {
        "id": "a", "phantom": "W", "family": "OMG", "field": "5x5", "plan": "P", "split": "train", "fold_group": "W/P",
        "file": "pairs/a.npz", "sha256": "0", "sources": (), "meterset_mu": 100.0, "gantry_angle_deg": 0.0,
        "source_to_image_mm": 1600.0, "area_cm2": 25.0, "equivalent_square_cm": 5.0,
    }  # fmt: skip
    return Pair(**{**made, **changes})


def manifest(*pairs, **changes):
    made = {"created": "2026-01-01", "software_version": "0", "machine": "M", "energy": "6 MV", "profile_sha256": "0",
            "grid": GRID, "pairs": pairs}  # fmt: skip
    return Manifest(**{**made, **changes})


def planes(seed=0):
    rng = np.random.default_rng(seed)
    return PairArrays(*(rng.random((4, 4), np.float32) for _ in range(4)))


def test_written_is_read(tmp_path):
    arrays = planes()
    digest = write_pair(arrays, tmp_path / "pairs" / "a.npz")
    save_manifest(manifest(pair(sha256=digest)), tmp_path)
    found = load_manifest(tmp_path)
    assert found == manifest(pair(sha256=digest))
    back = read_pair(tmp_path, found.pairs[0], found.grid)
    np.testing.assert_array_equal(back.portal_dose_gy, arrays.portal_dose_gy)
    np.testing.assert_array_equal(back.thickness_g_cm2, arrays.thickness_g_cm2)
    assert back.field_map is None


def test_the_same_arrays_make_the_same_file(tmp_path):
    assert write_pair(planes(), tmp_path / "a.npz") == write_pair(planes(), tmp_path / "b.npz")


def test_a_changed_pair_is_refused(tmp_path):
    digest = write_pair(planes(), tmp_path / "pairs" / "a.npz")
    write_pair(planes(1), tmp_path / "pairs" / "a.npz")
    with pytest.raises(UnreadableFile, match="hash differs"):
        read_pair(tmp_path, pair(sha256=digest), GRID)


def test_a_pickle_is_refused(tmp_path):
    (tmp_path / "pairs").mkdir()
    np.savez(tmp_path / "pairs" / "a.npz", signal=np.array([{"run": "me"}], object))
    import hashlib

    digest = hashlib.sha256((tmp_path / "pairs" / "a.npz").read_bytes()).hexdigest()
    with pytest.raises(UnreadableFile, match="does not hold the arrays"):
        read_pair(tmp_path, pair(sha256=digest), GRID)


def test_a_pair_of_another_grid_is_refused(tmp_path):
    digest = write_pair(planes(), tmp_path / "pairs" / "a.npz")
    with pytest.raises(UnreadableFile, match=r"shape \(8, 8\)"):
        read_pair(tmp_path, pair(sha256=digest), DatasetGrid(8, 2.0))


def test_values_that_are_not_finite_are_not_written(tmp_path):
    arrays = PairArrays(*(np.full((4, 4), v, np.float32) for v in (1.0, np.nan, 1.0)))
    with pytest.raises(InvalidSetting, match="physics_gy must be finite"):
        write_pair(arrays, tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (manifest(), "lists no pair"),
        (manifest(pair(), pair()), "lists pair a twice"),
        (manifest(pair(split="exam")), "a split called 'exam'"),
        (manifest(pair(file="../a.npz")), "points outside its folder"),
        (manifest(pair(), pair(id="b", split="test")), "fold group 'W/P' on both sides"),
        (manifest(pair(), grid=DatasetGrid(0, 2.0)), "a grid without pixels"),
        (manifest(pair(), schema="other"), "schema 'other' found"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(tmp_path, bad, message):
    save_manifest(bad, tmp_path)
    with pytest.raises(UnreadableFile, match=message):
        load_manifest(tmp_path)


def test_no_manifest_is_said_in_one_line(tmp_path):
    with pytest.raises(UnreadableFile, match="intrepid dataset build"):
        load_manifest(tmp_path)
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode({"pairs": 3}))
    with pytest.raises(UnreadableFile, match="no manifest of a dataset"):
        load_manifest(tmp_path)
