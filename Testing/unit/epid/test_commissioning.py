"""Commissioning finds the machine that made the images; profiles survive files and refuse nonsense."""

import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from chain_phantoms import soft_field
from intrepid_epid.commissioning import OpenField, aperture_of, commission, eroded_aperture
from intrepid_epid.machine_profile import RadialFactor, load_profile, relative_profile, save_profile
from intrepid_epid.point_spread import spread
from intrepid_epid.portal_dose import off_axis_radius_mm, open_portal_dose, radial_gain
from intrepid_epid.spectrum import Spectrum
from intrepid_rt.errors import MissingObject, UnreadableFile, UnsupportedGeometry

WIDTHS, WEIGHTS = [0.0, 4.0, 32.0], [0.30, 0.06, 0.04]


def measured(name, half_x, half_y, *, centre=(0.0, 0.0), sid=1600.0, radial=0.0):
    """An image and the dose of a machine whose imager reads less by ``radial`` per mm off the axis."""
    signal = soft_field(half_x, half_y, n=128, pixel=3.2, centre=centre, edge_mm=3.0, sid=sid)
    truth = signal.values * (1 + radial * off_axis_radius_mm(signal))
    dose = spread(truth, signal.pixel_spacing_mm, WIDTHS, WEIGHTS)
    return OpenField(name, signal, dose, 100.0, 4 * half_x * half_y / 100)


FIELDS = [
    measured("10x10", 50, 50),
    measured("4x4", 20, 20),
    measured("20x20", 95, 95),
    measured("off axis", 15, 25, centre=(60.0, -35.0)),
]


def test_the_kernel_of_the_machine_is_found():
    profile = commission(FIELDS, machine="M", energy="6 MV")
    found = {term.width_mm: term.gy_per_signal for term in profile.spread}
    assert sum(found.values()) == pytest.approx(0.40, rel=0.005)
    assert found[0.0] + found.get(0.5, 0) + found.get(1.0, 0) == pytest.approx(0.30, abs=0.01)
    assert found[32.0] == pytest.approx(0.04, abs=0.005)
    assert profile.worst_residual_percent() < 0.1
    assert all(abs(point.factor - 1) < 0.005 for point in profile.radial_factors)


def test_fields_it_has_not_seen_are_right():
    profile = commission(FIELDS, machine="M", energy="6 MV")
    for unseen in (measured("7x3", 35, 15), measured("8x8 off axis", 40, 40, centre=(-30.0, 45.0))):
        dose = open_portal_dose(unseen.signal, profile)
        aperture = eroded_aperture(unseen.signal)
        np.testing.assert_allclose(dose.values[aperture], unseen.dose_gy[aperture], rtol=0.005)
        assert dose.unit == "Gy"


def test_response_off_the_axis_is_found():
    per_mm = 0.0008
    fields = [measured(f"{2 * half} mm", half, half, radial=per_mm) for half in (20, 50, 95)]
    profile = commission(fields, machine="M", energy="6 MV")
    factors = {point.radius_mm: point.factor for point in profile.radial_factors}
    assert factors[85.0] / factors[5.0] == pytest.approx((1 + 85 * per_mm) / (1 + 5 * per_mm), rel=0.01)
    unseen = measured("off axis", 20, 20, centre=(50.0, 30.0), radial=per_mm)
    aperture = eroded_aperture(unseen.signal)
    made = open_portal_dose(unseen.signal, profile).values
    np.testing.assert_allclose(made[aperture], unseen.dose_gy[aperture], rtol=0.01)


@pytest.mark.parametrize("number", [0, 3], ids=["central", "off axis"])
def test_one_field_is_enough(number):
    profile = commission([FIELDS[number]], machine="M", energy="6 MV")
    assert profile.n_fields == 1
    assert profile.worst_residual_percent() < 0.2
    assert profile.valid_for.area_cm2 == (FIELDS[number].area_cm2,) * 2
    # What is farther than half of the only field cannot be known from it.
    assert max(term.width_mm for term in profile.spread) <= np.sqrt(FIELDS[number].area_cm2) * 10 * 1.6 / 2


def test_validity_is_what_was_measured():
    valid = commission(FIELDS, machine="M", energy="6 MV").valid_for
    assert valid.area_cm2 == (15.0, 361.0)
    assert valid.source_to_image_mm == (1600.0, 1600.0)
    assert valid.meterset_mu == (100.0, 100.0)
    assert valid.off_axis_mm == pytest.approx(np.hypot(95, 95), abs=4)


def test_margins_are_at_the_isocentre_and_small_fields_keep_their_middle():
    signal = FIELDS[0].signal
    area = eroded_aperture(signal).sum() * 3.2**2 / 1.6**2 / 100
    assert area == pytest.approx(81.0, rel=0.06)  # 10 x 10 less 5 mm all round
    assert aperture_of(signal).sum() * 3.2**2 / 1.6**2 / 100 == pytest.approx(100.0, rel=0.03)
    tiny = soft_field(4, 4, n=128, pixel=3.2, edge_mm=1.0)
    assert 0 < eroded_aperture(tiny).sum() < aperture_of(tiny).sum()


