"""Simulated sets: the composition of the founding study, phantoms that cannot leak, and an export that reads back."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from intrepid_epid.aperture import open_area_cm2, open_share
from intrepid_epid.ray_tracing import mass_thickness_g_cm2
from intrepid_epid.simulation import fields
from intrepid_epid.simulation.phantom_set import simulate_set
from intrepid_epid.simulation.phantoms import Phantom, Solid, density_of, hounsfield
from intrepid_epid.simulation.simulation_plans import plans_of, table_of
from intrepid_epid.simulation.treatment_machine import SimulatedMachine
from intrepid_epid.transit import anatomy_of
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.scan import scan

DOCS = Path(__file__).parents[3] / "docs"
SMALL = SimulatedMachine(pixels=64, pixel_mm=6.48)


@pytest.mark.parametrize(("name", "seed"), [("founding", 2025), ("wide", 2026), ("trunks", 2027)])
def test_the_published_list_is_what_is_simulated(name, seed):
    assert table_of(plans_of(name, seed=seed)) == (DOCS / f"{name}_set.csv").read_text(encoding="utf-8")


def test_trunks_are_thin_and_thick_with_and_without_lungs_and_seen_from_all_sides():
    plans = plans_of("trunks", seed=2027)
    assert sum(len(plan.beams) for plan in plans) == 135
    assert [plan.split for plan in plans].count("validation") == 9
    depths = [2 * plan.phantom.solids[0].half_mm[1] for plan in plans]
    assert min(depths) < 160 < 240 < max(depths)
    with_lung = [any(0.1 < solid.density_g_cc < 0.6 for solid in plan.phantom.solids) for plan in plans]
    assert 9 < sum(with_lung) < 27
    angles = {beam.control_points[0].gantry_angle_deg // 45 for plan in plans for beam in plan.beams}
    assert angles == set(range(8))


def test_the_wide_set_has_large_fields_through_thick_phantoms_and_no_test():
    plans = plans_of("wide", seed=2026)
    assert {plan.split for plan in plans} == {"train", "validation"}
    large = [
        (2 * plan.phantom.solids[0].half_mm[1], open_area_cm2(beam))
        for plan in plans
        for beam in plan.beams
        if plan.phantom.family == "OMG"
    ]
    assert sum(area > 190 and thickness > 200 for thickness, area in large) >= 6
    assert min(thickness for thickness, _ in large) < 80
    assert max(thickness for thickness, _ in large) > 300


def test_composition_of_the_founding_study():
    plans = [p for p in plans_of("founding", seed=1) if "-X" not in p.phantom.name]
    pairs = [(plan, field) for plan in plans for field in plan.fields]
    assert len(pairs) == 211
    assert sum(plan.split == "test" for plan, _ in pairs) == 22
    # Rows of the study's table: 2x2 29, 5x5 40, 10x10 38, 20x20 21, 2x10 36, 10x2 10, 15x1 16, 1x15 8, 4x20 7,
    # ellipses 8; less one 10x10 and one 2x10, because its text says 211.
    totals = {"2x2": 29, "5x5": 40, "10x10": 37, "20x20": 21, "2x10": 35, "10x2": 10, "15x1": 16, "1x15": 8, "4x20": 7,
              "ellipse": 8}  # fmt: skip
    assert {f: sum(field == f for _, field in pairs) for f in totals} == totals


def test_every_phantom_lies_on_one_side_of_the_split_and_none_repeats():
    plans = plans_of("founding", seed=2025)
    assert len({p.phantom.name for p in plans}) == len(plans)
    assert len({p.phantom.solids for p in plans}) == len(plans)
    plans += plans_of("wide", seed=2026) + plans_of("trunks", seed=2027)
    assert len({p.phantom.solids for p in plans}) == len(plans)
    for seed in (2025, 4711):
        assert not {p.phantom.solids for p in plans} & {p.phantom.solids for p in plans_of("unseen", seed=seed)}


@pytest.mark.parametrize("seed", [0, 2025])
def test_no_phantom_is_one_of_the_reference_cases(seed):
    """Those are water of exactly 100, 200, 300 mm, and a thorax of 300 x 210 mm; ours keep clear of them."""
    sets = {"founding": seed, "unseen": seed} | ({"wide": 2026, "trunks": 2027} if seed else {})
    for plan in (plan for name, number in sets.items() for plan in plans_of(name, seed=number)):
        half = plan.phantom.solids[0].half_mm
        assert min(abs(2 * half[1] - t) for t in (100.0, 200.0, 300.0)) > 0.5 or plan.phantom.family != "OMG"
        assert half[:2] != (150.0, 105.0)


def test_ct_of_solids_has_their_mass_and_thickness():
    phantom = Phantom("p", "X", (
        Solid(1.0, (0, 0, 0), (50.0, 40.0, 30.0)),
        Solid(1.5, (10.0, 5.0, -4.0), (12.0, 12.0, 12.0), "ellipsoid"),
        Solid(0.3, (-20.0, -10.0, 0.0), (9.0, 14.0, 30.0), "cylinder"),
    ))  # fmt: skip
    grid = density_of(*hounsfield(phantom, voxel_mm=2.5), voxel_mm=2.5)
    sphere, cylinder = 4 / 3 * np.pi * 1.2**3, np.pi * 0.9 * 1.4 * 6.0
    air = 0.0012 * (grid.values.size * grid.voxel_volume_cc - 480.0)
    mass = float(grid.values.sum(dtype=np.float64) * grid.voxel_volume_cc) - air
    assert mass == pytest.approx(480.0 + 0.5 * sphere - 0.7 * cylinder, rel=0.005)
    anatomy = anatomy_of(grid)
    thickness = mass_thickness_g_cm2(anatomy, (10.0, -500.0, -4.0), (10.0, 500.0, -4.0)).sum()
    assert thickness == pytest.approx(8.0 + 0.5 * 2.4, rel=0.01)


def test_fields_open_what_they_are_called():
    plane = SMALL.panel
    pixel_cm2 = (SMALL.pixel_mm / 16) ** 2
    for name, area in (("4x20", 80.0), ("10x2", 20.0)):
        share = open_share(fields.centred(name), plane).values
        assert share.sum() * pixel_cm2 == pytest.approx(area, rel=1e-6)
    ellipse = open_share(fields.ellipse(40.0, 25.0, centre=(10.0, -20.0)), plane)
    assert ellipse.values.sum() * pixel_cm2 == pytest.approx(np.pi * 4 * 2.5, rel=0.01)
    weight = ellipse.values / ellipse.values.sum()
    x, y = (weight.sum(axis=0) @ ellipse.x_mm, weight.sum(axis=1) @ ellipse.y_mm)
    assert (x, y) == pytest.approx((10.0, -20.0), abs=0.3)
    rng = np.random.default_rng(5)
    modulated = open_share(fields.modulated(rng), plane).values
    assert 0.05 < modulated.max() < 0.95
    assert open_share(fields.irregular(rng), plane).values.max() == pytest.approx(1.0)


def test_an_exported_plan_is_read_as_it_was_made(tmp_path):
    plans = simulate_set(tmp_path, seed=11, count=8, machine=SMALL, primaries=400)
    (study,) = [s for s in scan(tmp_path / plans[0].phantom.name) if s.plans]
    read = study.plans[0].plan
    assert len(study.portal_images) == len(plans[0].beams)
    assert {image.link for image in study.portal_images} == {"stated"}
    for made in plans[0].beams:
        found = read.beam_numbered(made.number)
        assert found.meterset_mu == made.meterset_mu
        np.testing.assert_allclose(
            open_share(found, SMALL.panel).values, open_share(made, SMALL.panel).values, atol=1e-9
        )
        assert found.control_points[0].gantry_angle_deg == made.control_points[0].gantry_angle_deg
        np.testing.assert_allclose(found.control_points[0].isocentre_lps_mm, made.control_points[0].isocentre_lps_mm)


def _content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_killed_simulation_ends_like_an_undisturbed_one(tmp_path):
    options = ["--count", "6", "--seed", "4", "--primaries", "400"]
    options += ["--machine-option", "pixels=64", "--machine-option", "pixel_mm=6.48", "--portal-dose", "nrrd"]
    command = [sys.executable, "-c", "from intrepid_cli.main import main; main()", "simulate", "phantoms"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen([*command, str(killed), *options], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not list(killed.glob("*/RTIMAGE_*")) and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.wait()
    for folder in (killed, whole):
        subprocess.run([*command, str(folder), *options], check=True, capture_output=True)
    left = {name for name in _content(killed) if Path(name).name.startswith(".")}
    after, expected = _content(killed), _content(whole)
    assert {name: data for name, data in after.items() if name not in left} == expected


def test_other_settings_do_not_go_on_in_the_same_folder(tmp_path):
    simulate_set(tmp_path, seed=1, count=1, machine=SMALL, primaries=400)
    with pytest.raises(InvalidSetting, match="begun with other settings"):
        simulate_set(tmp_path, seed=2, count=1, machine=SMALL, primaries=400)
    with pytest.raises(InvalidSetting, match="holds other files"):
        simulate_set(tmp_path / "OMG-L01", seed=1, count=1)


def test_an_unknown_set_is_named():
    with pytest.raises(InvalidSetting, match="known are founding, wide, trunks, unseen"):
        plans_of("other", seed=1)