def test_what_cannot_be_commissioned_is_refused():
    with pytest.raises(MissingObject, match="at least one"):
        commission([], machine="M", energy="6 MV")
    with pytest.raises(UnsupportedGeometry, match=r"far was imaged at 1500 mm, 10x10 at 1600 mm"):
        commission([FIELDS[0], measured("far", 50, 50, sid=1500.0)], machine="M", energy="6 MV")
    coarse = FIELDS[1].signal
    coarse = replace(coarse, values=coarse.values[::2, ::2], pixel_spacing_mm=(6.4, 6.4))
    other = replace(FIELDS[1], signal=coarse, dose_gy=FIELDS[1].dose_gy[::2, ::2])
    with pytest.raises(UnsupportedGeometry, match="another pixel size"):
        commission([FIELDS[0], other], machine="M", energy="6 MV")
    dark = replace(FIELDS[1], signal=FIELDS[1].signal.with_values(0 * FIELDS[1].dose_gy))
    with pytest.raises(MissingObject, match="4x4 shows no signal"):
        commission([FIELDS[0], dark], machine="M", energy="6 MV")


def test_gain_holds_beyond_the_outermost_radius():
    image = FIELDS[0].signal
    gain = radial_gain(image, [RadialFactor(5.0, 1.0), RadialFactor(45.0, 1.2)])
    radius = off_axis_radius_mm(image)
    assert gain[radius > 50] == pytest.approx(1.2)
    np.testing.assert_allclose(
        gain[(radius > 5) & (radius < 45)], 1 + 0.005 * (radius[(radius > 5) & (radius < 45)] - 5)
    )
    assert (radial_gain(image, []) == 1).all()


@pytest.fixture(scope="module")
def profile():
    spectrum = Spectrum(np.array([0.0, 1.0]), np.array([1.0, 2.0]), np.array([0.6, 0.4]))
    return commission(FIELDS[:2], machine="Linac 1", energy="6 MV", spectrum=spectrum, spectrum_source="s.csv")


def test_profiles_survive_files(tmp_path, profile):
    path = tmp_path / "p.json"
    save_profile(profile, path)
    read = load_profile(path)
    assert read == profile
    assert read.hash() == profile.hash()
    assert json.loads(path.read_text())["schema"] == "intrepid-machine-profile/1"
    other = msgspec.structs.replace(profile, energy="10 MV")
    assert other.hash() != profile.hash()


def _with(profile, **changes):
    return msgspec.json.encode(msgspec.structs.replace(profile, **changes))


def _typed_wrongly(profile):
    return msgspec.json.encode(profile).replace(b'"source_to_axis_mm":1000.0', b'"source_to_axis_mm":"far"')


def _without_photons(profile):
    return _with(profile, spectrum=tuple(msgspec.structs.replace(b, weight=0.0) for b in profile.spectrum))


TWICE = (RadialFactor(5.0, 1.0), RadialFactor(5.0, 1.0))
BAD = {
    "no JSON": (lambda p: b"{", "not a machine profile"),
    "no text": (lambda p: b"\xff\xfe\x00", "not a machine profile"),
    "other JSON": (lambda p: b"[1, 2]", "not a machine profile"),
    "entry missing": (lambda p: b'{"schema": "intrepid-machine-profile/1"}', "missing required field"),
    "wrong type": (_typed_wrongly, "source_to_axis_mm"),
    "other schema": (lambda p: _with(p, schema="intrepid-machine-profile/9"), "profile/9' found"),
    "no field": (lambda p: _with(p, fields=()), "no commissioning field"),
    "no kernel": (lambda p: _with(p, spread=()), "gives no dose"),
    "negative distance": (lambda p: _with(p, source_to_image_mm=-1600.0), "not positive"),
    "radial nonsense": (lambda p: _with(p, radial_factors=TWICE), "radial"),
    "empty spectrum": (_without_photons, "photons"),
}


@pytest.mark.parametrize(("damage", "message"), BAD.values(), ids=BAD)
def test_tampered_profiles_are_refused(tmp_path, profile, damage, message):
    path = tmp_path / "p.json"
    path.write_bytes(damage(profile))
    with pytest.raises(UnreadableFile, match=message) as refused:
        load_profile(path)
    assert str(path) in str(refused.value)
    assert "commission" in str(refused.value).lower()


def test_missing_profile_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="is no file"):
        load_profile(tmp_path / "none.json")


def test_relative_profile_passes_the_signal_on():
    signal = FIELDS[0].signal
    made = open_portal_dose(signal, relative_profile("M"))
    np.testing.assert_allclose(made.values, signal.values, atol=1e-12)
